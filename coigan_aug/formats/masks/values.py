"""What the pixels of a mask image mean: above 127, a value of a class, or a colour of a class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import resize
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.masks.layouts import Coding
from coigan_aug.formats.source import ClassChoice, Problems
from coigan_aug.mask_image import Values, read_mask_values

Value = int | tuple[int, int, int]
_THRESHOLD = 127
_BINARY_MAXIMUM = 255
_ROWS = 256  # that pixels are counted in: counting takes 8 bytes a pixel
_MOST_CLASSES = 31
"""Values up to this beside 255 alone are those of classes, and 255 is a border."""
MOST_GREYS, _MOST_COLOURS, _PLATEAU = 16, 256, 0.5
"""More values than this, and less than this share of the pixels nearly black or white, are a photograph."""
IGNORED = "ignore"
"""The name in --classes for a value or colour that is void, such as `ignore=255`."""


_GREY = "masks have grey pixels between 0 and 255"
_LOSSY = "masks are JPEG files, which do not keep pixels as they were"
_DONE = {
    _GREY: f"pixels above {_THRESHOLD} taken",
    _LOSSY: f"pixels above {_THRESHOLD} taken",
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


@dataclass(frozen=True)
class Meaning:
    """What pixels of masks mean.

    Args:
        values: value or colour -> class; {}: the masks have one class.
        coding: of masks of one class, as in `layouts.Declaration`.
        inverted: in masks of one class the defect is what is not marked.
    """

    values: Mapping[Value, str] = field(default_factory=dict)
    coding: Coding = ""
    inverted: bool = False


@dataclass(frozen=True)
class Part:
    """A mask in a file: its class ("" where the file has only one), the number of its object (0: none), its pixels."""

    name: str
    number: int
    mask: rle.Rle


@dataclass(frozen=True)
class Masks:
    """What a file holds: masks that have pixels, and the void pixels, None where there are none."""

    parts: list[Part]
    void: rle.Rle | None = None

    def resized(self, *, height: int, width: int) -> Masks:
        """Return them at another size, px; themselves where they have it."""

        def at_size(mask: rle.Rle) -> rle.Rle:
            if (mask.height, mask.width) == (height, width):
                return mask
            pixels = rle.decode(mask)
            if height < mask.height or width < mask.width:
                return rle.encode(resize(pixels, height=height, width=width))
            larger = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
            return rle.encode(np.asarray(larger, np.uint8))

        parts = [replace(part, mask=at_size(part.mask)) for part in self.parts]
        return Masks(parts, None if self.void is None else at_size(self.void))


class NoMaskError(DataError):
    """A picture is no mask, but a photograph."""


def read_masks(path: Path, *, meaning: Meaning, problems: Problems) -> Masks:
    """Read the masks of a file, and what is void in it: what --classes ignores, or 255 beside named values.

    Raises:
        NoMaskError: it is a photograph.
        DataError: it has values or colours that no class stands for, or can't be read.
    """
    lossy, values = path.suffix.lower() in (".jpg", ".jpeg"), meaning.values
    if lossy and values:
        what = f"{path.name} is a JPEG, which does not keep values and colours as they were."
        raise DataError(what, remedy="Save the masks as PNG.")
    by_number = any(isinstance(value, int) for value in values) or meaning.coding == "numbered"
    pixels = read_mask_values(path, by_number=by_number)
    if values:
        masks = _by_value(pixels, values, path)
        void = masks.pop(IGNORED, None)
        return Masks([Part(name, 0, mask) for name, mask in masks.items()], void)
    if pixels.ndim == 3 and not lossy:
        colours = _colours(pixels)
        if len(colours) > _MOST_COLOURS:
            raise _photograph(path, len(colours), "colours")
        raise _unknown(path, "colours", [_spelled(colour) for colour in colours])
    numbers = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    return Masks(_of_one_class(numbers, path, meaning, problems, lossy=lossy))


def _of_one_class(pixels: Values, path: Path, meaning: Meaning, problems: Problems, *, lossy: bool) -> list[Part]:
    used, sizes = _histogram(pixels)
    if meaning.coding == "numbered" and _is_numbered(used, sizes):
        return [Part("", value, rle.encode(pixels == value)) for value in used]
    least = 1 if meaning.coding == "filled" and not lossy else _least(pixels, used, path, lossy=lossy)
    if least > 1:
        what = _LOSSY if lossy else _GREY
        problems.count(what, file=path.name, done=_DONE[what], count=bool(used))
    if not used and not meaning.inverted:
        return []
    mask = (pixels >= least) != meaning.inverted
    return [Part("", 0, rle.encode(mask))] if mask.any() else []


def _histogram(pixels: Values) -> tuple[list[int], list[int]]:
    """Return the values but 0 that occur, in their order, and how many pixels have each."""
    if pixels.dtype == np.uint8:
        values, counts = np.arange(256), np.zeros(256, np.int64)
        for rows in range(0, len(pixels), _ROWS):
            counts += np.bincount(pixels[rows : rows + _ROWS].ravel(), minlength=256)
    else:
        values, counts = np.unique(pixels, return_counts=True)
    kept = (values > 0) & (counts > 0)
    return values[kept].tolist(), counts[kept].tolist()


def _least(pixels: Values, used: Sequence[int], path: Path, *, lossy: bool) -> int:
    """Return the least value that is the defect: 1 where there is but one other than 0, else half of the largest possible.

    Raises:
        NoMaskError: it is a photograph.
        DataError: the values are those of classes or objects.
    """
    if not lossy and (not used or used in ([1], [_BINARY_MAXIMUM], [np.iinfo(pixels.dtype).max])):
        return 1
    most = _BINARY_MAXIMUM if not used or used[-1] <= _BINARY_MAXIMUM else int(np.iinfo(pixels.dtype).max)
    indices = not lossy and bool(used) and (used[-1] <= most // 2 or is_void(used))
    if not indices and _is_photograph(pixels, len(used), most):
        raise _photograph(path, len(used), "values")
    if indices or (most > _BINARY_MAXIMUM and most not in used):
        raise _unknown(path, "values", [str(value) for value in used])
    return most // 2 + 1


def is_void(used: Sequence[int]) -> bool:
    """Tell whether 255 is a border that is part of no class, since all other values but 0 are those of classes: 1, 2, 255."""
    others = [value for value in used if value != _BINARY_MAXIMUM]
    return _BINARY_MAXIMUM in used and bool(others) and max(others) <= _MOST_CLASSES


def _is_numbered(used: Sequence[int], sizes: Sequence[int]) -> bool:
    """Tell whether values number objects: not those of a mask with grey edges, of which most pixels are 255."""
    edged = bool(used) and used[-1] == _BINARY_MAXIMUM and sizes[-1] * 2 > sum(sizes)
    return len(used) > 1 and not edged and not (is_void(used) and _BINARY_MAXIMUM - 1 not in used)


def _is_photograph(pixels: Values, values: int, most: int) -> bool:
    """Tell whether a picture has many values and no plateau: most of a mask is black or white, grey is at the edges."""
    edge = most // 32
    return values > MOST_GREYS and bool(((pixels <= edge) | (pixels >= most - edge)).mean() < _PLATEAU)


def _by_value(pixels: Values, values: Mapping[Value, str], path: Path) -> dict[str, rle.Rle]:
    masks: dict[str, rle.Rle] = {}
    known = np.zeros(pixels.shape[:2], dtype=bool)
    for value, name in _with_border(pixels, values).items():
        mask = _equal(pixels, value)
        known |= mask
        if mask.any():
            masks[name] = rle.encode(mask)
    background = (pixels == 0) if pixels.ndim == 2 else (pixels == 0).all(axis=2)
    rest = pixels[~(known | background)]
    if len(rest) and pixels.ndim == 3:
        raise _unknown(path, "colours", [_spelled(colour) for colour in _colours(rest)])
    if len(rest):
        raise _unknown(path, "values", [str(value) for value in np.unique(rest)])
    return masks


def _with_border(pixels: Values, values: Mapping[Value, str]) -> Mapping[Value, str]:
    """Return the named values, and 255 as void where it is none of them, but the border that it is beside small values.

    In a mask that has no other value it may as well be the one class, under another value than was said.
    """
    numbers = [value for value in values if isinstance(value, int)]
    border = len(numbers) == len(values) and pixels.ndim == 2 and is_void([*numbers, _BINARY_MAXIMUM])
    alone = len(numbers) == 1 and not (pixels == numbers[0]).any()
    return {**values, _BINARY_MAXIMUM: IGNORED} if border and _BINARY_MAXIMUM not in values and not alone else values


def _equal(pixels: Values, value: Value) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    if pixels.ndim == 2:
        grey = value if isinstance(value, int) else value[0] if value[0] == value[1] == value[2] else -1
        return np.asarray(pixels == grey)
    return np.asarray((pixels == (value if isinstance(value, tuple) else (value, value, value))).all(axis=2))


def _colours(pixels: Values) -> list[tuple[int, int, int]]:
    """List the colours that are not black, the most frequent first."""
    codes = pixels.reshape(-1, 3).astype(np.int64) @ np.array([65536, 256, 1])
    distinct, counts = np.unique(codes[codes > 0], return_counts=True)
    ordered = distinct[np.argsort(-counts, kind="stable")].tolist()
    return [(code >> 16, code >> 8 & 255, code & 255) for code in ordered]


def _spelled(colour: tuple[int, int, int]) -> str:
    return "({},{},{})".format(*colour)


def _photograph(path: Path, count: int, kind: str) -> NoMaskError:
    what = f"{path.name} is no mask but a photograph: {count:,} {kind} and nothing that is all black or white."
    return NoMaskError(what, remedy="Name the folder of the masks: coigan-aug import MASKS --images IMAGES")


def _unknown(path: Path, kind: str, values: Sequence[str]) -> DataError:
    shown = ", ".join(values[:6]) + (f" and {len(values) - 6} more" if len(values) > 6 else "")
    what = f"{path.name} has {kind} without a class: {shown}."
    if kind == "colours":
        return DataError(what, remedy="Give --classes scratch=#ff0000,pit=#00ff00")
    return DataError(what, remedy=naming([int(value) for value in values]))


def naming(values: Sequence[int]) -> str:
    """Return what to type where nothing names the values of masks, filled with those that were seen."""
    many = len(values) > _MOST_CLASSES
    named = ",".join(f"NAME={value}" for value in values if value < _BINARY_MAXIMUM and not many) or "NAME=1,NAME=2"
    ignoring = f",{IGNORED}={_BINARY_MAXIMUM}" if _BINARY_MAXIMUM in values and not many else ""
    objects = "" if ignoring or len(values) < 2 else "  or, if they number objects:  --classes NAME"
    return f"Name them: --classes {named}{ignoring}{objects}"
