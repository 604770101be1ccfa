"""Seams: how much steeper a picture is where a change begins than it was there before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.rle import Mask
from coigan_aug.imaging import Pixels

LEAST = 0.5  # grey levels a pixel, added to both sides of the ratio: on a flat surface nothing else would count


def gradient(image: Pixels | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gradient magnitude of an image [H, W, 3] made grey, grey levels a pixel: central differences, [H, W]."""
    rows, columns = np.gradient(image.mean(axis=2, dtype=np.float32))
    return np.hypot(rows, columns)


def ring_of(mask: Mask, margin: int) -> NDArray[np.bool_]:
    """Return the pixels on both sides of the margin's edge: those at `margin` px from a mask, and one further."""
    inner = grow(mask, max(margin - 1, 0))
    return (grow(mask, margin + 1) != 0) & (inner == 0)


def seam_ratio(made: NDArray[np.float32], plain: NDArray[np.float32], ring: NDArray[np.bool_]) -> float:
    """Return the mean gradient magnitude of the new picture on a ring over the old one's; 1 where no seam shows."""
    return (float(made[ring].mean()) + LEAST) / (float(plain[ring].mean()) + LEAST)
