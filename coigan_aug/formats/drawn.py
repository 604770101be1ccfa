"""What annotation tools draw: outlines, boxes, ellipses and small masks, checked against their image."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.polygons import Points
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, ReadOptions

LARGEST = 1e9
"""Coordinates beyond it are no pixels."""

_MARGIN = 1.0
_LONGEST_OUTLINE = 20_000_000
_DEEPEST = 20


@dataclass(frozen=True)
class Place:
    """Where an annotation stands, in words, and the image that it is of, with its size in pixels.

    `file` is the file's name in notes: that of `reading`, or of one of its files.
    """

    reading: Reading
    file: str
    text: str
    image: str
    height: int
    width: int

    @property
    def size(self) -> str:
        return f"{self.height} x {self.width}"

    def note(self, what: str, *, done: str) -> None:
        """Note a problem of this annotation; one that is dropped is lost to its image."""
        self.reading.problems.add(what, file=self.file, done=done, lost=self.image if done == DROPPED else "")

    def count(self, what: str, *, done: str, file: str = "", count: int = 1) -> None:
        """Count a problem that many annotations may have, as `note`; this is where it was met.

        Args:
            file: what holds them all, where that is not the file itself.
        """
        lost = self.image if done == DROPPED else ""
        self.reading.problems.count(what, file=file or self.file, first=self.text, done=done, count=count, lost=lost)


@dataclass(frozen=True)
class Kinds:
    """The kinds of shapes of a tool that become masks: those with an area, and lines where the options say their width.

    `called` is what shapes are called in notes.
    """

    areas: frozenset[str]
    lines: frozenset[str] = frozenset()
    called: str = "shapes"

    def become_masks(self, kind: str, options: ReadOptions) -> bool:
        """Tell whether shapes of a kind become masks."""
        return kind in self.areas or (kind in self.lines and options.line_width is not None)

    def note_dropped(self, kind: str, at: Place, *, file: str = "") -> None:
        """Note a shape that becomes none, which is dropped; of a line what gives it an area.

        Args:
            file: what holds all such shapes, where that is not the file itself.
        """
        more = "; --line-width PX gives it one" if kind in self.lines else ""
        at.count(f"{self.called} without an area ({kind}{more})", file=file, done=DROPPED)


def number_from(value: Any, at: Place, name: str) -> float:
    """Return a number of an annotation (a JSON number, or text that is one) as a float.

    Raises:
        DataError: it is none, or no coordinate.
    """
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else LARGEST
    except (ValueError, OverflowError):
        number = LARGEST
    if not -LARGEST < number < LARGEST:
        raise DataError(f"{at.text} of {at.image}: {name} is {_short(value)}, a number is expected.")
    return number


def whole_from(value: Any, at: Place, name: str) -> int:
    """Return a whole number of an annotation.

    Raises:
        DataError: it is none.
    """
    number = number_from(value, at, name)
    if number != int(number):
        raise DataError(f"{at.text} of {at.image}: {name} is {_short(value)}, a whole number is expected.")
    return int(number)


def points_from(value: Any, at: Place) -> Points:
    """Return a list of [x, y] as an array [n, 2].

    Raises:
        DataError: it is something else.
    """
    pairs = isinstance(value, list) and all(isinstance(point, list) and len(point) == 2 for point in value)
    if not pairs or any(type(v) not in (int, float) or not -LARGEST < v < LARGEST for point in value for v in point):
        raise DataError(f"{at.text} of {at.image}: the points are not a list of [x, y] in pixels.")
    return np.array(value, dtype=np.float64).reshape(-1, 2)


def check_outlines(polygons: Sequence[Points], at: Place) -> None:
    """Check closed outlines against their image; one that reaches out of it is noted (the filling cuts it).

    Raises:
        DataError: a polygon lies far outside, or its outline is longer than any drawn one.
    """
    far = max(float(max(-points.min(), (points - [at.width, at.height]).max())) for points in polygons)
    if far > max(at.width, at.height):
        raise DataError(f"{at.text}: a polygon reaches {far:.0f} px out of {at.image} ({at.size}).")
    length = max(float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum()) for points in polygons)
    if length > _LONGEST_OUTLINE:
        raise DataError(f"{at.text} of {at.image}: an outline is {length:,.0f} px long.")
    if far > _MARGIN:
        at.note(f"{at.text} of {at.image}: a polygon reaches {far:.0f} px out of the image", done="cut")


def note_short(at: Place, *, few: int, of: int) -> None:
    """Note outlines of fewer than 3 points: stray marks beside others, but the whole annotation where it has no others."""
    done = DROPPED if few == of else "left off"
    at.note(f"{at.text} of {at.image}: {few} polygons have fewer than 3 points", done=done)


def rectangle(left: float, top: float, right: float, bottom: float) -> Points:
    """Return the corners [4, 2] of a rectangle."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)


def turned(points: Points, degrees: float, about: tuple[float, float]) -> Points:
    """Turn points [n, 2] clockwise (as seen, y pointing down) about a point.

    >>> turned(np.array([[2.0, 1.0]]), 90, (1, 1)).round(6).tolist()
    [[1.0, 2.0]]
    """
    if degrees % 360 == 0:
        return points
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((points - about) @ matrix + about, dtype=np.float64)


def fill_ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float, *, at: Place) -> rle.Rle:
    """Fill an ellipse in continuous coordinates: a pixel is in when its centre is.

    Args:
        centre: x and y.
        radii: along x and y before turning, 0 or more.
        degrees: how far it is turned, clockwise as seen.
    """
    reach = max(radii)
    left, top = (max(int(np.floor(middle - reach)), 0) for middle in centre)
    right = min(int(np.ceil(centre[0] + reach)), at.width)
    bottom = min(int(np.ceil(centre[1] + reach)), at.height)
    if left >= right or top >= bottom or min(radii) <= 0:
        return rle.from_runs(at.height, at.width, [at.height * at.width])
    x = np.arange(left, right)[None, :] + 0.5 - centre[0]
    y = np.arange(top, bottom)[:, None] + 0.5 - centre[1]
    angle = np.deg2rad(degrees)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1
    return rle.place(inside, left=left, top=top, height=at.height, width=at.width)


def stroke(points: Points, width: float, *, at: Place) -> rle.Rle:
    """Draw a line through points [n, 2] in continuous coordinates: a pixel is in when its centre is within half the width.

    Raises:
        DataError: the line reaches far out of the image, or is longer than any drawn one.
    """
    if len(points) < 2:
        return rle.from_runs(at.height, at.width, [at.height * at.width])
    check_outlines([points], at)
    reach = width / 2
    left, top = (int(v) for v in np.clip(np.floor(points.min(axis=0) - reach), 0, [at.width, at.height]))
    right, bottom = (int(v) for v in np.clip(np.ceil(points.max(axis=0) + reach), 0, [at.width, at.height]))
    canvas = np.zeros((bottom - top, right - left), bool)
    for begin, end in zip(points[:-1] - [left, top], points[1:] - [left, top], strict=True):
        _draw_segment(canvas, begin, end, reach)
    return put(canvas, (left, top), at) if canvas.size else rle.from_runs(at.height, at.width, [at.height * at.width])


def _draw_segment(canvas: NDArray[np.bool_], begin: Points, end: Points, reach: float) -> None:
    """Set the pixels of a canvas whose centres are within a reach of a segment."""
    low = np.clip(np.floor(np.minimum(begin, end) - reach), 0, canvas.shape[::-1]).astype(int)
    high = np.clip(np.ceil(np.maximum(begin, end) + reach), 0, canvas.shape[::-1]).astype(int)
    x = np.arange(low[0], high[0])[None, :] + 0.5 - begin[0]
    y = np.arange(low[1], high[1])[:, None] + 0.5 - begin[1]
    along = end - begin
    share = np.clip((x * along[0] + y * along[1]) / max(float(along @ along), 1e-12), 0, 1)
    near = (x - share * along[0]) ** 2 + (y - share * along[1]) ** 2 <= reach**2
    canvas[low[1] : high[1], low[0] : high[0]] |= near


def check_box(box: tuple[int, int, int, int], at: Place) -> None:
    """Check that the box (left, top, width, height) of a mask lies in its image, before the mask is decoded.

    Raises:
        DataError: it is empty, or leaves the image and runs are not to be cut, or is far larger than the image.
    """
    left, top, width, height = box
    if width < 1 or height < 1:
        raise DataError(f"{at.text} of {at.image}: its box has no pixels ({height} x {width}).")
    if left >= 0 and top >= 0 and left + width <= at.width and top + height <= at.height:
        return
    where, clipping = f"{height} x {width} at row {top}, column {left}", at.reading.options.clip_rle
    if not clipping or height > 2 * at.height or width > 2 * at.width:
        what = f"{at.text}: its box ({where}) leaves {at.image} ({at.size})."
        raise DataError(what, remedy="" if clipping else "--clip-rle cuts it")
    at.note(f"{at.text} of {at.image}: its box ({where}) leaves the image", done="cut")


def put(mask: NDArray[np.generic], corner: tuple[int, int], at: Place) -> rle.Rle:
    """Put a small mask [h, w] at its corner (left, top) of the image; what leaves the image is cut."""
    left, top = corner
    outside = left >= at.width or top >= at.height or left + mask.shape[1] <= 0 or top + mask.shape[0] <= 0
    if outside:
        return rle.from_runs(at.height, at.width, [at.height * at.width])
    return rle.place(mask, left=left, top=top, height=at.height, width=at.width)


def bytes_from(text: Any, at: Place) -> bytes:
    """Decode base64; white space in it is passed over.

    Raises:
        DataError: it is no such text.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (AttributeError, binascii.Error, ValueError) as error:
        raise DataError(f"{at.text} of {at.image}: its mask is not base64 text ({_short(text)}).") from error


def with_pixels(mask: rle.Rle, at: Place) -> rle.Rle | None:
    """Return the mask; None for one without pixels, which is noted."""
    if rle.area(mask):
        return mask
    at.note(f"{at.text} of {at.image} has no pixels", done=DROPPED)
    return None


def attributes_from(item: Mapping[str, Any], at: Place, *, but: Collection[str]) -> dict[str, Any]:
    """Return what an annotation says beside its mask: all its values but those named and those that say nothing.

    Raises:
        DataError: one is nested deeper than anything a person said.
    """
    attributes = {key: value for key, value in item.items() if key not in but and value not in (None, "", [], {})}
    deep = next((key for key, value in attributes.items() if not _shallow(value, _DEEPEST)), None)
    if deep is not None:
        raise DataError(f"{at.text} of {at.image}: {deep} is nested more than {_DEEPEST} levels deep.")
    return attributes


def _shallow(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_shallow(part, levels - 1) for part in inner)


def _short(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return text if len(text) < 40 else f"{text[:36]} ..."
