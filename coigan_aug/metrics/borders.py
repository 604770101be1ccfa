"""What a change of look did along a mask's border: does the defect still stand out, and is its edge where it was?"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.rle import Mask
from coigan_aug.imaging import Pixels

AROUND = 6
"""px round a mask with which it is compared, and to which an edge is followed on either side of the border."""
REACH = 2.0
"""px by which an edge may have moved, at most; one that is not found again counts as moved by as much."""
_STEP = 0.25  # px between the samples of a profile
_HALF = 3.0  # px on either side of the border that are found again
_LEAST_STEEP = 2.0  # grey levels a pixel: what is less steep is no edge
_ALIKE = 0.5  # correlation below which an edge is not found again
_MOST = 400  # points of a border

Profiles = NDArray[np.float32]


def level_gap(image: Pixels, mask: Mask, free: Mask) -> float | None:
    """Return how far the levels in a mask are from those round it, grey levels: by how much they would have to be moved.

    The first Wasserstein distance between both distributions of the image made grey; None where nothing lies round the mask.

    Args:
        image: uint8 [H, W(, 3)].
        mask: uint8 [H, W].
        free: uint8 [H, W], what may count as surroundings: neither another defect's nor void.
    """
    grey = _grey(image)
    inside = mask != 0
    ring = (grow(mask, AROUND) != 0) & ~inside & (free != 0)
    if not inside.any() or not ring.any():
        return None
    levels = np.rint(grey).astype(np.int64)
    shares = [np.cumsum(np.bincount(levels[where], minlength=256)) / where.sum() for where in (inside, ring)]
    return float(np.abs(shares[0] - shares[1]).sum())


def edges_moved(before: Pixels, after: Pixels, mask: Mask) -> NDArray[np.float64]:
    """Return by how many px the image's edges along a mask's border moved, at each of up to 400 points where there is one.

    Gradients are read along the normals of the border, 6 px to either side, and the middle of the old profile is looked for
    in the new one up to REACH px to either side, whether what was brighter is brighter still or darker now.

    Args:
        before, after: uint8 [H, W(, 3)] of one size.
        mask: uint8 [H, W].
    """
    points, normals = _border(mask)
    old, new = (np.diff(_profiles(_grey(image), points, normals), axis=1) / _STEP for image in (before, after))
    half, reach = round(_HALF / _STEP), round(REACH / _STEP)
    middle = old.shape[1] // 2
    steep = np.abs(old[:, middle - half : middle + half]).max(axis=1, initial=0) >= _LEAST_STEEP
    old, new = old[steep], new[steep]
    looked = old[:, middle - half : middle + half]
    alike = np.stack(
        [_correlation(looked, new[:, middle + lag - half : middle + lag + half]) for lag in range(-reach, reach + 1)],
        axis=1,
    )
    best = alike.argmax(axis=1) if len(alike) else np.zeros(0, np.int64)
    moved = np.abs(best - reach + _refined(alike, best)) * _STEP
    lost = alike[np.arange(len(best)), best] < _ALIKE
    return np.where(lost, REACH, np.minimum(moved, REACH))


def _grey(image: Pixels) -> NDArray[np.float32]:
    return image.astype(np.float32) if image.ndim == 2 else image.mean(axis=2, dtype=np.float32)


def _border(mask: Mask) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return points (x, y) between mask and surroundings and the normals there, float32 [P, 2]; none near the image's edge."""
    smooth = cv2.GaussianBlur((mask != 0).astype(np.float32), (0, 0), 2)
    down, across = np.gradient(smooth) if min(mask.shape) > 1 else (np.zeros_like(smooth), np.zeros_like(smooth))
    border = (mask != 0) & (cv2.erode((mask != 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    edge = AROUND + 1
    inner = np.zeros(mask.shape, bool)
    inner[edge:-edge, edge:-edge] = True
    rows, columns = np.nonzero(border & inner & (np.hypot(down, across) > 1e-4))
    chosen = slice(None, None, max(-(-len(rows) // _MOST), 1))
    rows, columns = rows[chosen], columns[chosen]
    normals = np.stack([across[rows, columns], down[rows, columns]], axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return np.stack([columns, rows], axis=1).astype(np.float32), normals.astype(np.float32)


def _profiles(grey: NDArray[np.float32], points: NDArray[np.float32], normals: NDArray[np.float32]) -> Profiles:
    """Sample an image, lightly smoothed, along the normals: [P, S]."""
    places = np.arange(-AROUND, AROUND + _STEP / 2, _STEP, dtype=np.float32)
    if not len(points):
        return np.zeros((0, len(places)), np.float32)
    x, y = (points[:, k, None] + normals[:, k, None] * places for k in (0, 1))
    smooth = cv2.GaussianBlur(
        grey, (0, 0), 1
    )  # splines, since steps of simpler ways lie at whole pixels in both images
    return np.asarray(ndimage.map_coordinates(smooth, [y, x], order=3, mode="nearest"), np.float32)


def _correlation(first: Profiles, second: Profiles) -> NDArray[np.float64]:
    """Return how alike rows are, 0 to 1, whichever way they go."""
    products = (first * second).sum(axis=1, dtype=np.float64)
    return np.abs(products) / np.maximum(np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1), 1e-9)


def _refined(alike: NDArray[np.float64], best: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far the top of the parabola through the best place and its neighbours lies from it, in steps."""
    rows, inside = np.arange(len(best)), (best > 0) & (best < alike.shape[1] - 1)
    place = np.where(inside, best, 1)
    left, top, right = (alike[rows, place + k] for k in (-1, 0, 1))
    bend = left - 2 * top + right
    offset = np.divide(left - right, 2 * bend, out=np.zeros(len(best)), where=bend < -1e-12)
    return np.where(inside, offset.clip(-0.5, 0.5), 0)
