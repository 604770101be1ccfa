"""Reading mask files: beside what images are, those of 16 bits, with transparency, GIF and MATLAB."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError
from coigan_aug.headers import Header
from coigan_aug.imaging import Pixels, read_deep, read_header, read_image, read_indexed
from coigan_aug.matlab import MATLAB, read_labels

Values = NDArray[np.integer]
_HALF = 127


def read_mask_values(path: Path, *, by_number: bool = False) -> Values:
    """Read a mask as stored: whole numbers from 0, [H, W], or colours, uint8 [H, W, 3].

    Where a part of the picture is transparent and another is not, what is transparent is 0; if all the rest has one colour,
    it is 255. Grey pictures that are stored in colour are [H, W].

    Args:
        by_number: of a picture with a palette the colours' numbers; else the colours.

    Raises:
        DataError: as `imaging.read_header`, or it can't be decoded.
    """
    header = read_header(path, mask=True)
    if header.kind == MATLAB:
        return read_labels(path)
    indexed = read_indexed(path) if by_number and header.palette else None
    if indexed is not None:
        return indexed[0]
    clear = header.kind == "GIF" or (header.bits == 8 and (header.channels in (2, 4) or _may_be_clear(header)))
    pixels: Values
    alpha: Pixels | None = None
    if clear:
        pixels, alpha = _with_alpha(path)
    else:
        pixels = read_image(path) if header.bits == 8 else np.asarray(read_deep(path))
    if pixels.ndim == 3 and (pixels[..., :1] == pixels).all():
        pixels = pixels[..., 0]
    elif pixels.ndim == 3 and pixels.dtype != np.uint8:
        pixels = (pixels // 257).astype(np.uint8)
    if alpha is not None:
        pixels = _without_transparent(pixels, alpha > _HALF)
    return pixels


def _may_be_clear(header: Header) -> bool:
    return header.kind == "PNG" and header.palette


def _with_alpha(path: Path) -> tuple[Pixels, Pixels | None]:
    """Read colours, uint8 [H, W, 3], and how opaque they are, uint8 [H, W]; None where all pixels are as opaque."""
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")  # of damaged EXIF and the like, which is not used
            pixels = np.array(image.convert("RGBA"))
    except Exception as error:  # Pillow's decoders let through whatever their parts raise
        raise DataError(f"{path} can't be decoded.", remedy="Copy it again, or --skip-broken.") from error
    alpha = pixels[..., 3]
    used = (alpha > _HALF).any() and not (alpha > _HALF).all()
    return np.ascontiguousarray(pixels[..., :3]), alpha if used else None


def _without_transparent(pixels: Values, opaque: NDArray[np.bool_]) -> Values:
    rest = pixels[opaque]
    if (rest == rest[:1]).all():
        return opaque.astype(np.uint8) * np.uint8(255)
    out = pixels.copy()
    out[~opaque] = 0
    return out
