"""Windows: tiles of the training size that cover each image, marked clean, with objects, blank, or void."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.geometry import Box


@dataclass(frozen=True, slots=True)
class Window:
    """A square of the working image of a record, px; it may reach beyond an image that is smaller than it."""

    position: int
    left: int
    top: int
    kind: str

    def box(self, side: int) -> Box:
        """Return the square itself, of a side in px."""
        return Box(self.left, self.top, side, side)


def offsets(length: int, window: int, overlap: float) -> list[int]:
    """Return where windows begin along one side, evenly spaced, so that they cover it and share at least `overlap`.

    >>> offsets(1600, 256, 0.125)
    [0, 224, 448, 672, 896, 1120, 1344]
    >>> offsets(100, 256, 0.5)
    [0]
    """
    if length <= window:
        return [0]
    steps = math.ceil((length - window) / max(window * (1 - overlap), 1))
    return [round(k * (length - window) / steps) for k in range(steps + 1)]


def cut_windows(
    position: int,
    pixels: NDArray[np.uint8],
    boxes: Sequence[Box],
    *,
    window: int,
    overlap: float,
    blank: float,
    level: int,
    masks: NDArray[np.uint8] | None = None,
    void: NDArray[np.uint8] | None = None,
) -> list[Window]:
    """Cut one working image [H, W] or [H, W, 3] into windows and mark each.

    Args:
        boxes: the boxes of the objects in it; a window that any box touches is marked "objects".
        blank: the largest share of pixels darker than `level` in a window that is not "blank".
        masks: which pixels [H, W] the objects cover; a window that boxes touch, but none of these, is not marked
            "objects" either. None: the boxes decide.
        void: which pixels [H, W] are void; a window with one and without objects is marked "void". None: none is.
    """
    height, width = pixels.shape[:2]
    dark = (pixels if pixels.ndim == 2 else pixels.max(axis=2)) < level
    windows = []
    for top in offsets(height, window, overlap):
        for left in offsets(width, window, overlap):
            tile = Box(left, top, window, window)
            is_blank = dark[tile.slices].mean() > blank
            hit = any(box.meets(tile) for box in boxes) and (masks is None or bool(masks[tile.slices].any()))
            clean = "clean" if void is None or not void[tile.slices].any() else "void"
            windows.append(Window(position, left, top, "blank" if is_blank else "objects" if hit else clean))
    return windows
