"""Warps: an affine matrix after a bend, the same for a mask and for an image's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask
from coigan_aug.compose.augment import tight
from coigan_aug.geometry import Box
from coigan_aug.shapes.bend import displacement
from coigan_aug.shapes.cover import solid
from coigan_aug.shapes.shape import Bend

SOFT = 0.7  # px: what the steps of a mask's rim are smoothed by before they are turned

Floats = NDArray[np.float64]


def warp_mask(mask: Mask, matrix: Floats, bend: Bend, size: tuple[int, int], *, box: Box) -> Mask:
    """Warp an object's mask [h, w], cut to its `box`, as `source_places` leads: uint8 of 0 and 1, in one piece.

    Never empty, unless the matrix takes all of the mask out of `size`.
    """
    x, y = source_places(matrix, bend, size, box=box)
    around = 3
    places = (x + np.float32(around - box.left), y + np.float32(around - box.top))
    soft = np.pad(mask, around).astype(np.float32)
    if bend or (matrix != matrix.round()).any():
        soft = np.asarray(cv2.GaussianBlur(soft, (0, 0), SOFT), np.float32)
    cover = cv2.remap(soft, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return solid(np.asarray(cover, np.float32))


def source_places(
    matrix: Floats, bend: Bend, size: tuple[int, int], *, box: Box
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where in the object's image each pixel of a result of `size` (width, height) lies: x and y, float32 [h, w].

    The pixel at p shows the image at q + d(q), where q = A⁻¹(p - t) with matrix = [A | t], 2 x 3, px, and d is the
    displacement of the `bend` in `box`, that of the object in the image (`bend.displacement`).
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    inverse = np.linalg.inv(linear)
    x, y = np.meshgrid(np.arange(size[0]) - shift[0], np.arange(size[1]) - shift[1])
    x, y = inverse[0, 0] * x + inverse[0, 1] * y, inverse[1, 0] * x + inverse[1, 1] * y
    dx, dy = displacement(bend, x, y, box)
    return (x + dx).astype(np.float32), (y + dy).astype(np.float32)


@dataclass(frozen=True)
class Warped:
    """A mask that was warped, cut tight [h, w], and the matrix from its image to it."""

    mask: Mask
    matrix: Floats


def warp_tight(mask: Mask, linear: Floats, bend: Bend, *, box: Box) -> Warped:
    """Warp an object's mask [h, w], cut to its `box`, by a linear map [2, 2] after a bend, and cut the result tight."""
    matrix, size = _roomy(linear, bend, box)
    warped = warp_mask(mask, matrix, bend, size, box=box)
    rows, columns = tight(warped)
    matrix[:, 2] -= (columns.start, rows.start)
    return Warped(warped[rows, columns], matrix)


def _roomy(linear: Floats, bend: Bend, box: Box) -> tuple[Floats, tuple[int, int]]:
    """Return a matrix that shifts by whole pixels, and the (width, height) that holds the warped box and 1 px round it."""
    most = np.abs(np.array(bend or (0.0,)).reshape(-1, 2 if bend else 1)).max(axis=0) * (box.width, box.height) + 1
    x, y = (box.left - most[0], box.right - 1 + most[0]), (box.top - most[1], box.bottom - 1 + most[1])
    corners = linear @ np.array([[x[0], x[1], x[0], x[1]], [y[0], y[0], y[1], y[1]]])
    first, last = np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))
    across, down = (last - first).astype(int).tolist()
    return np.column_stack([linear, -first]), (across + 1, down + 1)
