"""Polygons to masks and back, in the two conventions that the world has.

COCO: continuous coordinates, pixel (row i, column j) covers [j, j+1] x [i, i+1] and is in when its centre is.
OpenCV (the thesis' line-json): vertices are pixel centres, the outline belongs to the mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.batches import from_intervals_many, regions
from coigan_aug.annotations.rle import Rle, Runs

Points = NDArray[np.float64]
_FINE = 5  # COCO draws outlines on a grid of this many steps a pixel
_CROSSINGS = 200_000  # looked for at once


def fill_coco(polygons: Sequence[Points], *, height: int, width: int) -> Rle:
    """Fill polygons as pycocotools does, pixel for pixel, and return their union.

    Args:
        polygons: arrays [n, 2] of (x, y), n >= 3, finite.

    >>> square = np.array([[1.0, 1], [3, 1], [3, 2], [1, 2]])
    >>> rle.area(fill_coco([square], height=4, width=4))
    2
    """
    return fill_coco_many([polygons], [(height, width)])[0]


def fill_coco_many(masks: Sequence[Sequence[Points]], sizes: Sequence[tuple[int, int]]) -> list[Rle]:
    """Fill the polygons of masks of (height, width) as `fill_coco` does those of one; each mask has at least one.

    Memory grows with the length of all outlines, about 100 bytes a pixel.
    """
    polygons = [points for mask in masks for points in mask]
    if not polygons:
        return []
    owner = np.repeat(np.arange(len(masks)), [len(mask) for mask in masks])
    heights, widths = np.array(sizes, np.int64).reshape(-1, 2)[owner].T
    far = int(np.max(heights * widths)) + 1  # keeps polygons, then masks, apart on one line of numbers
    edges = np.concatenate(list(_crossings(polygons, heights, widths, far=far)))
    small = len(polygons) * far < 1 << 31  # half as long to sort
    edges = np.sort(edges.astype(np.int32)).astype(np.int64) if small else np.sort(edges)
    of, starts, ends = edges[0::2] // far, edges[0::2] % far, edges[1::2] % far
    kept = ends > starts
    shift = owner[of[kept]] * far
    starts, ends = _united(starts[kept] + shift, ends[kept] + shift)
    mask = starts // far
    count = np.bincount(mask, minlength=len(masks)).astype(np.int64)
    return from_intervals_many(sizes, starts - mask * far, ends - mask * far, count)


def _united(starts: Runs, ends: Runs) -> tuple[Runs, Runs]:
    """Join intervals that overlap or touch; they come out ascending."""
    if len(starts) == 0:
        return starts, ends
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    first = np.flatnonzero(np.append(True, starts[1:] > ends[:-1]))
    return starts[first], ends[np.append(first[1:], len(ends)) - 1]


def _crossings(polygons: Sequence[Points], heights: Runs, widths: Runs, *, far: int) -> Iterator[Runs]:
    """Yield where outlines cross the centre lines of columns: k * far + the first pixel below, column-major, of polygon k.

    An outline is walked on the fine grid, each segment in steps along its longer axis and from its lower end, so that it
    is the same line in both directions. Column c is crossed between the steps 5c + 2 and 5c + 3 to the right.
    """
    length = np.array([len(points) for points in polygons], np.int64)
    which = np.repeat(np.arange(len(polygons)), length)
    start = np.trunc(_FINE * np.concatenate(polygons) + 0.5).astype(np.int64)
    end = np.roll(start, -1, axis=0)
    end[np.cumsum(length) - 1] = start[np.cumsum(length) - length]
    left, right = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.maximum((left + 2) // _FINE, 0)
    count = np.maximum(np.minimum((right - 3) // _FINE, widths[which] - 1) - first + 1, 0)
    steps = np.abs(end - start)
    flat = steps[:, 0] >= steps[:, 1]
    for axis, kind in ((0, flat), (1, ~flat)):
        crossed = np.flatnonzero(kind & (count > 0))
        total = np.cumsum(count[crossed])
        for part in np.split(crossed, np.searchsorted(total, np.arange(_CROSSINGS, total[-1:].sum(), _CROSSINGS))):
            number = count[part]
            segment = np.repeat(np.arange(len(part)), number)
            column = np.arange(len(segment)) + np.repeat(first[part] + number - np.cumsum(number), number)
            below = _below(start[part], end[part], axis, segment=segment, u=_FINE * column + 2)
            height = heights[which[part]][segment]
            row = np.clip((below + 2) // _FINE, 0, height)
            yield (which[part] * far)[segment] + column * height + row


def _below(start: Runs, end: Runs, axis: int, *, segment: Runs, u: Runs) -> Runs:
    """Return the lesser v of the steps between which segments pass from u to u + 1.

    Args:
        axis: the segments' longer one, along which all of them are stepped.
        segment: the segment of each crossing.
        u: where it is.
    """
    swapped = (start[:, axis] > end[:, axis])[:, None]
    low, high = np.where(swapped, end, start), np.where(swapped, start, end)
    rise = (high[:, 1 - axis] - low[:, 1 - axis]) / (high[:, axis] - low[:, axis])
    along, across, slope = low[segment, axis], low[segment, 1 - axis], rise[segment]
    if axis == 0:  # steps are rounded towards 0, as COCO's are
        return np.asarray((across + slope * (u - along + (slope < 0)) + 0.5).astype(np.int64))
    t = np.ceil((u + 0.5 - across) / slope)  # of the first step behind; the quotient may be rounded to a neighbour
    t += (across + slope * t + 0.5 >= u + 1) != (slope > 0)
    t -= (across + slope * (t - 1) + 0.5 >= u + 1) == (slope > 0)
    return along + t.astype(np.int64) - 1


def fill_centres(polygons: Sequence[Points], *, height: int, width: int) -> Rle:
    """Fill polygons whose vertices are pixel centres, outline included (cv2.fillPoly), each alone; return the union.

    Args:
        polygons: arrays [n, 2] of (x, y) within the image; fractions are rounded.
    """
    import cv2

    corners = [np.rint(points).astype(np.int32) for points in polygons]
    low = np.min([c.min(axis=0) for c in corners], axis=0)
    size = np.max([c.max(axis=0) for c in corners], axis=0) - low + 1
    mask = np.zeros((int(size[1]), int(size[0])), np.uint8)
    for points in corners:
        cv2.fillPoly(mask, [np.ascontiguousarray(points - low)], 1)
    return rle.place(mask, left=int(low[0]), top=int(low[1]), height=height, width=width)


def fill_on_image(points: Points, *, height: int, width: int) -> Rle:
    """Fill a polygon of pixel centres as cv2.fillPoly does on the image itself; fractions are rounded.

    Where a polygon leaves the image cv2 cuts its outline first, which moves slanted edges by up to some pixels: what
    readers that draw so get is not what `fill_centres` cuts out. Within the image both are the same.
    """
    import cv2

    low, high = np.rint(points.min(axis=0)), np.rint(points.max(axis=0))
    if low.min() >= 0 and high[0] < width and high[1] < height:
        return fill_centres([points], height=height, width=width)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
    return rle.encode(mask)


def trace_centres(mask: Rle) -> list[NDArray[np.int32]]:
    """Trace a mask into polygons [n, 2] of (x, y) pixel centres; their union by `fill_centres` is the mask again.

    Polygons can't have holes, so a part with holes is cut into pieces without at the holes' columns. Parts of one or
    two pixels have their vertices repeated, since readers skip polygons of fewer than 3 points.
    """
    return next(trace_centres_many([mask]))


def trace_centres_many(masks: Sequence[Rle]) -> Iterator[list[NDArray[np.int32]]]:
    """Trace masks one after the other, as `trace_centres` does."""
    import cv2

    for left, top, region in regions(masks):
        pieces = _without_holes(np.asarray(cv2.transpose(region.T), dtype=np.uint8)) if region.size else []
        yield [_at_least_three(points) + np.array([left, top], np.int32) for points in pieces]


def _without_holes(region: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Trace a mask's parts; one whose outline, filled, is more than the part is cut in two and traced again."""
    import cv2

    contours, kinship = cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if kinship is None or (kinship[0, :, 3] < 0).all():  # no outline is that of a hole: filled, they are the parts
        return [contour.reshape(-1, 2).astype(np.int32, copy=False) for contour in contours]
    contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found: list[NDArray[np.int32]] = []
    for contour in contours:
        points = contour.reshape(-1, 2).astype(np.int32)
        x, y, width, height = cv2.boundingRect(contour)
        filled = np.zeros((height, width), np.uint8)
        cv2.fillPoly(filled, [points - np.array([x, y], np.int32)], 1)
        own = region[y : y + height, x : x + width] & filled
        if (own == filled).all():
            found.append(points)
            continue
        cut = _cut_column(filled - own)
        for start, end in ((0, cut), (cut, width)):
            pieces = _without_holes(np.ascontiguousarray(own[:, start:end]))
            found += [piece + np.array([x + start, y], np.int32) for piece in pieces]
    return found


def _cut_column(holes: NDArray[np.uint8]) -> int:
    """Return the column before which to cut, so that a hole comes to lie at the border of both pieces."""
    columns = np.flatnonzero(holes.any(axis=0))
    return int(columns[len(columns) // 2])


def _at_least_three(points: NDArray[np.int32]) -> NDArray[np.int32]:
    return points if len(points) >= 3 else np.resize(points, (3, 2))
