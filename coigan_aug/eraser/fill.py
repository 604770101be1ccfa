"""Erasing with a trained eraser: it says what the place looks like, the surroundings give the texture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from coigan_aug.compose.erase import Bytes, Erasing, Rng, holes, with_texture
from coigan_aug.eraser.file import EraserFile
from coigan_aug.models.eraser import Eraser
from coigan_aug.prepare.cache import shrink


def learned(file: EraserFile, *, window: int, scale: float) -> Erasing:
    """Erase with a trained network.

    Args:
        window: the side of the windows it was trained on, px at the working scale.
        scale: what brings the images to be filled to that scale; 1.0 where they have it already.
    """

    def fill(rng: Rng, pixels: Bytes, hole: Bytes) -> Bytes:
        if not hole.any() or hole.all():
            return pixels.copy()
        return with_texture(rng, pixels, predict(file.eraser, pixels, hole, window=window, scale=scale), hole)

    return Erasing("learned", fill, key=file.sha256)


@torch.no_grad()
def predict(eraser: Eraser, pixels: Bytes, hole: Bytes, *, window: int, scale: float) -> NDArray[np.float32]:
    """Fill a hole [h, w] of an image [h, w, 3] of any size by what the network expects there: float32 [h, w, 3], 0..255.

    Each part of the hole is seen with half a window round it, as in training. Outside the hole the pixels stay.
    """
    small = np.ascontiguousarray(shrink(pixels, scale))
    covered = hole if small.shape[:2] == hole.shape else _any(hole, small.shape[0], small.shape[1])
    out = small.astype(np.float32)
    for place, part in holes(covered, around=window // 2):
        image = torch.from_numpy(np.ascontiguousarray(small[place].transpose(2, 0, 1)))[None].float() / 255
        filled = eraser(image, torch.from_numpy(np.ascontiguousarray(covered[place]))[None, None].float())
        out[place][part] = 255 * filled[0].permute(1, 2, 0).numpy()[part]
    if small.shape[:2] != hole.shape:
        out = np.asarray(cv2.resize(out, (hole.shape[1], hole.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.where(hole[..., None] != 0, out, pixels).astype(np.float32)


def _any(hole: Bytes, height: int, width: int) -> Bytes:
    """Shrink a hole; a pixel belongs to it where any of it does."""
    cover = cv2.resize((hole != 0).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cover > 1e-6, np.uint8)
