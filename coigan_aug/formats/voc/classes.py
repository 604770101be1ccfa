"""What the pixels of Pascal VOC's masks mean: classes by colour or number, objects by number, 255 or a colour for void."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError
from coigan_aug.files import read_text
from coigan_aug.formats.painting import VOID_VALUE, used_columns
from coigan_aug.formats.source import place
from coigan_aug.imaging import Pixels, read_indexed, read_mask

Colour = tuple[int, int, int]
Numbers = NDArray[np.int32]
VOID = -1
BACKGROUND = "background"
_MOST_OBJECTS = 10_000
NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
LABELMAP = "labelmap.txt"
CLASS_NAMES = ("class_names.txt", "labels.txt", "label_list.txt", "label.txt", "classes.txt")
"""Files with the name of a class on each line, the first of which counts."""
_IGNORED = "__ignore__"
_NUMBERED = re.compile(r"([0-9]{1,3})[\s,:=]+(.+)")


def voc_colour(number: int) -> Colour:
    """Return the colour that Pascal VOC gives a number 0-255: its bits, dealt out to red, green and blue in turn.

    >>> voc_colour(1), voc_colour(15), voc_colour(255)
    ((128, 0, 0), (192, 128, 128), (224, 224, 192))
    """
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


VOC_COLOURS: tuple[Colour, ...] = tuple(voc_colour(number) for number in range(256))
VOID_COLOUR = VOC_COLOURS[VOID_VALUE]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What stands for the classes, which are told by their positions from 1 (0: none): numbers and colours."""

    numbers: Mapping[int, int]
    colours: Mapping[Colour, int]


def read_classes(path: Path, meaning: Meaning) -> Numbers:
    """Read a mask of classes: int32 [H, W], positions from 1, 0 for none, `VOID` for void.

    Where a palette has the classes' colours they count, else its numbers do.

    Raises:
        DataError: it has numbers or colours that stand for no class, or can't be read.
    """
    indexed = read_indexed(path)
    if indexed is not None:
        numbers, palette = indexed
        used = _used(numbers)
        table = _by_colour(palette, used, meaning) or _by_number(used, meaning, path)
        return _looked_up(numbers, table)
    pixels = read_mask(path)
    if pixels.ndim == 2:
        return _looked_up(pixels, _by_number(_used(pixels), meaning, path))
    codes, where = np.unique(_codes(pixels), return_inverse=True)
    colours = [_colour(code) for code in codes.tolist()]
    classes = [_of_colour(colour, meaning) for colour in colours]
    if None in classes and all(red == green == blue for red, green, blue in colours):
        table = _by_number([red for red, _, _ in colours], meaning, path)
        classes = [table[red] for red, _, _ in colours]
    wrong = [str(colour) for colour, position in zip(colours, classes, strict=True) if position is None]
    if wrong:
        raise _unknown(path, "colours", wrong)
    return np.array(classes, np.int32)[where].reshape(pixels.shape[:2])


def _used(numbers: Pixels) -> list[int]:
    """Return the numbers that a picture uses, but for the 0 beside the columns that have others."""
    part = numbers[:, used_columns(numbers)]
    return [int(value) for value in np.flatnonzero(np.bincount(part.ravel(), minlength=256))]


def _by_colour(palette: Pixels, used: Sequence[int], meaning: Meaning) -> dict[int, int] | None:
    """Return palette number -> class where the colour of each number used is known, else None.

    Only number 0 can be the background: black is also what a palette that is too short gives.
    """
    if not meaning.colours:
        return None
    classes = {value: _of_colour(_rgb(palette[value]), meaning) for value in used if value}
    if VOID_VALUE in classes and not classes[VOID_VALUE]:
        classes[VOID_VALUE] = VOID
    return {0: 0} | {value: k for value, k in classes.items() if k} if all(classes.values()) else None


def _by_number(used: Sequence[int], meaning: Meaning, path: Path) -> dict[int, int]:
    known = {0: 0, VOID_VALUE: VOID} | dict(meaning.numbers)
    wrong = [str(value) for value in used if value not in known]
    if wrong:
        raise _unknown(path, "values", wrong)
    return {value: known[value] for value in used}


def _of_colour(colour: Colour, meaning: Meaning) -> int | None:
    return meaning.colours.get(colour, {(0, 0, 0): 0, VOID_COLOUR: VOID}.get(colour))


def _looked_up(numbers: Pixels, table: Mapping[int, int]) -> Numbers:
    values = np.zeros(256, np.int32)
    values[list(table)] = list(table.values())
    return np.asarray(cv2.LUT(numbers, values), np.int32)


def read_objects(path: Path) -> Numbers:
    """Read a mask of objects: int32 [H, W], numbers from 1, 0 for none, `VOID` for void.

    Raises:
        DataError: it has more colours than a mask of objects can have, or can't be read.
    """
    indexed = read_indexed(path)
    pixels = read_mask(path) if indexed is None else indexed[0]
    if pixels.ndim == 2:
        objects = pixels.astype(np.int32)
        objects[pixels == VOID_VALUE] = VOID
        return objects
    codes, where = np.unique(_codes(pixels), return_inverse=True)
    if len(codes) > _MOST_OBJECTS:
        raise DataError(f"{path.name} has {len(codes):,} colours: is it a photograph, or saved with loss?")
    numbers = {colour: number for number, colour in enumerate(VOC_COLOURS)} | {VOID_COLOUR: VOID}
    others = 256 + np.arange(len(codes))
    values = [numbers.get(_colour(code), other) for code, other in zip(codes.tolist(), others.tolist(), strict=True)]
    return np.array(values, np.int32)[where].reshape(pixels.shape[:2])


def used_numbers(path: Path) -> set[int]:
    """Return the numbers that a mask of classes uses, without background and void, where nothing says what they mean.

    Raises:
        DataError: its colours are not those of Pascal VOC's 20 classes, or it can't be read.
    """
    indexed = read_indexed(path)
    if indexed is None:
        meaning = Meaning(numbers={}, colours={VOC_COLOURS[k]: k for k in range(1, len(NAMES) + 1)})
        return set(np.unique(read_classes(path, meaning)).tolist()) - {0, VOID}
    numbers, palette = indexed
    used = set(_used(numbers)) - {0, VOID_VALUE}
    fits = all(value <= len(NAMES) and _rgb(palette[value]) == VOC_COLOURS[value] for value in used)
    if not fits:
        raise _unknown(path, "values", [str(value) for value in sorted(used)])
    return used


def _codes(pixels: Pixels) -> NDArray[np.int64]:
    return np.asarray(pixels.reshape(-1, 3).astype(np.int64) @ np.array([65536, 256, 1]))


def _colour(code: int) -> Colour:
    return code >> 16, code >> 8 & 255, code & 255


def _rgb(colour: Pixels) -> Colour:
    red, green, blue = colour.tolist()
    return red, green, blue


def _unknown(path: Path, kind: str, values: Sequence[str]) -> DataError:
    shown = ", ".join(values[:6]) + (f" and {len(values) - 6} more" if len(values) > 6 else "")
    what = f"{path.name} has {kind} without a class: {shown}."
    return DataError(
        what, remedy=f"Name them: --classes NAME=1,NAME=2 (or =#ff0000), or a {LABELMAP} or labels.txt beside."
    )


def unnamed(numbers: Iterable[int], path: Path) -> DataError:
    """Return the error of masks whose classes have numbers, and names nowhere."""
    shown = sorted(numbers)
    what = f"the masks in {path} hold the classes {', '.join(map(str, shown[:8]))}, and no file says their names."
    example = ",".join(f"NAME={number}" for number in shown[:8])
    return DataError(what, remedy=f"Name them: --classes {example}, or put a {LABELMAP} or labels.txt beside.")


# Class names


def read_labelmap(path: Path) -> dict[str, Colour | None]:
    """Read a labelmap.txt, `name:r,g,b:parts:actions` a line: class name (`BACKGROUND` too) -> colour, if it has one.

    Raises:
        DataError: a line is malformed, or a name or colour is there twice.
    """
    colours: dict[str, Colour | None] = {}
    for row, line in _rows(path):
        name, colour = _entry(line, place(path.name, row))
        if line.startswith("#") and colour is None:
            continue
        if name in colours or (colour is not None and colour in colours.values()):
            raise DataError(f"{place(path.name, row)}  the name or colour of {name} is there twice.")
        colours[name] = colour
    return colours


def _entry(line: str, at: str) -> tuple[str, Colour | None]:
    fields = line.rsplit(":", 3) if line.count(":") >= 3 else line.split(":", 1)
    name = fields[0].strip()
    parts = [part.strip() for part in fields[1].split(",")] if len(fields) > 1 else []
    values = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 4]
    if line.startswith("#") and len(values) != 3:
        return name, None
    if not name or (parts not in ([], [""]) and (len(values) != 3 or len(parts) != 3 or max(values) > VOID_VALUE)):
        raise DataError(f"{at}  is not  name:red,green,blue::  (0-255).")
    return name, (values[0], values[1], values[2]) if values else None


def read_class_names(path: Path) -> dict[str, int]:
    """Read a list of class names: that of class k on line k, from 0, or "k name"; name -> k, without the background.

    Raises:
        DataError: it is not UTF-8 text, or a name is there twice.
    """
    lines = [(row, line) for row, line in _rows(path) if line != _IGNORED]
    numbered = [_NUMBERED.fullmatch(line) for _, line in lines]
    names = [
        match[2].strip() if match and all(numbered) else line for match, (_, line) in zip(numbered, lines, strict=True)
    ]
    for k, (row, _) in enumerate(lines):
        if names[k] in names[:k]:
            raise DataError(f"{place(path.name, row)}  the class {names[k]} is there twice.")
    offset = 0 if names and _is_background(names[0]) else 1
    numbers = [int(match[1]) if match and all(numbered) else k + offset for k, match in enumerate(numbered)]
    return {name: k for name, k in zip(names, numbers, strict=True) if k > 0 and not _is_background(name)}


def _is_background(name: str) -> bool:
    return name.strip("_").lower() == BACKGROUND


def _rows(path: Path) -> Iterable[tuple[int, str]]:
    lines = enumerate(read_text(path).splitlines(), start=1)
    return [(row, line.strip()) for row, line in lines if line.strip()]


def write_labelmap(names: Sequence[str]) -> str:
    """Write a labelmap.txt for classes that are told by their positions from 1, in Pascal VOC's colours."""
    labels = [BACKGROUND, *names]
    lines = [f"{name}:{','.join(map(str, VOC_COLOURS[k]))}::" for k, name in enumerate(labels)]
    return "\n".join(["# label:color_rgb:parts:actions", *lines, ""])
