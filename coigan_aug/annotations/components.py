"""The 8-connected components of masks: of one, split; of many at once, counted and measured on their runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.batches import intervals_many
from coigan_aug.annotations.rle import Rle, Runs, box, canonical, decode_box, from_intervals, place, runs

_BATCH = 100_000
_LARGE = 1 << 22  # pixels of a box from which on its components are found without painting it


def component_areas(masks: Iterable[Rle]) -> Iterator[NDArray[np.int64]]:
    """Yield for each mask the areas of its 8-connected components, pixels, in the order of their first pixels.

    Memory stays bounded however many masks there are.
    """
    batch: list[Rle] = []
    size = 0
    for mask in masks:
        batch.append(mask)
        size += len(mask.counts)
        if size > _BATCH:
            yield from _areas(batch)
            batch, size = [], 0
    yield from _areas(batch)


def split_components(rle: Rle) -> list[Rle]:
    """Split a mask into its 8-connected components, in the order of their first column-major pixel."""
    import cv2  # here: who counts components does without, and loading it takes longer than the work

    bounds = box(rle)
    if bounds.width == 0:
        return []
    if bounds.width * bounds.height > _LARGE:
        return split_runs(rle)
    mask = np.ascontiguousarray(decode_box(rle, bounds))
    number, labels = cv2.connectedComponents(mask, connectivity=8)
    if number == 2:
        return [canonical(rle)]
    parts = [
        place(labels == k, left=bounds.left, top=bounds.top, height=rle.height, width=rle.width)
        for k in range(1, number)
    ]
    return sorted(parts, key=lambda part: int(runs(part)[0]))


def split_runs(rle: Rle) -> list[Rle]:
    """Split a mask that is not empty into its 8-connected components, in the order of their first column-major pixel.

    No pixel is painted: memory and time grow with the runs, not with the image.
    """
    height, width, stride = rle.height, rle.width, rle.height + 2
    first, last, _ = _column_runs([rle], stride)
    roots = _join(len(first), *_neighbours(first, last, stride))
    order = np.argsort(roots, kind="stable")
    free = 2 * (first // stride)  # the two rows that part a column from the next
    cuts = np.flatnonzero(np.diff(roots[order])) + 1
    starts, ends = np.split((first - free)[order], cuts), np.split((last - free)[order], cuts)
    return [from_intervals(height, width, *parts) for parts in zip(starts, ends, strict=True)]


def _areas(masks: Sequence[Rle]) -> list[NDArray[np.int64]]:
    if not masks:
        return []
    stride = max(mask.height for mask in masks) + 2
    first, last, owner = _column_runs(masks, stride)
    roots = _join(len(first), *_neighbours(first, last, stride))
    sums = np.bincount(roots, weights=last - first, minlength=len(first)).astype(np.int64)
    filled = np.flatnonzero(sums)
    bounds = np.searchsorted(owner[filled], np.arange(1, len(masks)))
    return np.split(sums[filled], bounds)


def _column_runs(masks: Sequence[Rle], stride: int) -> tuple[Runs, Runs, Runs]:
    """Lay all masks side by side, a free column between, and return their runs cut at the columns' ends.

    A pixel's number is column * stride + row, so that two free rows part the columns. Returns the runs as
    half-open intervals, ascending, and the mask each belongs to.
    """
    starts, ends, owner = intervals_many(masks)
    height = np.array([max(mask.height, 1) for mask in masks])[owner]
    base = np.cumsum([0] + [mask.width + 1 for mask in masks[:-1]])[owner]
    left = starts // height
    columns = (ends - 1) // height - left + 1
    if len(columns) == 0 or int(columns.max()) == 1:
        shift = (base + left) * stride - left * height
        return starts + shift, ends + shift, owner
    step = np.arange(int(columns.sum())) - np.repeat(np.cumsum(columns) - columns, columns)
    starts, ends, height, base, left, owner = (
        np.repeat(values, columns) for values in (starts, ends, height, base, left, owner)
    )
    column = left + step
    shift = (base + column) * stride - column * height
    first = np.maximum(starts, column * height) + shift
    last = np.minimum(ends, (column + 1) * height) + shift
    return first, last, owner


def _neighbours(first: Runs, last: Runs, stride: int) -> tuple[Runs, Runs]:
    """Return the pairs of runs that touch, corners included, across neighbouring columns."""
    low = np.searchsorted(last, first + stride, side="left")
    high = np.searchsorted(first, last + stride, side="right")
    number = np.maximum(high - low, 0)
    here = np.repeat(np.arange(len(first)), number)
    there = np.arange(len(here)) - np.repeat(np.cumsum(number) - number, number) + np.repeat(low, number)
    return here, there


def _join(count: int, here: Runs, there: Runs) -> Runs:
    """Return for each of `count` nodes the smallest node that the pairs connect it with."""
    root = np.arange(count)
    while len(here):
        a, b = root[here], root[there]
        open_pairs = a != b
        here, there, a, b = here[open_pairs], there[open_pairs], a[open_pairs], b[open_pairs]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while True:
            further = root[root]
            if (further == root).all():
                break
            root = further
    return root
