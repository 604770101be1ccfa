"""What the tests of shapes share: an image through a warp, as an engine that copies pixels takes it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Box
from coigan_aug.shapes.shape import Bend
from coigan_aug.shapes.warp import source_places


def shown(
    pixels: NDArray[np.uint8], matrix: NDArray[np.float64], bend: Bend, size: tuple[int, int], *, box: Box
) -> NDArray[np.uint8]:
    """Warp an image [H, W(, 3)] to `size` (width, height)."""
    places = source_places(matrix, bend, size, box=box)
    return np.asarray(cv2.remap(pixels, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.uint8)
