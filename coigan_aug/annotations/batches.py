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
    local = np.arange(len(numbers)) - np.repeat(stops - lengths, lengths)
    owner = np.repeat(np.arange(len(masks)), lengths)
    for own in (local % 2 == 1, (local % 2 == 0) & (local > 0)):
        numbers[own] = _running_sum(numbers[own], owner[own])
    edges = _running_sum(numbers, owner)
    solid = np.flatnonzero(local % 2 == 1)
    return edges[solid - 1], edges[solid], owner[solid]


def _running_sum(values: Runs, owner: Runs) -> Runs:
    """Sum up along `values`, anew for each owner."""
    total = np.cumsum(values)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    before = (total - values)[first]
    return total - np.repeat(before, np.diff(np.append(first, len(values))))
