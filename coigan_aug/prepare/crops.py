"""Crops: the square round an object in which it is looked at."""

from __future__ import annotations

from coigan_aug.annotations import rle

SMALLEST = 32


def crop_region(mask: rle.Rle, *, factor: float) -> rle.Box:
    """Return the square (left, top, side, side) round a mask: `factor` times its box's longer side, at least 32 px.

    >>> import numpy as np
    >>> crop_region(rle.encode(np.pad(np.ones((10, 40)), 100)), factor=1.5)
    (90, 75, 60, 60)
    """
    left, top, width, height = rle.box(mask)
    side = max(round(factor * max(width, height)), SMALLEST)
    return (left + width // 2 - side // 2, top + height // 2 - side // 2, side, side)
