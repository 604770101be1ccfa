"""From the image as EXIF turns it for viewing to the pixels as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.rle import Mask

_FIRST_THAT_SWAPS = 5
_BACK: Mapping[int, Callable[[Mask], Mask]] = {
    2: lambda shown: shown[:, ::-1],
    3: lambda shown: shown[::-1, ::-1],
    4: lambda shown: shown[::-1],
    5: lambda shown: shown.T,
    6: np.rot90,
    7: lambda shown: shown[::-1, ::-1].T,
    8: lambda shown: np.rot90(shown, -1),
}


def size_shown(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return height and width of an image as it is shown, given those of the stored pixels and its EXIF orientation (1-8)."""
    return size[::-1] if orientation >= _FIRST_THAT_SWAPS else size


def as_stored(mask: rle.Rle, orientation: int) -> rle.Rle:
    """Turn a mask of the image as it is shown to that of the stored pixels.

    >>> as_stored(rle.encode(np.array([[0, 1], [0, 0]])), 6) == rle.encode(np.array([[1, 0], [0, 0]]))
    True
    """
    back = _BACK.get(orientation)
    return mask if back is None else rle.encode(np.ascontiguousarray(back(rle.decode(mask))))
