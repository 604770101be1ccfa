"""Many masks at once: the same as the functions of `rle` for one, without dozens of NumPy calls for each mask.

Strings of masks are trusted here: they come from this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.annotations.rle import Mask, Rle, Runs, compress, joined
from coigan_aug.geometry import Box

Outcome = TypeVar("Outcome")
_BATCH = 50_000  # characters of run lengths: what the numbers of stay in a processor's cache
_RECORDS, _RECORD = 100_000, 1_000  # the same for records, each of which counts for some characters itself
# glibc hands freed blocks of more than 128 KiB back to the system, so every batch would fetch its pages anew, in twice the
# time. It keeps blocks that are no larger than the largest one it has seen freed, and as many as are twice that.
np.empty(1 << 22, np.uint8)


def from_intervals_many(sizes: Sequence[tuple[int, int]], starts: Runs, ends: Runs, count: Runs) -> list[Rle]:
    """Make masks of (height, width) from half-open intervals of column-major pixel numbers, mask after mask.

    Args:
        starts: where the intervals begin; each mask's are ascending, not empty, and do not touch.
        ends: where they end.
        count: how many intervals each mask has.

    Raises:
        ValueError: intervals are not as said, or leave their image.
    """
    if not sizes:
        return []
    pixels = np.array([height * width for height, width in sizes], np.int64)
    owner = np.repeat(np.arange(len(sizes)), count)
    some, last = count > 0, np.cumsum(count) - 1
    zeros = starts.copy()
    zeros[1:] -= ends[:-1]
    begins = last[some] + 1 - count[some]
    zeros[begins] = starts[begins]
    behind = pixels.copy()
    behind[some] -= ends[last[some]]
    first = 2 * (last + 1 - count) + np.arange(len(sizes))
    runs = np.empty(2 * len(owner) + len(sizes), np.int64)
    at = 2 * np.arange(len(owner)) + owner
    runs[at], runs[at + 1], runs[first + 2 * count] = zeros, ends - starts, behind
    zeros[begins] += 1  # a mask may begin with the first pixel
    if (len(zeros) and min(zeros.min(), runs[at + 1].min()) < 1) or behind.min() < 0 or pixels.max() >= 1 << 39:
        raise ValueError("intervals are out of order, touch, are empty or leave their image")
    full = np.flatnonzero(some & (behind == 0))
    if len(full):  # a mask that ends with the last pixel: no zeros behind
        runs = np.delete(runs, (first + 2 * count)[full])
        first -= np.searchsorted(full, np.arange(len(sizes)))
    text, stops = compress(runs, first)
    bounds = [0, *stops.tolist()]
    return [Rle(*size, text[i:j]) for size, i, j in zip(sizes, bounds, bounds[1:], strict=False)]


def from_pieces_many(sizes: Sequence[tuple[int, int]], starts: Runs, ends: Runs, owner: Runs) -> list[Rle]:
    """Make masks of (height, width) from half-open intervals of column-major pixel numbers, which may touch.

    Args:
        starts: where the intervals begin, each mask's ascending and apart from each other; the masks in any order.
        ends: where they end.
        owner: which mask each interval belongs to.

    Raises:
        ValueError: intervals are not as said, or leave their image.
    """
    order = np.argsort(owner, kind="stable")
    starts, ends, owner = starts[order], ends[order], owner[order]
    begins = np.ones(len(owner), bool)
    begins[1:] = (starts[1:] != ends[:-1]) | (owner[1:] != owner[:-1])
    lasts = np.append(begins[1:], True)[: len(owner)]
    count = np.bincount(owner[begins], minlength=len(sizes))
    return from_intervals_many(sizes, starts[begins], ends[lasts], count)


def intervals_many(masks: Sequence[Rle]) -> tuple[Runs, Runs, Runs]:
    """Return the runs of masks as half-open intervals of column-major pixel numbers, and the mask each belongs to."""
    edges, count = _edges(masks)
    return edges[0::2], edges[1::2], np.repeat(np.arange(len(masks)), count)


def _edges(masks: Sequence[Rle]) -> tuple[Runs, Runs]:
    """Return where each mask's runs of ones begin and end by turns, mask after mask, and how many runs each has."""
    if not masks:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    numbers, ends = joined("".join(mask.counts for mask in masks).encode("ascii"))
    stops = np.searchsorted(ends, np.cumsum([len(mask.counts) for mask in masks]) - 1) + 1
    lengths = np.diff(stops, prepend=0)
    pairs = lengths // 2
    if (odd := lengths % 2 == 1).any():  # zeros to the end of the image: nothing is behind them
        numbers = np.delete(numbers, stops[odd] - 1)
    first = 2 * (np.cumsum(pairs) - pairs)[pairs > 0]
    _undo_differences(numbers, first, pairs[pairs > 0])
    _begin_anew(numbers, first)
    return np.cumsum(numbers), pairs


def _undo_differences(numbers: Runs, first: Runs, pairs: Runs) -> None:
    """Make run lengths of what COCO's string holds: from a mask's fourth number on, differences to the run two before.

    Args:
        numbers: pairs (zeros, ones) of the masks, changed in place.
        first: where each mask begins in `numbers`.
        pairs: how many pairs it has, at least 1.
    """
    third = first[pairs > 1] + 2
    numbers[third] -= numbers[third - 2]
    columns = numbers.reshape(-1, 2)
    if len(first) > 1:
        columns[first[1:] // 2] -= np.add.reduceat(columns, first // 2, axis=0)[:-1]
    np.cumsum(columns, axis=0, out=columns)


def _begin_anew(numbers: Runs, first: Runs) -> None:
    """Take off each mask's beginning what the mask before it sums up to, so that one sum over all begins at 0 there."""
    if len(first) > 1:
        numbers[first[1:]] -= np.add.reduceat(numbers, first)[:-1]


def in_batches(masks: Iterable[Rle]) -> Iterator[list[Rle]]:
    """Part masks into lists that are worth working on at once, and bounded in memory."""
    batch: list[Rle] = []
    size = 0
    for mask in masks:
        batch.append(mask)
        size += len(mask.counts)
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def of_records(
    records: Iterable[ImageRecord], work: Callable[[Sequence[Rle]], Iterable[Outcome]]
) -> Iterator[tuple[ImageRecord, list[Outcome]]]:
    """Do `work` on the masks of many records at once; yield each record with what came of its masks, in their order."""
    for batch in _record_batches(records):
        results = iter(work([annotation.rle for record in batch for annotation in record.annotations]))
        for record in batch:
            yield record, [next(results) for _ in record.annotations]


def _record_batches(records: Iterable[ImageRecord]) -> Iterator[list[ImageRecord]]:
    batch: list[ImageRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += _RECORD + sum(len(annotation.rle.counts) for annotation in record.annotations)
        if size > _RECORDS:
            yield batch
            batch, size = [], 0
    yield batch


def extents(masks: Sequence[Rle]) -> list[tuple[int, Box]]:
    """Return each mask's area in pixels and tight box, as `rle.area` and `rle.box` do."""
    return _extents(masks, *_edges(masks))


def _extents(masks: Sequence[Rle], edges: Runs, count: Runs) -> list[tuple[int, Box]]:
    areas_and_boxes: list[tuple[int, Box]] = [(0, Box(0, 0, 0, 0))] * len(masks)
    if len(edges) == 0:
        return areas_and_boxes
    some = np.flatnonzero(count)
    first = (np.cumsum(count) - count)[some]
    height = _heights(masks, count)
    starts, lasts = edges[0::2], edges[1::2] - 1
    left, right = starts // height, lasts // height
    top, bottom = starts - left * height, lasts - right * height
    wraps = left != right
    if wraps.any():
        top[wraps], bottom[wraps] = 0, np.broadcast_to(height - 1, wraps.shape)[wraps]
    areas = np.add.reduceat(lasts - starts, first) + count[some]
    tops, bottoms = np.minimum.reduceat(top, first), np.maximum.reduceat(bottom, first)
    lefts, rights = left[first], right[first + count[some] - 1]
    columns = (some, areas, lefts, tops, rights - lefts + 1, bottoms - tops + 1)
    for k, area, x, y, w, h in zip(*(column.tolist() for column in columns), strict=True):
        areas_and_boxes[k] = (area, Box(x, y, w, h))
    return areas_and_boxes


def _heights(masks: Sequence[Rle], count: Runs) -> Runs:
    """Return the image's height for each run; one number where all have the same, which is faster to divide by."""
    heights = np.array([mask.height for mask in masks])
    return heights[:1] if (heights == heights[0]).all() else np.repeat(heights, count)


def decode_many(masks: Iterable[Rle]) -> Iterator[Mask]:
    """Decode masks one after the other, as `rle.decode` does: uint8 [H, W] of 0 and 1 (column-major in memory)."""
    for batch in in_batches(masks):
        for mask, at, runs, values in _each(batch, *_edges(batch)):
            columns = np.zeros(mask.width * mask.height, np.uint8)
            if at >= 0:
                part = np.repeat(values, runs)
                columns[at : at + len(part)] = part
            yield columns.reshape(mask.width, mask.height).T


def regions(masks: Sequence[Rle]) -> Iterator[tuple[int, int, Mask]]:
    """Decode only the tight box of each mask: its left and top, and uint8 [h, w]; [0, 0] for an empty mask."""
    edges, count = _edges(masks)
    areas_and_boxes = _extents(masks, edges, count)
    for (mask, at, runs, values), (_, (left, top, width, height)) in zip(
        _each(masks, edges, count), areas_and_boxes, strict=True
    ):
        columns = np.zeros(width * mask.height, np.uint8)
        if at >= 0:
            part, begin = np.repeat(values, runs), at - left * mask.height
            columns[begin : begin + len(part)] = part
        yield left, top, columns.reshape(width, mask.height)[:, top : top + height].T


def _each(masks: Sequence[Rle], edges: Runs, count: Runs) -> Iterator[tuple[Rle, int, Runs, Mask]]:
    """Yield each mask, where its ones begin (-1: nowhere), and from there on the runs up to its last one, and their values."""
    runs = np.diff(edges)
    values = (np.arange(1, 2 * int(count.max(initial=0)) + 1) & 1).astype(np.uint8)
    bounds = (2 * np.cumsum(count)).tolist()
    for mask, begin, end in zip(masks, [0, *bounds], bounds, strict=False):
        lengths = runs[begin : max(end - 1, begin)]
        yield mask, int(edges[begin]) if end > begin else -1, lengths, values[: len(lengths)]
