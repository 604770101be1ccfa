"""The regions of a VIA file as masks: which attribute names the class, and what each shape covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    check_outlines,
    fill_ellipse,
    number_from,
    rectangle,
    stroke,
    turned,
)  # fmt: skip
from coigan_aug.formats.source import DROPPED, ClassChoice

LINE = "polyline"
KINDS = Kinds(frozenset({"polygon", "rect", "circle", "ellipse"}), frozenset({LINE}))
ONLY_CLASS = "1"
"""The class of all regions where none has an attribute."""
_USUAL = ("class", "label", "name", "category", "type")
_Item = dict[str, Any]


def answers_of(region: _Item) -> dict[str, str]:
    """Return the attributes of a region that say something; of boxes to tick those that are ticked."""
    return {name: text for name, value in region["region_attributes"].items() if (text := _text(value))}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(key for key, ticked in value.items() if ticked)
    return str(value).strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def class_attribute(answers: Iterable[Mapping[str, str]], choices: Sequence[ClassChoice], *, file: str) -> str:
    """Return the attribute whose values are the classes: the only one, one of a usual name, or that of --classes' values.

    Returns "" where no region has an attribute: there is one class then.

    Raises:
        DataError: it can't be told.
    """
    values: dict[str, set[str]] = {}
    for region in answers:
        for name, text in region.items():
            values.setdefault(name, set()).add(text)
    chosen = {choice.value or choice.name.lower() for choice in choices}
    meant = [name for name, texts in values.items() if chosen and chosen <= {text.lower() for text in texts}]
    usual = [name for name in values if name.lower() in _USUAL]
    for names in (list(values), meant, usual):
        if len(names) == 1:
            return names[0]
    if not values:
        return ""
    examples = "; ".join(f"{name}: {', '.join(sorted(texts)[:3])}" for name, texts in list(values.items())[:4])
    what = f"{file}: regions have several attributes, any of which may be the class ({examples})."
    raise DataError(what, remedy="Say the classes, which are values of one of them: --classes NAME,NAME")


def mask_of(shape: _Item, at: Place) -> rle.Rle | None:
    """Turn a shape that has an area (`KINDS`) into a mask; None for a polygon of fewer than 3 points, which is noted.

    Coordinates are continuous: a pixel is in when its centre is.

    Raises:
        DataError: it is malformed, or does not fit its image.
    """
    kind, width = shape["name"], at.reading.options.line_width
    if kind == "rect":
        left, top, across, down = (number_from(shape.get(key), at, key) for key in ("x", "y", "width", "height"))
        return _filled(rectangle(left, top, left + across, top + down), at)
    if kind in ("circle", "ellipse"):
        centre = number_from(shape.get("cx"), at, "cx"), number_from(shape.get("cy"), at, "cy")
        keys = ("r", "r") if kind == "circle" else ("rx", "ry")
        radii = (abs(number_from(shape.get(keys[0]), at, keys[0])), abs(number_from(shape.get(keys[1]), at, keys[1])))
        degrees = float(np.rad2deg(number_from(shape.get("theta") or 0, at, "theta")))
        box = rectangle(centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1])
        check_outlines([turned(box, degrees, centre)], at)
        return fill_ellipse(centre, radii, degrees, at=at)
    points = _points(shape, at)
    if kind == LINE and width:
        return stroke(points, width, at=at)
    if len(points) < 3:
        at.note(f"{at.text} of {at.image} has fewer than 3 points", done=DROPPED)
        return None
    return _filled(points, at)


def _filled(points: Points, at: Place) -> rle.Rle:
    check_outlines([points], at)
    return fill_coco([points], height=at.height, width=at.width)


def _points(shape: _Item, at: Place) -> Points:
    axes = shape.get("all_points_x"), shape.get("all_points_y")
    known = all(isinstance(axis, list) and all(type(v) in (int, float) for v in axis) for axis in axes)
    if not known or len(axes[0] or ()) != len(axes[1] or ()):
        what = f"{at.text} of {at.image}: all_points_x and all_points_y are not two lists of as many numbers."
        raise DataError(what)
    try:
        points = np.array(axes, np.float64).T.reshape(-1, 2)
    except OverflowError:  # a whole number that no double can hold
        points = np.full((1, 2), np.inf)
    if not (np.abs(points) < LARGEST).all():
        raise DataError(f"{at.text} of {at.image}: its points are not pixels.")
    return points
