"""Paired augmentation: a crop of an image and its mask go through the same flip, rotation and rescaling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """Mirror first, then shear (degrees; rows move along x), rotate (degrees, counter-clockwise) and rescale about the centre.

    `shift` is how far an object moves in its box, right and down, as a share of its sides: what leaves it is cut off
    (`kept`).
    """

    flip_x: bool = False
    flip_y: bool = False
    angle: float = 0.0
    scale: float = 1.0
    shear: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def exact(self) -> bool:
        """True where no pixel is interpolated."""
        return self.angle == 0 and self.scale == 1 and self.shear == 0


def draw_transform(
    rng: np.random.Generator, *, probability: float, rotate: float, scale_range: tuple[float, float], flip: bool = True
) -> Transform:
    """Draw a transform; with `probability` it rotates and rescales, otherwise it only mirrors."""
    flip_x, flip_y = (bool(value) for value in rng.random(2) < 0.5) if flip else (False, False)
    if rng.random() >= probability:
        return Transform(flip_x=flip_x, flip_y=flip_y)
    angle, scale = float(rng.uniform(-rotate, rotate)), float(rng.uniform(*scale_range))
    return Transform(flip_x=flip_x, flip_y=flip_y, angle=angle, scale=scale)


def draw_one(
    rng: np.random.Generator, *, probability: float, rotate: float, scale_range: tuple[float, float], shift: float,
    shear: float,
) -> Transform:  # fmt: skip
    """Draw a rotation, or as often a shift with rescaling and shear; with 1 - `probability` neither. Nothing is mirrored.

    Source: the thesis' code, which chooses at most one of the two, so that with a probability of 0.5 each has 25 %.
    """
    if rng.random() >= probability:
        return Transform()
    if rng.random() < 0.5:
        return Transform(angle=float(rng.uniform(-rotate, rotate)))
    right, down = (float(value) for value in rng.uniform(-shift, shift, 2))
    scale, sheared = float(rng.uniform(*scale_range)), float(rng.uniform(-shear, shear))
    return Transform(scale=scale, shear=sheared, shift=(right, down))


def apply(transform: Transform, pixels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Mask]:
    """Transform a crop [h, w(, 3)] and its mask [h, w] alike; both grow so that no mask pixel is lost.

    The crop is filled in by reflection, so border pixels of a turned defect do not mix with black.
    An object that a strong reduction would wipe out keeps at least one pixel.
    """
    columns, rows = (-1 if transform.flip_x else 1), (-1 if transform.flip_y else 1)
    pixels, mask = (np.ascontiguousarray(a[::rows, ::columns]) for a in (pixels, mask))
    if transform.exact:
        return pixels, mask
    matrix, size = _matrix(transform, *mask.shape[:2])
    turned = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    cover = cv2.warpAffine(mask.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    if not cover.any():  # so small that no sample hit it
        cover[cover.shape[0] // 2, cover.shape[1] // 2] = 1
    return np.asarray(turned, np.uint8), ((cover > 0) & (cover >= min(0.5, float(cover.max())))).astype(np.uint8)


def _matrix(transform: Transform, height: int, width: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Return the affine matrix and the (width, height) that holds the turned crop."""
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), transform.angle, transform.scale)
    turn = math.radians(transform.angle)
    cosine, sine = abs(math.cos(turn)) * transform.scale, abs(math.sin(turn)) * transform.scale
    new_width = max(math.ceil(width * cosine + height * sine), 1)
    new_height = max(math.ceil(width * sine + height * cosine), 1)
    if transform.shear:
        slant = math.tan(math.radians(transform.shear))
        matrix = matrix @ np.array([[1, slant, -slant * (height - 1) / 2], [0, 1, 0], [0, 0, 1]])
        new_width, new_height = (max(math.ceil(abs(row[0]) * width + abs(row[1]) * height), 1) for row in matrix)
    matrix[0, 2] += (new_width - width) / 2
    matrix[1, 2] += (new_height - height) / 2
    return np.asarray(matrix, np.float64), (new_width, new_height)


def matrix_of(transform: Transform, *, height: int, width: int) -> NDArray[np.float64]:
    """Return the 2 x 3 matrix that takes (x, y, 1) in a crop of that size to its place in what `apply` returns, px."""
    flip = np.diag([-1.0 if transform.flip_x else 1.0, -1.0 if transform.flip_y else 1.0, 1.0])
    flip[0, 2] = width - 1 if transform.flip_x else 0
    flip[1, 2] = height - 1 if transform.flip_y else 0
    return np.asarray(flip[:2] if transform.exact else _matrix(transform, height, width)[0] @ flip)


def kept(transform: Transform, mask: Mask) -> tuple[slice, slice]:
    """Return the rows and columns that hold a mask [h, w], less what a shift moves out of them; all where nothing is left."""
    rows, columns = tight(mask)
    right, down = transform.shift
    left = (_stays(rows, down), _stays(columns, right))
    if not mask[left].any():
        return rows, columns
    inner = tight(mask[left])
    top, start = left[0].start, left[1].start
    return slice(top + inner[0].start, top + inner[0].stop), slice(start + inner[1].start, start + inner[1].stop)


def _stays(extent: slice, shift: float) -> slice:
    out = round(abs(shift) * (extent.stop - extent.start))
    return slice(extent.start, extent.stop - out) if shift > 0 else slice(extent.start + out, extent.stop)


def tight(mask: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Return the rows and columns that hold a mask [h, w] with at least one pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
