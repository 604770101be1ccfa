"""The shapes of a CVAT file as masks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.filling import fill_coco
from coigan_aug.annotations.polygons import Points
from coigan_aug.errors import DataError
from coigan_aug.formats.drawn import (
    LARGEST,
    Kinds,
    Place,
    check_box,
    check_outlines,
    fill_ellipse,
    number_from,
    put,
    rectangle,
    stroke,
    turned,
    whole_from,
    with_pixels,
)  # fmt: skip
from coigan_aug.formats.source import DROPPED

LINE = "polyline"
KINDS = Kinds(frozenset({"polygon", "box", "ellipse", "mask"}), frozenset({LINE}))
_TAKEN = {"label", "points", "rle", "left", "top", "width", "height", "xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry",
          "rotation", "source"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape as the file has it: its element's name and attributes, and what a person said of it (`attributes`)."""

    kind: str
    label: str
    values: dict[str, str]
    line: int
    attributes: dict[str, str] = field(default_factory=dict)


def attributes_of(shape: Shape) -> dict[str, Any]:
    """Return what the file says of a shape beside its place: whole numbers as such (0 is left out), the rest as text."""
    values = {key: value for key, value in shape.values.items() if key not in _TAKEN and value not in ("", "0")}
    numbers: dict[str, Any] = {k: int(v) if re.fullmatch("-?[0-9]{1,18}", v) else v for k, v in values.items()}
    return numbers | shape.attributes


def mask_of(shape: Shape, at: Place) -> rle.Rle | None:
    """Turn a shape with an area into a mask; None where it has no pixels, which is noted.

    Raises:
        DataError: its values are wrong in number or kind, or don't fit the image.
    """
    width = at.reading.options.line_width
    if shape.kind == "mask":
        mask = _from_runs(shape, at)
    elif shape.kind == LINE and width:
        mask = stroke(_polygon(shape, at), width, at=at)
    elif shape.kind == "ellipse":
        cx, cy, rx, ry = (_value(shape, key, at) for key in ("cx", "cy", "rx", "ry"))
        reach = max(abs(rx), abs(ry))
        check_outlines([rectangle(cx - reach, cy - reach, cx + reach, cy + reach)], at)
        degrees = number_from(shape.values.get("rotation", "0"), at, "rotation")
        mask = fill_ellipse((cx, cy), (abs(rx), abs(ry)), degrees, at=at)
    else:
        points = _polygon(shape, at) if shape.kind == "polygon" else _box(shape, at)
        if len(points) < 3:
            at.note(f"{at.text} of {at.image}: a polygon has fewer than 3 points", done=DROPPED)
            return None
        check_outlines([points], at)
        mask = fill_coco([points], height=at.height, width=at.width)
    return with_pixels(mask, at)


def _value(shape: Shape, key: str, at: Place) -> float:
    if key not in shape.values:
        raise DataError(f"{at.text}  the {shape.kind} of {at.image} has no {key}.")
    return number_from(shape.values[key], at, key)


def _polygon(shape: Shape, at: Place) -> Points:
    pairs = [pair.split(",") for pair in shape.values.get("points", "").split(";") if pair.strip()]
    wrong = next((number for number, pair in enumerate(pairs, start=1) if len(pair) != 2), None)
    if wrong is not None:
        count = len(pairs[wrong - 1])
        raise DataError(
            f"{at.text}  point {wrong} of a {shape.kind} of {at.image} has {count} values; x,y are expected."
        )
    try:
        points = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    except ValueError as error:
        raise DataError(f"{at.text}  the points of a {shape.kind} of {at.image} are not numbers.") from error
    if not (np.abs(points) < LARGEST).all():
        raise DataError(f"{at.text}  the points of a {shape.kind} of {at.image} are not pixels.")
    return points


def _box(shape: Shape, at: Place) -> Points:
    left, top, right, bottom = (_value(shape, key, at) for key in ("xtl", "ytl", "xbr", "ybr"))
    degrees = number_from(shape.values.get("rotation", "0"), at, "rotation")
    return turned(rectangle(left, top, right, bottom), degrees, ((left + right) / 2, (top + bottom) / 2))


def _from_runs(shape: Shape, at: Place) -> rle.Rle:
    left, top, width, height = (
        whole_from(_value(shape, key, at), at, key) for key in ("left", "top", "width", "height")
    )
    check_box((left, top, width, height), at)
    try:
        counts = np.array(shape.values.get("rle", "").replace(",", " ").split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{at.text}  the rle of a mask of {at.image} is not a list of whole numbers.") from error
    if len(counts) and not 0 <= counts.min() <= counts.max() <= height * width:
        raise DataError(f"{at.text}  the rle of a mask of {at.image} has runs that leave its box.")
    if int(counts.sum()) != height * width:
        what = (
            f"{at.text}  the rle of a mask of {at.image} has {int(counts.sum())} values, its box has {height * width}"
        )
        raise DataError(f"{what} ({height} x {width}).")
    values = (np.arange(len(counts)) % 2).astype(np.uint8)
    return put(np.repeat(values, counts).reshape(height, width), (left, top), at)
