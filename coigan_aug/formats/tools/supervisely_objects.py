"""The objects of a Supervisely annotation as masks, and masks as its bitmaps."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.polygons import Points, fill_centres
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.drawn import (
    Kinds,
    Place,
    bytes_from,
    check_box,
    check_outlines,
    points_from,
    put,
    rectangle,
    stroke,
    whole_from,
)  # fmt: skip
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.source import DROPPED
from coigan_aug.imaging import decode_bitmap, encode_bitmap

LINE = "line"
KINDS = Kinds(frozenset({"bitmap", "polygon", "rectangle"}), frozenset({LINE}), called="objects")
_PNG_MAGIC = b"\x89PNG"
_LARGEST_HEAD = 1 << 20
_BYTES_A_PIXEL = 5
_Item = dict[str, Any]


def kind_of(value: _Item, at: Place) -> str:
    """Return the geometryType of an object; older exports say it only by what the object holds.

    Raises:
        DataError: it says none.
    """
    kind = value.get("geometryType", "bitmap" if isinstance(value.get("bitmap"), dict) else "polygon")
    if not isinstance(kind, str):
        raise DataError(f"{at.text} has no usable geometryType.")
    return kind


def mask_of(value: _Item, kind: str, at: Place) -> rle.Rle | None:
    """Turn an object with an area, or a line of which the options say the width, into a mask.

    None for a polygon of fewer than 3 points, which is noted.

    Raises:
        DataError: it is malformed, or does not fit its image.
    """
    if kind == "bitmap":
        return _from_bitmap(value.get("bitmap"), at)
    points = value.get("points")
    if not isinstance(points, dict) or not isinstance(points.get("interior", []), list):
        raise DataError(f"{at.text} of {at.image} has no points with an exterior and a list of interiors.")
    outer, width = points_from(points.get("exterior"), at), at.reading.options.line_width
    if kind == LINE and width:
        return stroke(outer + 0.5, width, at=at)
    if kind == "rectangle":
        if len(outer) != 2:
            raise DataError(f"{at.text} of {at.image}: a rectangle has 2 points, this one has {len(outer)}.")
        outer = rectangle(*outer.min(axis=0), *outer.max(axis=0))
    holes = [points_from(hole, at) for hole in points.get("interior", [])] if kind == "polygon" else []
    if len(outer) < 3:
        at.note(f"{at.text} of {at.image} has fewer than 3 points", done=DROPPED)
        return None
    return _without([hole for hole in holes if len(hole)], outer, at)


def _without(holes: list[Points], outer: Points, at: Place) -> rle.Rle:
    """Fill an outline and cut the holes out of it."""
    check_outlines([outer, *holes], at)
    filled = fill_centres([outer], height=at.height, width=at.width)
    if not holes:
        return filled
    left, top, width, height = box = rle.box(filled)
    cut = rle.decode_box(fill_centres(holes, height=at.height, width=at.width), box)
    return put(rle.decode_box(filled, box) * (1 - cut), (left, top), at) if width * height else filled


def _from_bitmap(value: Any, at: Place) -> rle.Rle:
    origin = value.get("origin") if isinstance(value, dict) else None
    if not isinstance(origin, list) or len(origin) != 2:
        raise DataError(f"{at.text} of {at.image} has no bitmap with an origin [x, y].")
    left, top = (whole_from(number, at, "the bitmap's origin") for number in origin)
    try:
        mask = decode_bitmap(_unpacked(bytes_from(value.get("data"), at), at), limit=4 * at.height * at.width)
    except ValueError as error:
        raise DataError(f"{at.text} of {at.image}: its bitmap {error}.") from error
    check_box((left, top, mask.shape[1], mask.shape[0]), at)
    return put(mask, (left, top), at)


def _unpacked(data: bytes, at: Place) -> bytes:
    """Unpack a bitmap's picture, as far as a picture of the image's size can be large; one not packed stays as it is.

    Raises:
        ValueError: it is damaged, or larger.
    """
    if data.startswith(_PNG_MAGIC):
        return data
    most = _LARGEST_HEAD + _BYTES_A_PIXEL * at.height * at.width
    stream = zlib.decompressobj()
    try:
        picture = stream.decompress(data, most)
    except zlib.error as error:
        raise ValueError("is not packed as zlib packs") from error
    if not stream.eof:
        raise ValueError(f"is cut off, or unpacks to more than {most:,} bytes")
    return picture


def tags_of(value: _Item, at: Place) -> dict[str, Any]:
    """Return the tags of an object or an image: name -> value, `True` for one without a value.

    Raises:
        DataError: they are malformed.
    """
    tags = value.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, dict) for tag in tags):
        raise DataError(f"{at.text} has tags that are not a list of objects.")
    values: dict[str, Any] = {}
    for tag in tags:
        name, content = tag.get("name"), tag.get("value")
        if not isinstance(name, str) or not isinstance(content, (str, int, float, type(None))):
            raise DataError(f"{at.text} has a tag without a name or with a value that is no text or number.")
        values[name] = True if content is None else content
    return values


def written_object(annotation: Annotation, kinds: dict[str, str], record: ImageRecord, losses: Losses) -> _Item:
    """Return an object as Supervisely has it: a bitmap, and its attributes as tags, whose kinds are noted in `kinds`.

    A tag has one kind of value in a project: that of the first.
    """
    left, top, width, height = rle.box(annotation.rle)
    picture = encode_bitmap(rle.decode_box(annotation.rle, (left, top, width, height)), clear=True)
    attributes = {key: value for key, value in annotation.attributes.items() if key not in ("id", "description")}
    description = annotation.attributes.get("description", "")
    tags, lost = written_tags(attributes, kinds)
    lost += not isinstance(description, str)
    losses.add("attributes that are no tags of Supervisely, which are not written", first=record.file, count=lost)
    return {
        "classTitle": annotation.label,
        "description": description if isinstance(description, str) else "",
        "geometryType": "bitmap",
        "tags": tags,
        "bitmap": {"origin": [left, top], "data": base64.b64encode(zlib.compress(picture)).decode()},
    }


def written_tags(attributes: Mapping[str, Any], kinds: dict[str, str]) -> tuple[list[_Item], int]:
    """Return attributes as tags, and how many can't be written; the kinds of new tags are noted in `kinds`."""
    tags = []
    for name, value in attributes.items():
        kind = _kind(value)
        if kind and kinds.setdefault(name, kind) == kind:
            tags.append({"name": name, "value": None if kind == "none" else value})
    return tags, len(attributes) - len(tags)


def _kind(value: Any) -> str:
    if value is True:
        return "none"
    if isinstance(value, bool):
        return ""
    return {str: "any_string", int: "any_number", float: "any_number"}.get(type(value), "")
