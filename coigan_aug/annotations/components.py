"""The 8-connected components of masks: of one, split; of many at once, counted and measured on their runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.batches import from_pieces_many, intervals_many
from coigan_aug.annotations.rle import Rle, Runs

_BATCH = 100_000


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
    return split_many([rle])[0]


def split_many(masks: Sequence[Rle]) -> list[list[Rle]]:
    """Split masks into their 8-connected components, as `split_components` does, all at once.

    No pixel is painted: memory and time grow with the runs, not with the images.
    """
    if not masks:
        return []
    stride = max(mask.height for mask in masks) + 2
    first, last, owner = _column_runs(masks, stride)
    roots, components = np.unique(_join(len(first), *_neighbours(first, last, stride)), return_inverse=True)
    base = _first_columns(masks)[owner]
    column = first // stride - base
    shift = (base + column) * stride - column * np.array([mask.height for mask in masks])[owner]
    owners = owner[roots]
    sizes = [(masks[k].height, masks[k].width) for k in owners.tolist()]
    parts = from_pieces_many(sizes, first - shift, last - shift, components)
    bounds = [0, *np.searchsorted(owners, np.arange(1, len(masks) + 1)).tolist()]
    return [parts[start:end] for start, end in pairwise(bounds)]


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
    base = _first_columns(masks)[owner]
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


def _first_columns(masks: Sequence[Rle]) -> Runs:
    """Return in which column each mask begins where all lie side by side, a free column between."""
    return np.cumsum([0] + [mask.width + 1 for mask in masks[:-1]])


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
