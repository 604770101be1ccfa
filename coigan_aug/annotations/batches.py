"""Many masks at once: the same as `rle.from_runs` and `rle.intervals`, without a NumPy call's cost for each mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coigan_aug.annotations.rle import Rle, Runs, compress, join_groups


def from_runs_many(sizes: Sequence[tuple[int, int]], runs: Sequence[Runs]) -> list[Rle]:
    """Make masks of (height, width) from canonical runs: none negative, none 0 but the first, their sum the pixels.

    Raises:
        ValueError: runs do not add up to their image's pixels.
    """
    if not sizes:
        return []
    lengths = np.array([len(counts) for counts in runs])
    counts = np.concatenate(runs)
    first = np.cumsum(lengths) - lengths
    sums = np.add.reduceat(counts, first)
    if not np.array_equal(sums, [height * width for height, width in sizes]):
        raise ValueError("runs do not add up to their image's pixels")
    text, ends = compress(counts, first)
    stops = ends[np.append(first[1:] - 1, len(counts) - 1)].tolist()
    begins = [0, *stops[:-1]]
    return [Rle(h, w, text[i:j]) for (h, w), i, j in zip(sizes, begins, stops, strict=True)]


def intervals_many(masks: Sequence[Rle]) -> tuple[Runs, Runs, Runs]:
    """Return the runs of masks as half-open intervals of column-major pixel numbers, and the mask each belongs to.

    The masks' strings are trusted: they come from this package.
    """
    data = np.frombuffer("".join(mask.counts for mask in masks).encode("ascii"), np.uint8) - np.uint8(48)
    ends = np.flatnonzero(data < 32)
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1] + 1
    numbers = join_groups(data, starts, ends)
    stops = np.searchsorted(ends, np.cumsum([len(mask.counts) for mask in masks]) - 1) + 1
    lengths = np.diff(stops, prepend=0)
    edges, first = _edges(numbers, lengths)
    before = np.repeat(edges[first] - numbers[stops - lengths], lengths // 2)
    owner = np.repeat(np.arange(len(masks)), lengths // 2)
    solid = np.arange(len(owner)) * 2 + np.repeat(first - 2 * (np.cumsum(lengths // 2) - lengths // 2), lengths // 2)
    return edges[solid] - before, edges[solid + 1] - before, owner


def _edges(numbers: Runs, lengths: Runs) -> tuple[Runs, Runs]:
    """Undo the differences of each mask's runs and sum the runs up, over all masks; return where each mask begins too.

    Runs go in pairs (zeros, ones); a mask of an odd number of runs gets one of 0 behind it.
    """
    pairs = (lengths + 1) // 2
    first = 2 * (np.cumsum(pairs) - pairs)
    padded = np.zeros(2 * int(pairs.sum()), np.int64)
    odd = np.cumsum(lengths % 2) - lengths % 2
    padded[np.arange(len(numbers)) + np.repeat(odd, lengths)] = numbers
    third = first[lengths > 2] + 2
    padded[third] -= padded[third - 2]
    sums = np.cumsum(padded.reshape(-1, 2), axis=0)
    rows = first[1:] // 2
    sums -= np.repeat(np.concatenate([np.zeros((1, 2), np.int64), sums[rows - 1]]), pairs, axis=0)
    runs = sums.ravel()
    runs[(first + 2 * pairs - 1)[lengths % 2 == 1]] = 0
    return np.cumsum(runs), first
