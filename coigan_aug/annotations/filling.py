"""Filling polygons as COCO's tools do: many at once, pixel for pixel.

Coordinates are continuous: pixel (row i, column j) covers [j, j+1] x [i, i+1] and is in when its centre is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from coigan_aug.annotations.batches import from_intervals_many
from coigan_aug.annotations.polygons import Points
from coigan_aug.annotations.rle import Rle, Runs

_FINE = 5  # COCO draws outlines on a grid of this many steps a pixel
_CROSSINGS = 50_000  # looked for at once: they stay in a processor's cache


@dataclass(frozen=True)
class Outlines:
    """The polygons of masks, one after the other.

    Args:
        points: (x, y), float64 [N, 2], finite.
        corners: how many points each polygon has, int64 [P], at least 1.
        parts: how many polygons each mask has, int64 [M], at least 1.
    """

    points: Points
    corners: Runs
    parts: Runs

    def __getitem__(self, masks: slice) -> Outlines:
        """Return those of some masks."""
        polygons = _bounds(self.parts)[[masks.start, masks.stop]]
        points = _bounds(self.corners)[polygons]
        return Outlines(self.points[slice(*points)], self.corners[slice(*polygons)], self.parts[masks])

    @property
    def first(self) -> Runs:
        """Where each polygon begins in `points`."""
        return np.cumsum(self.corners) - self.corners

    @property
    def mask(self) -> Runs:
        """The mask that each polygon belongs to."""
        return np.repeat(np.arange(len(self.parts)), self.parts)

    @property
    def next(self) -> Runs:
        """Where the point behind each point of its polygon is in `points`."""
        behind = np.arange(1, len(self.points) + 1)
        behind[self.first + self.corners - 1] = self.first
        return behind


def outlines_of(masks: Sequence[Sequence[Points]]) -> Outlines:
    """Put the polygons [n, 2] of masks, at least one of each, into one."""
    polygons = [points for mask in masks for points in mask]
    corners, parts = [len(points) for points in polygons], [len(mask) for mask in masks]
    points = np.concatenate(polygons) if polygons else np.zeros((0, 2))
    return Outlines(points, np.array(corners, np.int64), np.array(parts, np.int64))


def _bounds(count: Runs) -> Runs:
    return np.append(0, np.cumsum(count))


def fill_coco(polygons: Sequence[Points], *, height: int, width: int) -> Rle:
    """Fill polygons as pycocotools does, pixel for pixel, and return their union.

    Args:
        polygons: arrays [n, 2] of (x, y), n >= 3, finite.

    >>> square = np.array([[1.0, 1], [3, 1], [3, 2], [1, 2]])
    >>> rle.area(fill_coco([square], height=4, width=4))
    2
    """
    return fill_outlines(outlines_of([polygons]), [(height, width)])[0]


def fill_outlines(outlines: Outlines, sizes: Sequence[tuple[int, int]]) -> list[Rle]:
    """Fill the polygons of masks of (height, width) as `fill_coco` does those of one.

    Memory grows with the length of all outlines, about 100 bytes a pixel.
    """
    if not sizes:
        return []
    owner = outlines.mask
    heights, widths = np.array(sizes, np.int64).T[:, owner]
    far = int(np.max(heights * widths)) + 1  # keeps polygons, then masks, apart on one line of numbers
    edges = np.concatenate(list(_crossings(outlines, heights, widths, far=far)))
    if len(owner) * far < 1 << 31:  # half as long to sort
        edges = edges.astype(np.int32)
    edges.sort(kind="stable")
    of, at = np.divmod(edges, far)
    starts, ends, shift = at[0::2], at[1::2], owner[of[0::2]] * far
    kept = ends > starts
    starts, ends = _united((starts + shift)[kept], (ends + shift)[kept])
    mask = starts // far
    count = np.bincount(mask, minlength=len(sizes)).astype(np.int64)
    return from_intervals_many(sizes, starts - mask * far, ends - mask * far, count)


def _united(starts: Runs, ends: Runs) -> tuple[Runs, Runs]:
    """Join intervals that overlap or touch; they come out ascending."""
    if len(starts) == 0:
        return starts, ends
    if (starts[1:] < starts[:-1]).any():
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
    ends = np.maximum.accumulate(ends)
    first = np.flatnonzero(np.append(True, starts[1:] > ends[:-1]))
    return starts[first], ends[np.append(first[1:], len(ends)) - 1]


def _crossings(outlines: Outlines, heights: Runs, widths: Runs, *, far: int) -> Iterator[Runs]:
    """Yield where outlines cross the centre lines of columns: k * far + the first pixel below, column-major, of polygon k.

    An outline is walked on the fine grid, each segment in steps along its longer axis and from its lower end, so that it
    is the same line in both directions. Column c is crossed between the steps 5c + 2 and 5c + 3 to the right.
    """
    polygon = np.repeat(np.arange(len(outlines.corners)), outlines.corners)
    x, y = np.ascontiguousarray(np.trunc(_FINE * outlines.points.T + 0.5).astype(np.int64))
    behind = outlines.next
    ends = np.stack([x, y, x.take(behind), y.take(behind)])
    first = np.maximum((np.minimum(ends[0], ends[2]) + 2) // _FINE, 0)
    last = np.minimum((np.maximum(ends[0], ends[2]) - 3) // _FINE, widths.take(polygon) - 1)
    flat = np.abs(ends[2] - ends[0]) >= np.abs(ends[3] - ends[1])
    for axis, kind in ((0, flat), (1, ~flat)):
        crossed = np.flatnonzero(kind & (last >= first))
        total = np.cumsum(last[crossed] - first[crossed] + 1)
        for part in np.split(crossed, np.searchsorted(total, np.arange(_CROSSINGS, total[-1:].sum(), _CROSSINGS))):
            count = last[part] - first[part] + 1
            column = np.repeat(first[part] + count - np.cumsum(count), count)
            column += np.arange(len(column))
            below = _below(ends[:, part], axis, count=count, u=_FINE * column + 2)
            height = np.repeat(heights.take(polygon[part]), count)
            pixel = column * height + np.clip((below + 2) // _FINE, 0, height)
            yield np.asarray(np.repeat(polygon[part] * far, count) + pixel, np.int64)


def _below(ends: Runs, axis: int, *, count: Runs, u: Runs) -> Runs:
    """Return the lesser v of the steps between which segments pass from u to u + 1.

    Args:
        ends: x and y of the segments' ends, int64 [4, S].
        axis: the segments' longer one, along which all of them are stepped.
        count: how often each is crossed, one after the other.
        u: where.
    """
    swapped = ends[axis] > ends[2 + axis]
    along, there = np.minimum(ends[axis], ends[2 + axis]), np.maximum(ends[axis], ends[2 + axis])
    across, other = (np.where(swapped, ends[b], ends[a]) for a, b in ((1 - axis, 3 - axis), (3 - axis, 1 - axis)))
    rise = (other - across) / (there - along)
    across, slope = np.repeat(across.astype(np.float64), count), np.repeat(rise, count)
    if axis == 0:  # steps are rounded towards 0, as COCO's are
        t = u - np.repeat(along - (rise < 0), count)
        return np.asarray((across + slope * t + 0.5).astype(np.int64))
    t = np.ceil((u + 0.5 - across) / slope)  # of the first step behind; the quotient may be rounded to a neighbour
    t += (across + slope * t + 0.5 >= u + 1) != (slope > 0)
    t -= (across + slope * (t - 1) + 0.5 >= u + 1) == (slope > 0)
    return np.repeat(along, count) + t.astype(np.int64) - 1
