"""Masks as pixels: growing, resizing, outlines."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask, Rle, decode_box
from coigan_aug.geometry import Box
from coigan_aug.imaging import folded


def marked(pixels: NDArray[np.uint8], *, level: int = 0) -> NDArray[np.bool_]:
    """Return where the pixels of a mask image [H, W(, 3)] are above a level in any channel: bool [H, W]."""
    return np.asarray((pixels if pixels.ndim == 2 else pixels.max(axis=2)) > level)


def grow(mask: NDArray[np.generic], pixels: int) -> Mask:
    """Grow a mask [H, W] by `pixels` in all eight directions (a square of side 2 * pixels + 1)."""
    solid = (mask != 0).astype(np.uint8)
    if pixels == 0:
        return solid
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.dilate(np.ascontiguousarray(solid), kernel), dtype=np.uint8)


def inside(region: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark what of a region lies in an image of a shape: bool [h, w].

    >>> inside(Box(1, -1, 2, 2), (2, 2)).tolist()
    [[False, False], [True, False]]
    """
    marks = np.zeros((region.height, region.width), bool)
    marks[region.clip(shape).seen_from(region).slices] = True
    return marks


def decode_mirrored(mask: Rle, region: Box) -> Mask:
    """Draw a mask inside a region: uint8 [h, w]; beyond the edges it is mirrored as pixels are (`imaging.cut_mirrored`)."""
    rows = folded(region.top, region.height, mask.height)
    columns = folded(region.left, region.width, mask.width)
    left, top = int(columns.min()), int(rows.min())
    window = Box(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
    return decode_box(mask, window)[(rows - top)[:, None], (columns - left)[None, :]]


def cut(masks: Mask, region: Box) -> Mask:
    """Cut a region out of a mask [H, W] or masks [K, H, W]; nothing lies beyond the edges.

    >>> cut(np.ones((2, 2), np.uint8), Box(1, -1, 2, 2)).tolist()
    [[0, 0], [1, 0]]
    """
    held = region.clip(masks.shape[-2:])
    out = np.zeros((*masks.shape[:-2], region.height, region.width), masks.dtype)
    (rows, columns), (own_rows, own_columns) = held.slices, held.seen_from(region).slices
    out[..., own_rows, own_columns] = masks[..., rows, columns]
    return out


def resize(mask: NDArray[np.generic], *, height: int, width: int) -> Mask:
    """Resize a mask [h, w]; a pixel belongs to it when the mask covers at least 40 % of it.

    Lines that are thinner than that keep their best covered pixels, so a defect never vanishes.
    """
    if not mask.any():
        return np.zeros((height, width), np.uint8)
    return covered(shares(mask, height=height, width=width))


def cover(mask: NDArray[np.generic], *, height: int, width: int) -> Mask:
    """Resize a mask [h, w] so that each pixel belongs to it of which it covers anything at all."""
    return (shares(mask, height=height, width=width) > 0).astype(np.uint8)


def covered(shares: NDArray[np.float32]) -> Mask:
    """Return which pixels belong to a mask that covers these shares of them [h, w], some above 0, as `resize` does."""
    return (shares >= min(0.4, float(shares.max()))).astype(np.uint8)


def shares(mask: NDArray[np.generic], *, height: int, width: int) -> NDArray[np.float32]:
    """Return which share of each pixel of another size a mask [h, w] covers."""
    solid = np.ascontiguousarray((mask != 0).astype(np.float32))
    if solid.shape == (height, width):
        return solid
    shrinks = height <= solid.shape[0] and width <= solid.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(solid, (width, height), interpolation=way), np.float32)


def outline(mask: NDArray[np.generic], *, width: int = 1) -> Mask:
    """Return the pixels just outside a mask [H, W], `width` px far: the line that shows it without hiding it."""
    return grow(mask, width) - (mask != 0).astype(np.uint8)


def depths(mask: Mask) -> NDArray[np.float64]:
    """Return how far each pixel of a mask [H, W] of 0 and 1 lies from the nearest one that is 0, px.

    Squares of such distances are whole numbers: rounded to them, what OpenCV's last bits, which depend on where in memory
    a picture lies, make of the result is gone.

    >>> depths(np.uint8([[0, 1, 1], [1, 1, 1]])).round(3).tolist()
    [[0.0, 1.0, 2.0], [1.0, 1.414, 2.236]]
    """
    rough = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float64)
    return np.asarray(np.sqrt(np.round(rough * rough)))
