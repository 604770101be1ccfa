"""Polygons to masks and back, in the two conventions that the world has.

COCO: continuous coordinates, pixel (row i, column j) covers [j, j+1] x [i, i+1] and is in when its centre is.
OpenCV (the thesis' line-json): vertices are pixel centres, the outline belongs to the mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.rle import Rle, Runs

Points = NDArray[np.float64]
_FINE = 5  # COCO draws outlines on a grid of this many steps a pixel
_STEPS = 2_000_000  # of that grid, walked at once


def fill_coco(polygons: Sequence[Points], *, height: int, width: int) -> Rle:
    """Fill polygons as pycocotools does, pixel for pixel, and return their union.

    Args:
        polygons: arrays [n, 2] of (x, y), n >= 3, finite.

    >>> square = np.array([[1.0, 1], [3, 1], [3, 2], [1, 2]])
    >>> rle.area(fill_coco([square], height=4, width=4))
    2
    """
    return rle.union([_fill_one(points, height, width) for points in polygons])


def _fill_one(points: Points, height: int, width: int) -> Rle:
    """Walk the outline on the fine grid; where it crosses a column's centre line the mask begins or ends."""
    fine = np.trunc(_FINE * points + 0.5).astype(np.int64)
    segments = np.stack([fine, np.roll(fine, -1, axis=0)])
    walked = np.cumsum(np.abs(segments[1] - segments[0]).max(axis=1))
    cuts = np.searchsorted(walked, np.arange(_STEPS, int(walked[-1]), _STEPS))
    parts = (part for part in np.split(segments, cuts, axis=1) if part.size)
    crossings = np.concatenate([_crossings(part[0], part[1], height, width) for part in parts])
    edges = np.append(np.sort(crossings), height * width)
    return rle.from_runs(height, width, np.diff(edges, prepend=0))


def _crossings(start: Runs, end: Runs, height: int, width: int) -> Runs:
    """Return the pixel numbers at which the segments start[k] -> end[k] cross the columns' centre lines."""
    u, v = _outline(start, end)
    moves = np.flatnonzero(u[1:] != u[:-1]) + 1
    column = (np.minimum(u[moves], u[moves - 1]) + 0.5) / _FINE - 0.5
    inside = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    row = (np.minimum(v[moves], v[moves - 1]) + 0.5) / _FINE - 0.5
    at = column[inside].astype(np.int64) * height
    return np.asarray(at + np.ceil(np.clip(row[inside], 0, height)).astype(np.int64), dtype=np.int64)


def _outline(start: Runs, end: Runs) -> tuple[Runs, Runs]:
    """Return all fine grid points of the segments start[k] -> end[k], in walking order.

    A segment is stepped along its longer axis, and always computed from its lower end, so that it is the
    same line in both directions.
    """
    delta = np.abs(end - start)
    flat = delta[:, 0] >= delta[:, 1]
    steps = delta.max(axis=1)
    backwards = np.where(flat, start[:, 0] > end[:, 0], start[:, 1] > end[:, 1])
    low, high = (np.where(backwards[:, None], b, a) for a, b in ((start, end), (end, start)))
    rise = np.where(flat, high[:, 1] - low[:, 1], high[:, 0] - low[:, 0]) / np.maximum(steps, 1)
    which = np.repeat(np.arange(len(steps)), steps + 1)
    t = np.arange(len(which)) - np.repeat(np.cumsum(steps + 1) - (steps + 1), steps + 1)
    t = np.where(backwards[which], steps[which] - t, t)
    u = np.where(flat[which], low[which, 0] + t, np.trunc(low[which, 0] + rise[which] * t + 0.5).astype(np.int64))
    v = np.where(flat[which], np.trunc(low[which, 1] + rise[which] * t + 0.5).astype(np.int64), low[which, 1] + t)
    return u, v


def fill_centres(polygons: Sequence[Points], *, height: int, width: int) -> Rle:
    """Fill polygons whose vertices are pixel centres, outline included (cv2.fillPoly), each alone; return the union.

    Args:
        polygons: arrays [n, 2] of (x, y) within the image; fractions are rounded.
    """
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
    left, top, width, height = rle.box(mask)
    if width == 0:
        return []
    region = np.ascontiguousarray(rle.decode_box(mask, (left, top, width, height)))
    pieces = _without_holes(region)
    return [_at_least_three(points) + np.array([left, top], np.int32) for points in pieces]


def _without_holes(region: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Trace a mask's parts; one whose outline, filled, is more than the part is cut in two and traced again."""
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
