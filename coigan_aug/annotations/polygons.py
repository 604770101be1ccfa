"""Polygons to masks and back in OpenCV's convention: vertices are pixel centres, the outline belongs to the mask.

COCO's is in `filling` and `corners`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.batches import regions
from coigan_aug.annotations.rle import Rle

Points = NDArray[np.float64]


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


def fill_on_image(polygons: Sequence[Points], *, height: int, width: int) -> Rle:
    """Fill polygons of pixel centres as cv2.fillPoly does on the image itself, each alone; return the union.

    Fractions are rounded. Where a polygon leaves the image cv2 cuts its outline first, which moves slanted edges by up
    to some pixels: what readers that draw so get is not what `fill_centres` cuts out. Within the image both are the same.
    """
    import cv2

    low = np.rint(np.min([points.min(axis=0) for points in polygons], axis=0))
    high = np.rint(np.max([points.max(axis=0) for points in polygons], axis=0))
    if low.min() >= 0 and high[0] < width and high[1] < height:
        return fill_centres(polygons, height=height, width=width)
    mask = np.zeros((height, width), np.uint8)
    for points in polygons:
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
    outlines: list[NDArray[np.int32]] = []
    for contour in contours:
        points = contour.reshape(-1, 2).astype(np.int32)
        x, y, width, height = cv2.boundingRect(contour)
        filled = np.zeros((height, width), np.uint8)
        cv2.fillPoly(filled, [points - np.array([x, y], np.int32)], 1)
        inside = region[y : y + height, x : x + width] & filled
        if (inside == filled).all():
            outlines.append(points)
            continue
        cut = _cut_column(filled - inside)
        for start, end in ((0, cut), (cut, width)):
            pieces = _without_holes(np.ascontiguousarray(inside[:, start:end]))
            outlines += [piece + np.array([x + start, y], np.int32) for piece in pieces]
    return outlines


def _cut_column(holes: NDArray[np.uint8]) -> int:
    """Return the column before which to cut, so that a hole comes to lie at the border of both pieces."""
    columns = np.flatnonzero(holes.any(axis=0))
    return int(columns[len(columns) // 2])


def _at_least_three(points: NDArray[np.int32]) -> NDArray[np.int32]:
    return points if len(points) >= 3 else np.resize(points, (3, 2))
