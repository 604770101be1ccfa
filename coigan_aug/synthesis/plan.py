"""The plan: which defects go where on which image. Every image's share of it can be made by itself, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Box, Mask, box, decode_box
from coigan_aug.annotations.rle import place as place_mask
from coigan_aug.compose.augment import Transform, apply, draw_transform, matrix_of, tight
from coigan_aug.compose.placement import find_place, fit
from coigan_aug.errors import DataError
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.synthesis.bases import Base, find_bases
from coigan_aug.synthesis.counting import Together, share_out
from coigan_aug.synthesis.job import Job, PlannedDefect, noise_seed, stream_of

ATTEMPTS = 40


@dataclass(frozen=True, kw_only=True)
class Planner:
    """What jobs are planned with. A job depends on it, its number, part and attempt, and the classes of its defects."""

    prepared: Prepared
    settings: Settings
    bases: Sequence[Base]
    windows: bool

    def plan(self, number: int, labels: Sequence[int], *, attempt: int = 0) -> list[Job]:
        """Plan an image with defects of the given classes; defects that find no place together go on several.

        Shapes come from training objects of the class, mirrored, turned and rescaled; a shape that lies at an edge of
        its image keeps to that edge.

        Raises:
            DataError: a defect fits nowhere even alone.
        """
        waiting, jobs = [tuple(labels)], list[Job]()
        while waiting:
            own = waiting.pop(0)
            job = self.place(number, own, part=len(jobs), attempt=attempt)
            if job is not None:
                jobs.append(job)
            elif len(own) > 1:
                waiting[:0] = [own[:-1], own[-1:]]
            else:
                raise DataError(
                    f"No place was found for a {self.prepared.dataset.names[own[0]]} on {ATTEMPTS} images.",
                    remedy="Make its shapes smaller: --set synthesize.scale_range=[0.5,1]",
                )
        return jobs

    def place(self, number: int, labels: Sequence[int], *, part: int, attempt: int) -> Job | None:
        """Plan defects of the given classes on one image; None where they find no place together."""
        rng = streams.generator(self.settings.synthesize.seed, stream_of("job", part, attempt), number)
        for _ in range(ATTEMPTS):
            base = self.bases[int(rng.integers(len(self.bases)))]
            defects = _place_all(self.prepared, self.settings, rng, base, labels, free=self.windows)
            if defects is not None:
                seed = noise_seed(self.settings.synthesize.seed, number, part, attempt)
                return Job(number, base.position, base.region, defects, base.erased, part, attempt, seed)
        return None

    def about(self) -> dict[str, Any]:
        """Return how places are found, for the card."""
        return {}


def make_planner(
    prepared: Prepared, settings: Settings, counts: Sequence[int], *, windows: bool, bases: str
) -> Planner:
    """Find what can be drawn on, and see that there are shapes for what is asked.

    Args:
        counts: defects of each class that will be planned.
        windows: make windows of the training size instead of whole images.
        bases: what is drawn on: "clean" (defect-free), "erased" (images whose defects are erased) or "both".

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
    return Planner(prepared=prepared, settings=settings, bases=usable, windows=windows)


def plan_all(planner: Planner, counts: Sequence[int], together: Together) -> Iterator[Job]:
    """Yield the first try of every image: so many defects of each class, in the order of the images' numbers."""
    for number, labels in enumerate(share_out(counts, together, seed=planner.settings.synthesize.seed), start=1):
        yield from planner.plan(number, labels)


def _place_all(
    prepared: Prepared,
    settings: Settings,
    rng: np.random.Generator,
    base: Base,
    labels: Sequence[int],
    *,
    free: bool,
) -> tuple[PlannedDefect, ...] | None:
    region = base.region
    blocked = _dark(prepared, settings, base.position, region)
    placed = []
    for label in labels:
        members = _members(prepared, label, base)
        chosen = members[int(rng.integers(len(members)))]
        item = prepared.objects[chosen]
        mask, near, warp = _shape(prepared, settings, rng, item)
        rows, columns = fit(rng, mask, height=region[3], width=region[2])
        mask = mask[rows, columns]
        at = find_place(rng, mask, blocked, near=None if free else near)
        if at is None:
            return None
        left, top = at
        blocked[top : top + mask.shape[0], left : left + mask.shape[1]] |= mask != 0
        rle = place_mask(mask, left=left, top=top, height=region[3], width=region[2])
        warp[:, 2] += (left - columns.start, top - rows.start)
        contrast = round(contrast_of(prepared, item), 4)
        placed.append(PlannedDefect(label, rle, chosen, tuple(warp.ravel().tolist()), contrast))
    return tuple(placed)


def _members(prepared: Prepared, label: int, base: Base) -> list[int]:
    """Return the objects of a class to take a shape from; not those that were erased from the base, if there are others."""
    members = prepared.by_class[label]
    others = [k for k in members if prepared.objects[k].position != base.position] if base.erased else members
    return others or members


def _dark(prepared: Prepared, settings: Settings, base: int, region: Box) -> NDArray[np.bool_]:
    """Mark the nearly black pixels of a region (full-size px): no defect is put there."""
    left, top, width, height = region
    image = prepared.cache[base]
    rows = np.minimum(((np.arange(top, top + height) + 0.5) * prepared.scale).astype(int), image.shape[0] - 1)
    columns = np.minimum(((np.arange(left, left + width) + 0.5) * prepared.scale).astype(int), image.shape[1] - 1)
    dark = (image if image.ndim == 2 else image.max(axis=2)) < settings.data.blank_level
    return np.asarray(dark[rows[:, None], columns[None, :]]) if dark.mean() > 0.02 else np.zeros((height, width), bool)


def _shape(
    prepared: Prepared, settings: Settings, rng: np.random.Generator, item: DefectObject
) -> tuple[Mask, tuple[float, float], NDArray[np.float64]]:
    """Transform a training object's full-size mask; return it tight, where it lay, and the matrix from its image to it.

    Where it lay: shares of the free room, x and y.
    """
    record = prepared.dataset[item.position]
    left, top, width, height = box(item.full)
    near = [_share(left, width, record.width), _share(top, height, record.height)]
    made = settings.synthesize
    transform = draw_transform(
        rng, probability=made.augment, rotate=made.rotate, scale_range=made.scale_range, flip=settings.data.flip
    )
    if 0.0 in near or 1.0 in near:
        transform = Transform(flip_x=transform.flip_x, flip_y=transform.flip_y)
    mask = decode_box(item.full, (left, top, width, height))
    _, turned = apply(transform, mask, mask)
    for axis, flipped in enumerate((transform.flip_x, transform.flip_y)):
        near[axis] = 1 - near[axis] if flipped else near[axis]
    rows, columns = tight(turned)
    warp = matrix_of(transform, height=height, width=width)
    warp[:, 2] -= warp[:, :2] @ (left, top) + (columns.start, rows.start)
    return turned[rows, columns], (near[0], near[1]), warp


def _share(start: int, length: int, room: int) -> float:
    """Return where an extent lies in the room it has: 0 at the near edge, 1 at the far one, 0.5 where it fills all."""
    free = room - length
    return start / free if free > 0 else 0.5
