"""The plan: which defects go where on which image. Jobs are plain values; nothing is drawn yet."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Box, Mask, Rle, box, decode_box
from coigan_aug.annotations.rle import place as place_mask
from coigan_aug.compose.augment import Transform, apply, draw_transform, matrix_of, tight
from coigan_aug.compose.placement import find_place, fit
from coigan_aug.errors import DataError, UsageError
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings, SynthesizeSettings
from coigan_aug.synthesis.bases import Base, find_bases

ATTEMPTS = 40


@dataclass(frozen=True, slots=True)
class PlannedDefect:
    """One defect to draw: its class (by position), its mask in the image to make, the training object it is shaped after.

    `warp` is the 2 x 3 matrix, row by row, that takes (x, y, 1) in that object's image to the image to make, full-size
    px: what the shape went through, and an engine that copies pixels does too. `contrast` is how much brighter or darker
    than its surroundings it is to be, a ratio less 1: that object's own.
    """

    label: int
    rle: Rle
    shape_of: int
    warp: tuple[float, ...]
    contrast: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """One image to make: the training record it is based on, the part of it (left, top, width, height), the defects.

    `erased`: the record's own defects are erased first.
    """

    number: int
    base: int
    region: Box
    defects: tuple[PlannedDefect, ...]
    erased: bool = False


def base_of(job: Job) -> Base:
    """Return what a job is drawn on."""
    return Base(job.base, job.region, job.erased)


def make_plan(
    prepared: Prepared, settings: Settings, *, per_class: int, windows: bool, bases: str = "clean"
) -> Iterator[Job]:
    """Plan `per_class` defects of every class on training images, several on one as the settings say.

    Job n depends on the settings' seed, the counts and n alone. Shapes come from training objects of the class,
    mirrored, turned and rescaled; a shape that lies at an edge of its image keeps to that edge. Defects that find no
    place together on one image go on two.

    Args:
        windows: make windows of the training size instead of whole images.
        bases: what is drawn on: "clean" (defect-free), "erased" (images whose defects are erased) or "both".

    Raises:
        DataError: there is nothing to draw on, a class has no training object, or nothing fits anywhere.
    """
    missing = [name for name, members in zip(prepared.dataset.names, prepared.by_class, strict=True) if not members]
    if missing:
        raise DataError(f"There is no training object of: {', '.join(missing)}.", remedy="Import more images of it.")
    usable = find_bases(prepared, kind=bases, windows=windows)
    waiting, number = deque(_share_out(settings.synthesize, per_class, prepared.classes)), 0
    while waiting:
        labels = waiting.popleft()
        job = _plan_job(prepared, settings, usable, number, labels, free=windows)
        if job is not None:
            number += 1
            yield job
        elif len(labels) > 1:
            waiting.extendleft((labels[-1:], labels[:-1]))
        else:
            raise DataError(
                f"No place was found for a {prepared.dataset.names[labels[0]]} on {ATTEMPTS} images.",
                remedy="Make its shapes smaller: --set synthesize.scale_range=[0.5,1]",
            )


def plan_hash(jobs: Sequence[Job]) -> str:
    """Return the SHA-256 of a plan."""
    total = hashlib.sha256()
    for job in jobs:
        total.update(json.dumps(asdict(job), sort_keys=True).encode())
    return total.hexdigest()


def _share_out(settings: SynthesizeSettings, per_class: int, classes: int) -> Iterator[list[int]]:
    """Shuffle per_class defects of each class and cut the row into images with 1, 2, ... defects."""
    if per_class < 1:
        raise UsageError(f"--per-class {per_class}: at least 1.")
    rng = streams.generator(settings.seed, "plan")
    row = rng.permutation(np.repeat(np.arange(classes), per_class)).tolist()
    weights = np.array((0.0, *settings.defects[1:]))
    while row:
        count = min(int(rng.choice(len(weights), p=weights / weights.sum())), len(row))
        yield row[:count]
        row = row[count:]


def _plan_job(
    prepared: Prepared,
    settings: Settings,
    bases: Sequence[Base],
    number: int,
    labels: Sequence[int],
    *,
    free: bool,
) -> Job | None:
    rng = streams.generator(settings.synthesize.seed, "job", number)
    for _ in range(ATTEMPTS):
        base = bases[int(rng.integers(len(bases)))]
        defects = _place_all(prepared, settings, rng, base, labels, free=free)
        if defects is not None:
            return Job(number, base.position, base.region, defects, base.erased)
    return None


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
