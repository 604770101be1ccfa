"""What a quality result says: distances beside their floor, and what the insides of the masks and the seams tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from coigan_aug.evaluation.numbers import Comparison, Quality, SeamCounts
from coigan_aug.report.scores import DASH, Estimate, Table, cell

KID_FACTOR = 1000


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Synthetic rows against the held-out test rows in one feature space, beside the floor: train's against test's.

    Not against train's: the synthetic images are made from those, which would flatter them. `label` says what was
    compared, `colour` is the class' as #rrggbb; KID is times 1000 with its standard error.
    """

    features: str
    comparable: bool
    label: str
    colour: str | None
    made: Comparison
    floor: Comparison

    @property
    def kid(self) -> Estimate | None:
        """KID of the synthetic rows."""
        return _kid(self.made)

    @property
    def kid_floor(self) -> Estimate | None:
        """KID of train's rows."""
        return _kid(self.floor)

    @property
    def fid(self) -> Estimate | None:
        """FID of the synthetic rows."""
        return _fid(self.made)

    @property
    def fid_floor(self) -> Estimate | None:
        """FID of train's rows."""
        return _fid(self.floor)

    @property
    def fid_biased(self) -> bool:
        """Tell whether there are too few rows for FID."""
        return self.made.fid_biased or self.floor.fid_biased


def _kid(pair: Comparison) -> Estimate | None:
    if pair.kid is None:
        return None
    half = pair.kid_error or 0.0
    return Estimate(KID_FACTOR * pair.kid, KID_FACTOR * (pair.kid - half), KID_FACTOR * (pair.kid + half))


def _fid(pair: Comparison) -> Estimate | None:
    return None if pair.fid is None else Estimate(pair.fid, pair.fid, pair.fid)


def comparisons_of(numbers: Quality, colours: Mapping[str, str]) -> list[Compared]:
    """List every comparison of a quality result: whole images, all objects, the objects of each class."""
    return [
        Compared(
            features=space.features,
            comparable=space.comparable,
            label=label,
            colour=colours.get(label) if label in space.classes else None,
            made=pairs.synthetic_test,
            floor=pairs.floor,
        )
        for space in numbers.spaces
        for label, pairs in (("whole images", space.images), ("all objects", space.objects), *space.classes.items())
        if pairs
    ]


def tables_of(numbers: Quality) -> Iterator[tuple[str, str, Table]]:
    """Yield the tables of a quality result: title, a sentence that explains it, table."""
    if numbers.inside:
        heads = ("", "Objects", "Variety", "Near copies", "held-out real", "Nearest is its shape's", "by chance")
        rows = []
        for name, inside in numbers.inside.items():
            copies = inside.copies
            shares = (copies.share, copies.floor, copies.from_shape_source, copies.by_chance)
            percents = (DASH if share is None else f"{share:.0%}" for share in shares)
            rows.append((name, cell(copies.n_synthetic), _two(inside.diversity.ratio), *percents))
        yield "Inside the masks", _INSIDE, Table(heads, tuple(rows))
    if numbers.crispness:
        crisp = (
            (name, cell(item.synthetic.n), *map(_two, (item.grain, item.test_grain, item.edge, item.test_edge)))
            for name, item in numbers.crispness.items()
        )
        table = Table(("", "Objects", "Grain", "held-out real", "Edge", "held-out real"), tuple(crisp))
        yield "Crispness", _CRISPNESS, table
    if numbers.seams:
        seams = (
            (name, cell(seam.n), _two(seam.median), _two(seam.p95)) for name, seam in numbers.seams.classes.items()
        )
        yield "Seams", _seam_words(numbers.seams), Table(("", "Objects", "Median", "95 % below"), tuple(seams))
    if numbers.agreement:
        agreed = ((name, *map(_two, (a.synthetic, a.real, a.ratio))) for name, a in numbers.agreement.items())
        table = Table(("", "IoU, synthetic", "IoU, real", "Ratio"), tuple(agreed))
        yield "A segmenter that knows only real images", _AGREEMENT, table


_INSIDE = (
    "Variety is the mean distance between two synthetic objects over that of real ones: 1 is as varied. A near copy is"
    " nearer to a training object than training objects are to each other; held-out real ones give what is usual."
)
_CRISPNESS = (
    "Fine grain inside the masks and steepness of their edges, over those of the real training objects: 1 is as crisp, less is"
    " blurred; held-out real ones give what is usual."
)
_AGREEMENT = "Its IoU on the synthetic images and on held-out real ones. A ratio near 1: the masks fit what is drawn."


def _seam_words(seams: SeamCounts) -> str:
    return (
        f"{seams.pixels_changed_outside:,} of {seams.pixels_outside:,} pixels outside the masks' margin were changed."
        " How much steeper the image is along the outline of the mask than beside it: 1 is no seam."
    )


def _two(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"


def shown_together(compared: Sequence[Compared]) -> dict[str, list[Compared]]:
    """Put the comparisons of each feature space together, by its name."""
    return {
        name: [item for item in compared if item.features == name]
        for name in dict.fromkeys(c.features for c in compared)
    }
