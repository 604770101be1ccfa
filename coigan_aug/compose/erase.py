"""Erasing a defect by classical inpainting: the paired sample's 'before' picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import masks


def erase(
    rng: np.random.Generator, pixels: NDArray[np.uint8], mask: NDArray[np.uint8], *, grow: int
) -> NDArray[np.uint8]:
    """Fill a mask [h, w] of an image [h, w, 3] from its surroundings: uint8 [h, w, 3]; outside the mask nothing changes.

    The colour flows in from the border (Telea, 2004). The grain on it is that of the surroundings, moved there
    from elsewhere in the image, because a smooth patch would tell the generator where to draw.

    Args:
        grow: the hole is this much larger than the mask, px, so that a soft edge of the defect goes too.
    """
    hole = masks.grow(mask, grow)
    if not hole.any() or hole.all():
        return pixels.copy()
    filled = np.asarray(cv2.inpaint(np.ascontiguousarray(pixels), hole, 3, cv2.INPAINT_TELEA), np.float32)
    smooth = cv2.GaussianBlur(filled, (0, 0), 1.5)
    grain = (pixels - smooth) * (hole == 0)[..., None]
    out = np.clip(np.rint(smooth + _moved(rng, grain, hole)), 0, 255).astype(np.uint8)
    return np.where(hole[..., None] != 0, out, pixels)


def _moved(rng: np.random.Generator, grain: NDArray[np.float32], hole: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Fill the hole's grain [h, w, 3] with that of places outside it, shifted over, in a few tries."""
    out, open_ = np.zeros_like(grain), hole != 0
    for _ in range(6):
        shift = (int(rng.integers(hole.shape[0])), int(rng.integers(hole.shape[1])))
        found = open_ & (np.roll(hole, shift, (0, 1)) == 0)
        out[found] = np.roll(grain, shift, (0, 1))[found]
        open_ &= ~found
    return out
