"""Windows: tiles of the training size that cover each image, marked clean, with objects, blank, or void."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
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
    tops, lefts = offsets(height, window, overlap), offsets(width, window, overlap)
    dark = _counts((pixels if pixels.ndim == 2 else pixels.max(axis=2)) < level, tops, lefts, window)
    taken = np.zeros((height, width), bool)
    for box in boxes:
        taken[box.clip((height, width)).slices] = True
    hit = _counts(taken, tops, lefts, window)
    if masks is not None:
        hit = np.minimum(hit, _counts(masks != 0, tops, lefts, window))
    clean = np.zeros_like(hit) if void is None else _counts(void != 0, tops, lefts, window)
    kinds = np.where(clean > 0, "void", "clean")
    kinds = np.where(hit > 0, "objects", kinds)
    pixels_in = min(window, height) * min(window, width)
    kinds = np.where(dark / pixels_in > blank, "blank", kinds)
    return [
        Window(position, left, top, str(kind))
        for top, row in zip(tops, kinds, strict=True)
        for left, kind in zip(lefts, row, strict=True)
    ]


def _counts(marks: NDArray[np.bool_], tops: Sequence[int], lefts: Sequence[int], window: int) -> NDArray[np.int64]:
    """Count the marked pixels [H, W] in each square of side `window` that begins at these rows and columns: [rows, columns].

    By the integral image, in time that grows with the image and not with the overlap: S(y, x) is the sum above and left, and
    a square's own is S(bottom, right) - S(top, right) - S(bottom, left) + S(top, left).
    """
    sums = cv2.integral(marks.astype(np.uint8)).astype(np.int64)
    first, above = np.array(lefts), np.array(tops)[:, None]
    behind, below = np.minimum(first + window, marks.shape[1]), np.minimum(above + window, marks.shape[0])
    return np.asarray(sums[below, behind] - sums[above, behind] - sums[below, first] + sums[above, first])
