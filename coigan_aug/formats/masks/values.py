"""What the pixels of a mask image mean: above 127, a value of a class, or a colour of a class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.source import ClassChoice, Problems
from coigan_aug.imaging import Pixels, read_mask, read_palette

Value = int | tuple[int, int, int]
_THRESHOLD = 127
_BINARY_MAXIMUM = 255
IGNORED = "ignore"
"""The name in --classes for a value or colour that is part of no mask, such as `ignore=255`."""


_GREY = "masks have grey pixels between 0 and 255"
_LOSSY = "masks are JPEG files, which do not keep pixels as they were"
_IGNORED = "masks have pixels to be ignored"
_DONE = {
    _GREY: f"pixels above {_THRESHOLD} taken",
    _LOSSY: f"pixels above {_THRESHOLD} taken",
    _IGNORED: "they are part of no mask",
}
"""What is counted over the masks of a source, and what becomes of it."""


def class_values(choices: Sequence[ClassChoice]) -> dict[Value, str]:
    """Return pixel value or colour -> class name for `name=3` and `name=#ff0000`; {} where no values were given.

    Raises:
        UsageError: a value is neither.
    """
    return {_value(choice): choice.name for choice in choices if choice.value}


def _value(choice: ClassChoice) -> Value:
    if re.fullmatch(r"#[0-9a-f]{6}", choice.value):
        red, green, blue = (int(choice.value[k : k + 2], 16) for k in (1, 3, 5))
        return red, green, blue
    if re.fullmatch(r"[0-9]{1,3}", choice.value) and 0 < int(choice.value) <= _BINARY_MAXIMUM:
        return int(choice.value)
    what = f"--classes {choice.name}={choice.value}: a mask's value is 1-255 or a colour such as #ff0000."
    raise UsageError(what, remedy="Write  --classes scratch=#ff0000,pit=#00ff00  or  --classes scratch=1,pit=2")


def read_masks(path: Path, *, values: Mapping[Value, str], problems: Problems) -> dict[str, rle.Rle]:
    """Read the masks of a file that have pixels: class name -> mask; the name is "" where the file has only one class.

    Raises:
        DataError: it has values or colours that no class stands for, or can't be read.
    """
    lossy = path.suffix.lower() in (".jpg", ".jpeg")
    if lossy and values:
        what = f"{path.name} is a JPEG, which does not keep values and colours as they were."
        raise DataError(what, remedy="Save the masks as PNG.")
    palette = read_palette(path) if any(isinstance(value, int) for value in values) else None
    pixels = palette if palette is not None else read_mask(path)
    if pixels.ndim == 3 and (pixels[..., :1] == pixels).all():
        pixels = pixels[..., 0]
    if values:
        found = _by_value(pixels, values, path)
        problems.count(_IGNORED, file=path.name, done=_DONE[_IGNORED], count=found.pop(IGNORED, None) is not None)
        return found
    if pixels.ndim == 3 and not lossy:
        raise _unknown(path, "colours", [_spelled(colour) for colour in _colours(pixels)])
    return _above_threshold(pixels if pixels.ndim == 2 else pixels.max(axis=2), path, problems, lossy=lossy)


def _above_threshold(pixels: Pixels, path: Path, problems: Problems, *, lossy: bool) -> dict[str, rle.Rle]:
    counts = np.bincount(pixels.ravel(), minlength=256)
    used = (np.flatnonzero(counts[1:]) + 1).tolist()
    if used in ([1], [_BINARY_MAXIMUM]) and not lossy:
        return {"": rle.encode(pixels)}
    if used and used[-1] <= _THRESHOLD and not lossy:
        raise _unknown(path, "values", [str(value) for value in used])
    what = _LOSSY if lossy else _GREY
    problems.count(what, file=path.name, done=_DONE[what], count=bool(used))
    return {"": rle.encode(pixels > _THRESHOLD)} if used and used[-1] > _THRESHOLD else {}


def _by_value(pixels: Pixels, values: Mapping[Value, str], path: Path) -> dict[str, rle.Rle]:
    found: dict[str, rle.Rle] = {}
    known = np.zeros(pixels.shape[:2], dtype=bool)
    for value, name in values.items():
        own = _equal(pixels, value)
        known |= own
        if own.any():
            found[name] = rle.encode(own)
    background = (pixels == 0) if pixels.ndim == 2 else (pixels == 0).all(axis=2)
    rest = pixels[~(known | background)]
    if len(rest) and pixels.ndim == 3:
        raise _unknown(path, "colours", [_spelled(colour) for colour in _colours(rest)])
    if len(rest):
        raise _unknown(path, "values", [str(value) for value in np.unique(rest)])
    return found


def _equal(pixels: Pixels, value: Value) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if pixels.ndim == 2:
        grey = value if isinstance(value, int) else value[0] if value[0] == value[1] == value[2] else -1
        return np.asarray(pixels == grey)
    return np.asarray((pixels == (value if isinstance(value, tuple) else (value, value, value))).all(axis=2))


def _colours(pixels: Pixels) -> list[tuple[int, int, int]]:
    """List the colours that are not black, the most frequent first."""
    codes = pixels.reshape(-1, 3).astype(np.int64) @ np.array([65536, 256, 1])
    found, counts = np.unique(codes[codes > 0], return_counts=True)
    ordered = found[np.argsort(-counts, kind="stable")].tolist()
    return [(code >> 16, code >> 8 & 255, code & 255) for code in ordered]


def _spelled(colour: tuple[int, int, int]) -> str:
    return "({},{},{})".format(*colour)


def _unknown(path: Path, kind: str, found: Sequence[str]) -> DataError:
    shown = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    example = "scratch=#ff0000,pit=#00ff00" if kind == "colours" else "scratch=1,pit=2"
    return DataError(f"{path.name} has {kind} without a class: {shown}.", remedy=f"Give --classes {example}")
