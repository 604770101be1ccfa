"""Objects: the 8-connected components of the masks, one by one, at the working scale; metadata only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from coigan_aug.annotations import masks, rle
from coigan_aug.annotations.batches import extents, from_pieces_many, regions
from coigan_aug.annotations.components import split_many
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.geometry import Box
from coigan_aug.store.dataset import Dataset

LARGE = 1 << 24
"""Pixels of an image from which on its masks are made smaller in windows: below, all at once is as fast."""
_BATCH = 100_000  # characters of run lengths whose components are looked for at once
SMALLEST_CROP = 32  # px: least side of the square in which an object is looked at


@dataclass(frozen=True, slots=True)
class DefectObject:
    """One defect: the record it is in, its class (by position), its mask at full and at working size.

    `box` is that of the scaled mask in the scaled image, px.
    """

    position: int
    label: int
    full: rle.Rle
    scaled: rle.Rle
    box: Box


def scaled_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return an image's height and width at the working scale, at least 1 px each."""
    return max(round(height * scale), 1), max(round(width * scale), 1)


def find_objects(dataset: Dataset, positions: Iterable[int], *, scale: float) -> list[DefectObject]:
    """List the objects of the records at `positions`, in their order, then by class, then by first pixel."""
    records = ((k, dataset[k]) for k in positions)
    return [item for found in objects_of_all(records, names=dataset.names, scale=scale) for item in found]


def objects_of(record: ImageRecord, position: int, *, names: Sequence[str], scale: float) -> list[DefectObject]:
    """List the objects of a record, by class (`names` in their order), then by first pixel."""
    return next(objects_of_all([(position, record)], names=names, scale=scale))


def objects_of_all(
    records: Iterable[tuple[int, ImageRecord]], *, names: Sequence[str], scale: float
) -> Iterator[list[DefectObject]]:
    """Yield the objects of each of many records (position, record), as `objects_of` does; memory stays bounded."""
    batch: list[tuple[int, ImageRecord]] = []
    size = 0
    for position, record in records:
        batch.append((position, record))
        size += sum(len(annotation.rle.counts) for annotation in record.annotations)
        if size > _BATCH:
            yield from _objects(batch, names, scale)
            batch, size = [], 0
    yield from _objects(batch, names, scale)


def _objects(
    records: Sequence[tuple[int, ImageRecord]], names: Sequence[str], scale: float
) -> Iterator[list[DefectObject]]:
    whole = [_by_class(record, names) for _, record in records]
    parts = iter(split_many([mask for by_class in whole for _, mask in by_class]))
    for (position, _), by_class in zip(records, whole, strict=True):
        own = [(label, part) for label, _ in by_class for part in next(parts)]
        full = [part for _, part in own]
        small = full if scale == 1 else shrink_masks(full, scale)
        boxes = [box for _, box in extents(small)]
        rows = zip(own, small, boxes, strict=True)
        yield [DefectObject(position, label, part, shown, box) for (label, part), shown, box in rows]


def _by_class(record: ImageRecord, names: Sequence[str]) -> list[tuple[int, rle.Rle]]:
    """Return the union of a record's masks of each class that it has: the class by position, and the mask."""
    masks = [[annotation.rle for annotation in record.annotations if annotation.label == name] for name in names]
    return [(label, own[0] if len(own) == 1 else rle.union(own)) for label, own in enumerate(masks) if own]


def shrink_masks(full: Sequence[rle.Rle], scale: float) -> list[rle.Rle]:
    """Make masks of one image smaller, each as if it were alone (`masks.resize`).

    Of an image that is not large, those that lie apart are made smaller together; of a large one each in a window round it.
    """
    if not full:
        return []
    before = full[0].height, full[0].width
    after = scaled_size(*before, scale)
    if before[0] * before[1] > LARGE and scale < 1:
        return [_in_window(mask, *after) for mask in full]
    painted = list(regions(full))
    windows = [_shrunk(Box(left, top, *mask.shape[::-1]), before, after) for left, top, mask in painted]
    pieces = [_shrink_together(painted, windows, members, before, after) for members in _apart(windows, after)]
    starts, ends, owner = (np.concatenate(columns) for columns in zip(*pieces, strict=True))
    return from_pieces_many([after] * len(full), starts, ends, owner)


def _shrunk(box: Box, before: tuple[int, int], after: tuple[int, int]) -> Box:
    """Return a box of a smaller picture that holds all that a box comes to lie on."""
    down, across = after[0] / before[0], after[1] / before[1]
    left, top = math.floor(box.left * across), math.floor(box.top * down)
    right, bottom = math.ceil(box.right * across), math.ceil(box.bottom * down)
    return Box(left, top, right - left, bottom - top).grow(1).clip(after)


def _apart(windows: Sequence[Box], shape: tuple[int, int]) -> list[list[int]]:
    """Deal windows out to lists in which none touches another; return their positions."""
    taken, members = list[rle.Mask](), list[list[int]]()
    for k, window in enumerate(windows):
        around = window.grow(1).clip(shape).slices
        free = next((n for n, layer in enumerate(taken) if not layer[around].any()), len(taken))
        if free == len(taken):
            taken.append(np.zeros(shape, np.uint8))
            members.append([])
        taken[free][window.slices] = 1
        members[free].append(k)
    return members


def _shrink_together(
    painted: Sequence[tuple[int, int, rle.Mask]], windows: Sequence[Box], members: Sequence[int],
    before: tuple[int, int], after: tuple[int, int],
) -> tuple[rle.Runs, rle.Runs, rle.Runs]:  # fmt: skip
    """Make masks smaller whose windows in the smaller picture do not touch.

    Args:
        painted: all masks: left, top and pixels [h, w].
        windows: where each may lie in the smaller picture.
        members: which of them are meant.

    Returns:
        half-open intervals of column-major pixel numbers of the smaller picture, and the mask each belongs to.
    """
    picture = np.zeros(before, np.uint8)
    for left, top, mask in (painted[k] for k in members):
        picture[top : top + mask.shape[0], left : left + mask.shape[1]] |= mask
    shares = masks.shares(picture, height=after[0], width=after[1])
    stride = after[0] + 1  # a free row parts the columns
    columns, owner = np.zeros((after[1], stride), np.uint8), np.zeros((after[1], stride), np.int64)
    for k in members:
        rows, own = windows[k].slices
        columns[own, rows] = masks.covered(shares[rows, own]).T
        owner[own, rows] = k
    flat = np.append(0, columns.ravel())
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = edges[0::2], edges[1::2]
    free = starts // stride
    return starts - free, ends - free, owner.ravel()[starts]


def _in_window(part: rle.Rle, height: int, width: int) -> rle.Rle:
    """Make a mask smaller in a window round it, as if all of it were made smaller."""
    item = rle.box(part)
    top, bottom, small_top, small_bottom = _window(item.top, item.bottom, part.height, height)
    left, right, small_left, small_right = _window(item.left, item.right, part.width, width)
    seen = rle.decode_box(part, Box(left, top, right - left, bottom - top))
    shown = masks.resize(seen, height=small_bottom - small_top, width=small_right - small_left)
    return rle.place(shown, left=small_left, top=small_top, height=height, width=width)


def _window(start: int, end: int, before: int, after: int) -> tuple[int, int, int, int]:
    """Widen an extent of a side that shrinks from `before` to `after` px so that its ends lie between pixels of both.

    Returns:
        where it starts and ends before, and after: shrunk alone, it comes out as it does in the whole.

    >>> _window(5, 7, 100, 50), _window(5, 7, 99, 33), _window(5, 7, 99, 50)
    ((4, 8, 2, 4), (3, 9, 1, 3), (0, 99, 0, 50))
    """
    common = math.gcd(before, after)
    step, small = before // common, after // common
    first, last = start // step, -(-end // step)
    return first * step, last * step, first * small, last * small


def scaled_void(record: ImageRecord, scale: float) -> rle.Rle | None:
    """Return an image's void at the working scale: each pixel that some of it lies in; None where there is none."""
    if record.void is None or scale == 1:
        return record.void
    height, width = scaled_size(record.height, record.width, scale)
    return rle.encode(masks.cover(rle.decode(record.void), height=height, width=width))


def window_masks(objects: Iterable[DefectObject], region: Box, *, classes: int) -> rle.Mask:
    """Draw the scaled masks of one image's objects inside a region: uint8 [K, h, w]."""
    out = np.zeros((classes, region.height, region.width), np.uint8)
    for item in objects:
        if item.box.meets(region):
            inner = item.box.seen_from(region).clip((region.height, region.width))
            held = Box(inner.left + region.left, inner.top + region.top, inner.width, inner.height)
            out[item.label][inner.slices] |= rle.decode_box(item.scaled, held)
    return out
