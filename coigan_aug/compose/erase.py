"""Erasing a defect by classical inpainting: the paired sample's 'before' picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import masks


def erase(rng: np.random.Generator, pixels: NDArray[np.uint8], mask: NDArray[np.uint8], *, grow: int) -> NDArray[np.uint8]:
    """Fill a mask [h, w] of an image [h, w, 3] from its surroundings: uint8 [h, w, 3]; outside the mask nothing changes.

    The colour flows in from the border (Telea, 2004) and gets the grain of the pixels round about, because a
    smooth patch would tell the generator where to draw.

    Args:
        grow: the hole is this much larger than the mask, px, so that a soft edge of the defect goes too.
    """
    hole = masks.grow(mask, grow)
    if not hole.any() or hole.all():
        return pixels.copy()
    filled = np.asarray(cv2.inpaint(np.ascontiguousarray(pixels), hole, 3, cv2.INPAINT_TELEA), np.float32)
    source = pixels.astype(np.float32)
    grain = (source - cv2.GaussianBlur(source, (0, 0), 1.5)).mean(axis=2)
    spread = float(np.clip(np.std(grain[hole == 0]), 0, 32))
    noise = rng.normal(0, spread, hole.shape).astype(np.float32)
    noise = noise + cv2.GaussianBlur(noise, (0, 0), 0.7)
    out = np.clip(np.rint(filled + 0.7 * noise[..., None]), 0, 255).astype(np.uint8)
    return np.where(hole[..., None] != 0, out, pixels)
