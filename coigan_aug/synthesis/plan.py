"""The plan: which defects go where on which image. Every image's share of it can be made by itself, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Mask, box, decode, decode_box
from coigan_aug.annotations.rle import place as place_mask
from coigan_aug.compose.augment import tight
from coigan_aug.compose.placement import find_place, fit
from coigan_aug.errors import DataError
from coigan_aug.places.density import PlaceDensity
from coigan_aug.places.part import full_size
from coigan_aug.places.roi import Roi
from coigan_aug.places.room import Room
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.rng import drawn_within
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import ShapeSource, draw_shape
from coigan_aug.shapes.shape import Shape
from coigan_aug.store.card import PlacesUsed
from coigan_aug.synthesis.bases import Base, find_bases, void_of
from coigan_aug.synthesis.counting import Together, share_out
from coigan_aug.synthesis.job import Job, PlannedDefect, noise_seed, stream_of
from coigan_aug.synthesis.own_place import STRETCHES, Donor, draw_donor, move, stretch_of
from coigan_aug.synthesis.siblings import Siblings

SHAPES, BASES_EACH = 5, 10  # tries at the shapes of an image, and at a base for them
SPANNING = 6  # bases that are passed over because a defect would not reach from edge to edge as it does on its own

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Planner:
    """What jobs are planned with. A job depends on it, its number, part and attempt, and the classes of its defects.

    `own_places` are the classes (by position) that are moved in their own place, as the engine transplant has it. With
    `siblings` defects are shaped after those objects alone, and get latents near theirs. `style` is that of every job.
    """

    prepared: Prepared
    settings: Settings
    bases: Sequence[Base]
    windows: bool
    source: ShapeSource
    places: PlaceDensity
    roi: Roi | None = None
    own_places: frozenset[int] = frozenset()
    siblings: Siblings | None = None
    style: tuple[tuple[str, float], ...] = ()

    def plan(self, number: int, labels: Sequence[int]) -> list[Job]:
        """Plan an image with defects of the given classes; defects that find no place together go on several.

        Shapes are of the kinds that the settings name, places as the class has them on its parts.

        Raises:
            DataError: a defect fits nowhere even alone.
        """
        waiting, jobs = [tuple(labels)], list[Job]()
        while waiting:
            own = waiting.pop(0)
            job = self.place(number, own, part=len(jobs), attempt=0)
            if job is not None:
                jobs.append(job)
            elif len(own) > 1:
                waiting[:0] = [own[:-1], own[-1:]]
            else:
                name = self.prepared.dataset.names[own[0]]
                raise DataError(
                    f"No place was found for a {name} on {SHAPES * BASES_EACH} images.",
                    remedy="Draw on other images (--bases both), or give a larger --roi.",
                )
        return jobs

    def place(self, number: int, labels: Sequence[int], *, part: int, attempt: int) -> Job | None:
        """Plan defects of the given classes on one image; None where they find no place together."""
        rng = streams.generator(self.settings.synthesize.seed, stream_of("job", part, attempt), number)
        for _ in range(SHAPES):
            shapes = [self._shape(rng, label) for label in labels]
            for passed in range(BASES_EACH):
                base = self.bases[int(rng.integers(len(self.bases)))]
                defects = self._place_all(rng, base, labels, shapes, passed=passed)
                if defects is not None:
                    seed = noise_seed(self.settings.synthesize.seed, number, part, attempt)
                    return Job(
                        number, base.position, base.region, defects, base.erased, part, attempt, seed,
                        truncation=self.settings.synthesize.truncation, style=self.style,
                    )  # fmt: skip
        return None

    def _shape(self, rng: Rng, label: int) -> Shape | Donor:
        """Draw a shape of a class, or defects to be moved; mirrored so that the class keeps its sides of the part."""
        if label in self.own_places:
            own = self.settings
            return draw_donor(self.prepared, self.places, rng, label, flip=own.data.flip, size=own.synthesize.size)

        def mirrors(mirror_rng: Rng, chosen: int) -> NDArray[np.float64]:
            x, y = (bool(value) for value in (mirror_rng.random(2) < 0.5) & self.settings.data.flip)
            flip_x, flip_y, _ = self.places.mirror(mirror_rng, label, chosen, x=x, y=y)
            return np.diag([-1.0 if flip_x else 1.0, -1.0 if flip_y else 1.0])

        kinds = self.settings.synthesize.shapes
        return draw_shape(
            self.prepared, self.source, rng, label, kinds=kinds, flip=self.settings.data.flip, mirrors=mirrors,
            size=self.settings.synthesize.size, among=self.siblings.of(self.prepared, label) if self.siblings else None,
        )  # fmt: skip

    def _place_all(
        self, rng: Rng, base: Base, labels: Sequence[int], shapes: Sequence[Shape | Donor], *, passed: int
    ) -> tuple[PlannedDefect, ...] | None:
        """Put shapes on a base; None where one finds no place. The more bases were passed, the less is asked of one."""
        if base.erased and any(
            self._erased_here(shape, label, base) for shape, label in zip(shapes, labels, strict=True)
        ):
            return None
        part = self.places.parts.full(self.prepared, base.position)
        allowed, room = self._allowed(base, part), self.places.room(part)
        placed = []
        for label, shape in zip(labels, shapes, strict=True):
            if isinstance(shape, Donor):
                defect = self._move(shape, base, allowed, passed=passed)
            else:
                defect = self._place(rng, label, shape, base, allowed, room, spanning=passed < SPANNING)
            if defect is None:
                return None
            strength = drawn_within(rng, self.settings.synthesize.strength)
            defect = defect if strength == 1 else replace(defect, strength=round(strength, 4))
            placed.append(self.siblings.vary(defect, rng) if self.siblings else defect)
        return tuple(placed)

    def _move(self, donor: Donor, base: Base, allowed: NDArray[np.bool_], *, passed: int) -> PlannedDefect | None:
        """Move defects to a base in their own place, and take it off what is allowed; None where they do not fit."""
        most = STRETCHES[passed * len(STRETCHES) // BASES_EACH]
        if stretch_of(self.prepared, donor, base.position) > most:
            return None
        defect = move(self.prepared, donor, base.position, base.region, allowed)
        if defect is not None:
            own = box(defect.rle)
            allowed[base.region.slices][own.slices] &= decode_box(defect.rle, own) == 0
        return defect

    def _place(
        self, rng: Rng, label: int, shape: Shape, base: Base, allowed: NDArray[np.bool_], room: Room, *, spanning: bool
    ) -> PlannedDefect | None:
        """Put a shape on a base, and take its place off what is allowed; None where it finds none."""
        left, top, width, height = base.region
        if spanning and not self.windows and not self.places.spans(shape.of, shape.mask, room):
            return None
        rows, columns = fit(rng, shape.mask, height=height, width=width)
        mask = shape.mask[rows, columns]
        inner = tight(mask)
        mask = mask[inner]
        at = self.places.find(rng, label, mask, allowed, room, near=self._near(shape), beside=shape.of)
        if at is None and self.windows:  # it may lie where the class does not: the window is all there is
            at = find_place(rng, mask, ~allowed[base.region.slices])
            at = None if at is None else (at[0] + left, at[1] + top)
        if at is None:
            return None
        x, y = at
        allowed[y : y + mask.shape[0], x : x + mask.shape[1]] &= mask == 0
        rle = place_mask(mask, left=x - left, top=y - top, height=height, width=width)
        shift = (x - left - columns.start - inner[1].start, y - top - rows.start - inner[0].start)
        contrast = round(contrast_of(self.prepared, self.prepared.objects[shape.of]), 4)
        return PlannedDefect(label, rle, shape.of, _moved(shape.warp, shift), contrast, shape.bend, shape.kind)

    def _erased_here(self, shape: Shape | Donor, label: int, base: Base) -> bool:
        """Tell whether a shape's object is one that was erased from the base, and the class has others elsewhere."""
        objects, members = self.prepared.objects, self.prepared.by_class[label]
        own = objects[shape.first if isinstance(shape, Donor) else shape.of].position == base.position
        return own and any(objects[k].position != base.position for k in members)

    def _near(self, shape: Shape) -> tuple[float, float]:
        """Return the place to propose: the object's own; at the other edge where it lay at one and was mirrored."""
        place = self.places.of[shape.of]
        x, y = (
            float(shape.near[axis] > 0.5) if place.edges[axis] != place.edges[axis + 2] else share
            for axis, share in enumerate((place.x, place.y))
        )
        return x, y

    def _allowed(self, base: Base, part: Mask) -> NDArray[np.bool_]:
        """Return where defects may lie on a base's image, bool [H, W]: in its region, on the part, in the ROI, in no dark.

        Never on what is void: nobody knows whether that is surface.
        """
        allowed = np.zeros(part.shape, bool)
        inside = base.region.slices
        allowed[inside] = part[inside] != 0
        void = void_of(self.prepared, base)
        if void is not None:
            allowed[inside] &= decode(void) == 0
        if not self.places.parts.used:
            allowed &= ~_dark(self.prepared, self.settings, base.position)
        roi = None if self.roi is None else self.roi.mask(base.position, *part.shape)
        return allowed if roi is None else allowed & roi

    def about(self) -> PlacesUsed:
        """Return how places are found, for the card."""
        parts, names = self.places.parts, self.prepared.dataset.names
        return PlacesUsed(
            parts_used=parts.used,
            parts=parts.says(names),
            own_places=[names[label] for label in sorted(self.own_places)] or None,
            roi=str(self.roi.path) if self.roi else None,
        )


def make_planner(
    prepared: Prepared, settings: Settings, counts: Sequence[int], *, source: ShapeSource, places: PlaceDensity, windows: bool,
    bases: str, roi: Roi | None = None, own_places: frozenset[int] = frozenset(), siblings: Siblings | None = None,
    style: tuple[tuple[str, float], ...] = (),
) -> Planner:  # fmt: skip
    """Find what can be drawn on, and see that there are shapes for what is asked.

    Args:
        counts: defects of each class that will be planned.
        windows: make windows of the training size instead of whole images.
        bases: what is drawn on: "clean" (defect-free), "erased" (images whose defects are erased) or "both".
        roi: where defects may go; images without a mask there are no bases.
        own_places: the classes that are moved in their own place (`Engine.own_places`).
        siblings: the objects that are varied, where only such are drawn.
        style: how far to go along the run's directions.

    Raises:
        DataError: there is nothing to draw on, or a class has no training object.
    """
    known = zip(prepared.dataset.names, prepared.by_class, counts, strict=True)
    missing = [name for name, members, count in known if count and not members]
    if missing:
        some = [name for name, members in zip(prepared.dataset.names, prepared.by_class, strict=True) if members]
        raise DataError(
            f"There is no training object of: {', '.join(missing)}.",
            remedy=f"Import more images of it, or leave it out: --per-class {','.join(f'{name}=500' for name in some)}",
        )
    usable = find_bases(prepared, kind=bases, windows=windows)
    if roi is not None:
        inside = [base for base in usable if roi.has(base.position)]
        if not inside:
            raise DataError(
                f"{roi.path} holds a mask for none of the {len(usable):,} images that could be drawn on.",
                remedy="Draw masks for defect-free training images, or use other --bases.",
            )
        usable = inside
    return Planner(
        prepared=prepared, settings=settings, bases=usable, windows=windows, source=source, places=places, roi=roi,
        own_places=own_places, siblings=siblings, style=style,
    )  # fmt: skip


def plan_all(planner: Planner, counts: Sequence[int], together: Together) -> Iterator[Job]:
    """Yield the first try of every image: so many defects of each class, in the order of the images' numbers."""
    for number, labels in enumerate(share_out(counts, together, seed=planner.settings.synthesize.seed), start=1):
        yield from planner.plan(number, labels)


def _moved(warp: tuple[float, ...], shift: tuple[int, int]) -> tuple[float, ...]:
    """Shift where a warp leads to; () stays ()."""
    if not warp:
        return ()
    matrix = np.array(warp).reshape(2, 3)
    matrix[:, 2] += shift
    return tuple(matrix.ravel().tolist())


def _dark(prepared: Prepared, settings: Settings, base: int) -> NDArray[np.bool_]:
    """Mark the nearly black pixels of an image, at full size: no defect is put there."""
    record, image = prepared.dataset[base], prepared.cache[base]
    dark = (image if image.ndim == 2 else image.max(axis=2)) < settings.data.blank_level
    if dark.mean() <= 0.02:
        return np.zeros((record.height, record.width), bool)
    return full_size(dark.astype(np.uint8), height=record.height, width=record.width) != 0
