"""The shapes of a labelme file as masks, and masks as shapes."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from coigan_aug.annotations import rle
from coigan_aug.annotations.polygons import Points, trace_centres
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.drawn import Kinds, Place, bytes_from, check_box, check_outlines, points_from, put, stroke
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.source import DROPPED
from coigan_aug.imaging import decode_bitmap, encode_bitmap

KINDS = Kinds(
    frozenset({"polygon", "rectangle", "oriented_rectangle", "rotation", "quadrilateral", "circle", "mask"}),
    frozenset({"line", "linestrip"}),
)
_OWN = frozenset({"label", "points", "shape_type", "mask"})
_Item = dict[str, Any]


def shapes_of(item: _Item, file: str) -> list[_Item]:
    """Return the shapes of a file, each with its label, group_id and shape_type (a polygon where none is said) checked.

    Raises:
        DataError: they are malformed.
    """
    shapes = item["shapes"]
    if not isinstance(shapes, list):
        raise DataError(f"{file} is not a labelme file: it has no list 'shapes'.")
    for k, shape in enumerate(shapes):
        if not isinstance(shape, dict):
            raise DataError(f"{file}: shapes[{k}] is not an object.")
        shape["shape_type"] = shape.get("shape_type") or "polygon"
        if not isinstance(shape["shape_type"], str):
            raise DataError(f"{file}: shapes[{k}] has no usable shape_type.")
        if type(shape.get("label")) not in (str, int) or shape["label"] == "":
            raise DataError(f"{file}: shapes[{k}] has no label.")
        if type(shape.get("group_id")) not in (str, int, type(None)):
            raise DataError(f"{file}: shapes[{k}] has no usable group_id; a whole number is expected.")
    return shapes


def mask_of(shape: _Item, at: Place) -> rle.Rle | None:
    """Turn a shape that has an area (`KINDS`) into a mask; None for a polygon of fewer than 3 points, which is noted.

    Raises:
        DataError: it is malformed, or does not fit its image.
    """
    points = points_from(shape.get("points"), at)
    kind, width = shape["shape_type"], at.reading.options.line_width
    if kind in KINDS.lines and width:
        return stroke(points, width, at=at)
    if kind == "mask":
        return _from_picture(shape, points, at)
    if len(points) != 2 and (kind == "circle" or (kind == "rectangle" and len(points) != 4)):
        raise DataError(f"{at.text} of {at.image}: a {kind} has 2 points, this one has {len(points)}.")
    if len(points) < 3 and kind not in ("circle", "rectangle"):
        at.note(f"{at.text} of {at.image} has fewer than 3 points", done=DROPPED)
        return None
    if kind == "circle":
        radius = math.dist(points[0], points[1])
        points = np.stack([points[0] - radius, points[0] + radius])
    elif kind == "rectangle" and len(points) == 2:
        points = np.stack([points.min(axis=0), points.max(axis=0)])
    check_outlines([points], at)
    return _draw(kind if len(points) == 2 else "polygon", np.trunc(points).astype(np.int64), at)


def _draw(kind: str, pixels: NDArray[np.int64], at: Place) -> rle.Rle:
    """Draw a shape as labelme does: by Pillow, through the pixels [n, 2] that its points lie in.

    The canvas begins where the image does, since Pillow's rounding depends on it.
    """
    left, top = (int(v) for v in np.maximum(pixels.min(axis=0), 0))
    right, bottom = (int(v) for v in np.minimum(pixels.max(axis=0) + 1, [at.width, at.height]))
    image = Image.new("L", (max(right, 0), max(bottom, 0)))
    pen = ImageDraw.Draw(image)
    corners = [(x, y) for x, y in pixels.tolist()]
    draw = {"circle": pen.ellipse, "rectangle": pen.rectangle}.get(kind, pen.polygon)
    draw(corners, outline=1, fill=1)
    return put(np.asarray(image)[top:, left:], (left, top), at)


def _from_picture(shape: _Item, points: Points, at: Place) -> rle.Rle:
    """Decode a mask's picture and put it at its box. The box is that of the picture where the points have fractions."""
    if len(points) != 2:
        raise DataError(f"{at.text} of {at.image}: a mask has 2 points, this one has {len(points)}.")
    left, top, right, bottom = (int(v) for v in np.rint(points).ravel())
    box = (left, top, right - left + 1, bottom - top + 1)
    check_box(box, at)
    try:
        mask = decode_bitmap(bytes_from(shape.get("mask"), at), limit=4 * at.height * at.width)
    except ValueError as error:
        raise DataError(f"{at.text} of {at.image}: its mask {error}.") from error
    height, width = mask.shape
    if (points == np.rint(points)).all() and (width, height) != box[2:]:
        what = f"{at.text} of {at.image}: its mask is {height} x {width} pixels, its box is {box[3]} x {box[2]}."
        raise DataError(what)
    return put(mask, (left, top), at)


# Writing


def written_shapes(record: ImageRecord, losses: Losses, *, polygons: bool) -> Iterator[_Item]:
    """Yield the shapes of an image's objects as labelme's JSON has them; masks without pixels are left out.

    Args:
        polygons: outlines instead of masks.
    """
    groups = _Groups(record)
    for annotation in record.annotations:
        empty = rle.area(annotation.rle) == 0
        losses.add("masks without pixels, which are left out", first=record.file, count=empty)
        if empty:
            continue
        about = _about(annotation.attributes, record, losses)
        pieces = [(points + 0.5).tolist() for points in trace_centres(annotation.rle)] if polygons else []
        group = groups.of(annotation, losses, several=len(pieces) > 1)
        shape = {"label": annotation.label, "group_id": group} | about
        if polygons:
            yield from (shape | {"shape_type": "polygon", "points": points, "mask": None} for points in pieces)
        else:
            yield shape | _picture(annotation.rle)


class _Groups:
    """Gives the objects of an image their group_ids, so that none is read again as a part of another."""

    def __init__(self, record: ImageRecord) -> None:
        self._file = record.file
        self._taken = {_group(annotation) for annotation in record.annotations}
        self._used: set[tuple[str, int]] = set()

    def of(self, annotation: Annotation, losses: Losses, *, several: bool) -> int | None:
        """Return the group_id to write; None where none is needed."""
        group = _group(annotation)
        if group is not None and (annotation.label, group) in self._used:
            losses.add("group_ids that objects of one class share, which become others", first=self._file)
            group, several = None, True
        if group is None and several:
            group = next(k for k in range(1, len(self._taken) + 2) if k not in self._taken)
        if group is not None:
            self._taken.add(group)
            self._used.add((annotation.label, group))
        return group


def _group(annotation: Annotation) -> int | None:
    group = annotation.attributes.get("group_id")
    return group if type(group) is int else None


def _about(attributes: Mapping[str, Any], record: ImageRecord, losses: Losses) -> _Item:
    """Return what is written beside an object's mask; labelme takes flags, a description and any other key."""
    flags, description = attributes.get("flags", {}), attributes.get("description", "")
    usable = isinstance(flags, dict) and all(isinstance(value, bool) for value in flags.values())
    about: _Item = {"flags": flags if usable else {}}
    about["description"] = description if isinstance(description, str) else ""
    group = attributes.get("group_id")
    lost = (not usable) + (not isinstance(description, str)) + (group is not None and type(group) is not int)
    lost += sum(key in _OWN for key in attributes)
    losses.add("attributes that labelme has other uses for, which are not written", first=record.file, count=lost)
    return about | {key: v for key, v in attributes.items() if key not in _OWN | {"flags", "description", "group_id"}}


def _picture(mask: rle.Rle) -> _Item:
    left, top, width, height = rle.box(mask)
    picture = encode_bitmap(rle.decode_box(mask, (left, top, width, height)))
    points = [[left, top], [left + width - 1, top + height - 1]]
    return {"shape_type": "mask", "points": points, "mask": base64.b64encode(picture).decode()}
