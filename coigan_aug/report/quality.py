"""What a quality result says: distances beside their floor, and what the insides of the masks and the seams tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coigan_aug.report.scores import Estimate, listing, mapping, number
from coigan_aug.report.tables import Table, as_table, cell

_KNOWN = {"counts", "spaces", "inside", "seams", "agreement"}
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
    synthetic: int | None
    train: int | None
    test: int | None
    kid: Estimate | None
    kid_floor: Estimate | None
    fid: Estimate | None
    fid_floor: Estimate | None
    fid_biased: bool
    precision: float | None
    recall: float | None


def comparisons_of(numbers: Mapping[str, Any], colours: Mapping[str, str]) -> list[Compared]:
    """Read every comparison of a quality result: whole images, all objects, the objects of each class."""
    out = []
    for space in listing(numbers.get("spaces")):
        parts: list[tuple[str, str | None, Any]] = [("whole images", None, space.get("images"))]
        parts += [("all objects", None, space.get("objects"))]
        parts += [(str(name), colours.get(str(name)), part) for name, part in mapping(space.get("classes")).items()]
        out += [_compared(space, label, colour, mapping(part)) for label, colour, part in parts if mapping(part)]
    return out


def _compared(space: Mapping[str, Any], label: str, colour: str | None, part: Mapping[str, Any]) -> Compared:
    made, floor = mapping(part.get("synthetic_test")), mapping(part.get("floor"))
    return Compared(
        features=str(space.get("features", "?")),
        comparable=space.get("comparable") is not False,
        label=label,
        colour=colour,
        synthetic=_count(made.get("n_first")),
        train=_count(floor.get("n_first")),
        test=_count(made.get("n_second")),
        kid=_with_error(made.get("kid"), made.get("kid_error")),
        kid_floor=_with_error(floor.get("kid"), floor.get("kid_error")),
        fid=_with_error(made.get("fid"), None, factor=1),
        fid_floor=_with_error(floor.get("fid"), None, factor=1),
        fid_biased=bool(made.get("fid_biased")) or bool(floor.get("fid_biased")),
        precision=number(made.get("precision")),
        recall=number(made.get("recall")),
    )


def _count(value: Any) -> int | None:
    found = number(value)
    return None if found is None else round(found)


def _with_error(value: Any, error: Any, *, factor: float = KID_FACTOR) -> Estimate | None:
    mean, half = number(value), number(error) or 0.0
    return None if mean is None else Estimate(factor * mean, factor * (mean - half), factor * (mean + half))


def tables_of(numbers: Mapping[str, Any]) -> Iterator[tuple[str, str, Table]]:
    """Yield the tables of a quality result: title, a sentence that explains it, table."""
    inside, seams = mapping(numbers.get("inside")), mapping(numbers.get("seams"))
    if inside:
        yield "Inside the masks", _INSIDE, _inside_table(inside)
    if seams:
        yield "Seams", _seam_words(seams), _rows(mapping(seams.get("classes")), _SEAMS)
    if mapping(numbers.get("agreement")):
        yield "A segmenter that knows only real images", _AGREEMENT, _rows(mapping(numbers["agreement"]), _SCORES)
    for name, value in numbers.items():
        table = None if name in _KNOWN else as_table(value)
        if table:
            yield str(name), "", table


_INSIDE = (
    "Variety is the mean distance between two synthetic objects over that of real ones: 1 is as varied. A near copy is"
    " nearer to a training object than training objects are to each other; held-out real ones give what is usual."
)
_AGREEMENT = "Its IoU on the synthetic images and on held-out real ones. A ratio near 1: the masks fit what is drawn."
_SEAMS = {"Objects": "n", "Median": "median", "95 % below": "p95"}
_SCORES = {"IoU, synthetic": "synthetic", "IoU, real": "real", "Ratio": "ratio"}


def _inside_table(inside: Mapping[str, Any]) -> Table:
    heads = ("", "Objects", "Variety", "Near copies", "held-out real", "Nearest is its shape's", "by chance")
    rows = []
    for name, value in inside.items():
        spread, copies = mapping(mapping(value).get("diversity")), mapping(mapping(value).get("copies"))
        shares = [_share(copies.get(key)) for key in ("share", "floor", "from_shape_source", "by_chance")]
        rows.append((str(name), cell(copies.get("n_synthetic")), _plain(spread.get("ratio")), *shares))
    return Table(heads, tuple(rows))


def _share(value: Any) -> str:
    found = number(value)
    return cell(None) if found is None else f"{found:.0%}"


def _seam_words(seams: Mapping[str, Any]) -> str:
    changed, outside = number(seams.get("pixels_changed_outside")), number(seams.get("pixels_outside"))
    words = "How much steeper the image is along the outline of the mask than beside it: 1 is no seam."
    if changed is None or outside is None:
        return words
    return f"{changed:,.0f} of {outside:,.0f} pixels outside the masks' margin were changed. {words}"


def _rows(values: Mapping[str, Any], columns: Mapping[str, str]) -> Table:
    rows = (
        (str(name), *(_plain(mapping(value).get(key)) for key in columns.values())) for name, value in values.items()
    )
    return Table(("", *columns), tuple(rows))


def _plain(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) and number(value) is not None else cell(value)


def shown_together(compared: Sequence[Compared]) -> dict[str, list[Compared]]:
    """Put the comparisons of each feature space together, by its name."""
    return {
        name: [item for item in compared if item.features == name]
        for name in dict.fromkeys(c.features for c in compared)
    }
