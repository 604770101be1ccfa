"""Coverage to mask: as large as what is covered, and in one piece."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask

HALF, LITTLE, NOTHING = 0.5, 0.25, 0.02  # shares of a pixel
LOST = 0.9  # share of the covered area below which a mask has lost thin parts
_ROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def solid(cover: NDArray[np.float32]) -> Mask:
    """Return the mask [h, w] of what is covered, given each pixel's share of it, 0..1: the pixels covered by half.

    Where that would lose thin parts or tear them, the mask is what is covered at all, thinned from its least covered
    pixels on as long as nothing tears; so lines thinner than a pixel stay whole. Never empty.
    """
    mask = (cover >= min(HALF, float(cover.max()))).astype(np.uint8)
    if pieces(mask) == 1 and mask.sum() >= LOST * cover.sum():
        return mask
    return _thinned(cover)


def pieces(mask: Mask) -> int:
    """Return the number of 8-connected components of a mask [h, w]."""
    return int(cv2.connectedComponents(np.ascontiguousarray(mask), connectivity=8)[0]) - 1


def largest_piece(mask: Mask) -> Mask:
    """Return the largest 8-connected component of a mask [h, w]; the mask itself where it is empty."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask), connectivity=8)
    return mask if number <= 2 else (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)


def _thinned(cover: NDArray[np.float32]) -> Mask:
    cover = np.pad(cover, 1)
    mask = cover >= min(NOTHING, float(cover.max()))
    weak = np.argwhere(mask & (cover < HALF))
    weak = weak[np.argsort(cover[weak[:, 0], weak[:, 1]], kind="stable")]
    waiting = [(int(y), int(x)) for y, x in weak]
    while True:
        left = []
        for y, x in waiting:
            if _removable(mask, y, x, end=bool(cover[y, x] >= LITTLE)):
                mask[y, x] = False
            else:
                left.append((y, x))
        if len(left) == len(waiting):
            return mask[1:-1, 1:-1].astype(np.uint8)
        waiting = left


def _removable(mask: NDArray[np.bool_], y: int, x: int, *, end: bool) -> bool:
    """Tell whether a pixel can go and nothing tears or closes; the `end` of a line stays.

    Source: Yokoi, Toriwaki and Fukumura 1975, "An Analysis of Topological Properties of Digitized Binary Pictures
    Using Local Features": the connectivity number of a pixel that can go is 1.
    """
    near = [bool(mask[y + dy, x + dx]) for dy, dx in _ROUND]
    free = [not value for value in (*near, near[0])]
    number = sum(free[k] - (free[k] and free[k + 1] and free[k + 2]) for k in (0, 2, 4, 6))
    return number == 1 and sum(near) > end
