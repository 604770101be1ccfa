"""The masks of a COCO file: polygons, uncompressed and compressed run lengths, checked against their image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.filling import Outlines, fill_outlines
from coigan_aug.annotations.polygons import Points
from coigan_aug.errors import DataError
from coigan_aug.formats.coco.file import parse_text
from coigan_aug.formats.drawn import LARGEST, Place, check_outlines, note_short
from coigan_aug.formats.image_sizes import about_turning
from coigan_aug.formats.json_files import NAN
from coigan_aug.formats.source import DROPPED, as_whole

_POLYGONS = msgspec.json.Decoder(list[list[float]])
_NUMBERS = frozenset({int, float, str})
_DEEPEST = 6
_PLAIN_REACH = 0.5  # px out of the image
_AT_ONCE = 2_000_000  # px of outlines
_Item = dict[str, Any]
_Parts = list[list[float]]


def masks_of(values: Sequence[Any], places: Sequence[Place]) -> list[rle.Rle | None]:
    """Turn `segmentation`s, as values or as text, into masks; None where one has no pixels, which is noted.

    Raises:
        DataError: one is of no known kind, damaged, or does not fit the image, and errors are not collected.
    """
    shapes = [_shape(value, at) for value, at in zip(values, places, strict=True)]
    masks = [None if isinstance(shape, list) else shape for shape in shapes]
    drawn = [k for k, shape in enumerate(shapes) if isinstance(shape, list)]
    outlines = _outlines([shape for shape in shapes if isinstance(shape, list)])
    for k, filled in _filled(outlines, [places[k] for k in drawn]):
        masks[drawn[k]] = filled
    for k, (mask, at) in enumerate(zip(masks, places, strict=True)):
        if mask is not None and rle.is_empty(mask):
            at.note(f"{at.text} of {at.image} has no pixels", done=DROPPED)
            masks[k] = None
    return masks


def _shape(value: Any, at: Place) -> rle.Rle | _Parts | None:
    """Return run lengths as a mask, polygons as their numbers; None where nothing is usable, which is noted."""
    plain = _plain_polygons(value)
    if plain is not None:
        return plain
    with at.reading.problems.attempt(file=at.file, done="annotation left out", lost=at.image):
        value = _value(value, at)
        if isinstance(value, dict):
            return _from_runs(value, at)
        if isinstance(value, list) and value and all(isinstance(part, dict) and "counts" in part for part in value):
            masks = [_from_runs(part, at) for part in value]
            return masks[0] if len(masks) == 1 else rle.union(masks)
        if isinstance(value, list):
            return _polygons(value, at) or None
        raise DataError(f"{at.text} of {at.image}: the segmentation is neither polygons nor run lengths.")
    return None


def _value(value: Any, at: Place) -> Any:
    """Return a segmentation as a value: text is parsed, also where it is JSON within a string, as tables hold it."""
    if isinstance(value, msgspec.Raw):
        value = parse_text(value, at.file)
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.decode(value)
    return value


def _plain_polygons(value: Any) -> _Parts | None:
    """Parse text that is nothing but polygons of three points or more; None for all else."""
    if not isinstance(value, msgspec.Raw):
        return None
    try:
        parts = _POLYGONS.decode(value)
    except msgspec.MsgspecError:
        return None
    return parts if parts and not any(len(part) < 6 or len(part) % 2 for part in parts) else None


def _from_runs(value: _Item, at: Place) -> rle.Rle:
    sides = value.get("size")
    size = [as_whole(side) for side in sides] if isinstance(sides, list) else sides
    if size != [at.height, at.width]:
        turned, remedy = about_turning((at.height, at.width), sides, image=at.image)
        what = f"{at.text}: the mask's size is {sides}, {at.image} is {at.size} (height x width).{turned}"
        raise DataError(what, remedy=remedy)
    counts = value.get("counts")
    try:
        if isinstance(counts, str):
            return rle.canonical(rle.Rle(at.height, at.width, _compressed(counts)))
        runs: list[Any] = [as_whole(run) for run in counts] if isinstance(counts, list) else [None]
        if all(type(run) is int and 0 <= run < 1 << 48 for run in runs):
            return _from_counts(runs, at)
    except ValueError as error:
        raise DataError(f"{at.text} of {at.image}: {error}.") from error
    raise DataError(f"{at.text} of {at.image}: the counts are neither text nor whole numbers from 0.")


def _compressed(counts: str) -> str:
    """Return a compressed string without the marks of Python's bytes (b'...'), of which no sign is one of its own."""
    marked = counts[:2] in ("b'", 'b"') and counts[-1:] == counts[1] and len(counts) > 2
    return counts[2:-1].replace("\\\\", "\\") if marked else counts


def _from_counts(counts: list[int], at: Place) -> rle.Rle:
    pixels = at.height * at.width
    if sum(counts) > pixels and at.reading.options.clip_rle:
        at.note(f"{at.text} of {at.image}: its runs leave the image", done="cut")
        edges = np.minimum(np.cumsum(np.minimum(counts, pixels + 1)), pixels)
        return rle.from_runs(at.height, at.width, np.diff(edges, prepend=0, append=pixels))
    if sum(counts) > pixels:
        what = f"{at.text}: RLE runs cover {sum(counts)} px, {at.image} has {at.height} x {at.width} = {pixels} px."
        raise DataError(f"{what} Was the mask made for another size?", remedy="--clip-rle cuts it")
    return rle.from_runs(at.height, at.width, counts)


def _polygons(value: list[Any], at: Place) -> _Parts:
    parts = _flat(value, at)
    usable = [part for part in parts if len(part) >= 6]
    if len(usable) < len(parts):
        note_short(at, few=len(parts) - len(usable), of=len(parts))
    return [_numbers(part, at) for part in usable]


def _flat(value: list[Any], at: Place, *, depth: int = 1) -> list[list[Any]]:
    """Return polygons as x, y, x, y, ...: a list of numbers is one, and so is one of pairs [x, y], at whatever depth."""
    if depth > _DEEPEST:
        raise DataError(f"{at.text} of {at.image}: its polygons are nested more than {_DEEPEST} levels deep.")
    value = [[part["x"], part["y"]] if isinstance(part, dict) and {"x", "y"} <= part.keys() else part for part in value]
    if not value or not all(isinstance(part, list) for part in value):
        return [value]
    inner = [_flat(part, at, depth=depth + 1) for part in value]
    points = [parts[0] for parts in inner if len(parts) == 1 and len(parts[0]) == 2]
    if len(points) == len(inner) and (len(points) > 2 or depth > 1):
        return [[number for point in points for number in point]]
    return [part for parts in inner for part in parts]


def _numbers(part: list[Any], at: Place) -> list[float]:
    try:
        if len(part) % 2 == 0 and _NUMBERS.issuperset(map(type, part)):
            return [float(value) for value in part]
    except (OverflowError, ValueError):  # a whole number that no double can hold; text that is no number
        pass
    many = "it holds NaN" if any(value is NAN for value in part) else f"{len(part)} values"
    raise DataError(f"{at.text} of {at.image}: a polygon is not a list of x, y pairs ({many}).")


def _outlines(masks: Sequence[_Parts]) -> Outlines:
    """Put polygons, each the numbers x, y, x, y, ..., into one."""
    polygons = [part for parts in masks for part in parts]
    sizes = np.array([len(part) for part in polygons], np.int64)
    numbers = np.fromiter(chain.from_iterable(polygons), np.float64, int(sizes.sum()))
    parts = np.array([len(parts) for parts in masks], np.int64)
    return Outlines(numbers.reshape(-1, 2), sizes // 2, parts)


def _filled(outlines: Outlines, places: Sequence[Place]) -> Iterator[tuple[int, rle.Rle]]:
    """Fill the polygons of masks, having checked that they lie about their image; yield the masks' numbers and masks."""
    if not places:
        return
    sizes = [(at.height, at.width) for at in places]
    lengths, plain = _measured(outlines, sizes)
    for k in np.flatnonzero(~plain).tolist():
        at = places[k]
        with at.reading.problems.attempt(file=at.file, done="annotation left out", lost=at.image):
            _check(outlines[k : k + 1], at)
            plain[k] = True
    for group in _groups(lengths.tolist(), plain.tolist()):
        yield from enumerate(fill_outlines(outlines[group], sizes[group]), start=group.start)


def _groups(lengths: Sequence[float], right: Sequence[bool]) -> Iterator[slice]:
    """Part masks that are right into slices that are worth filling at once, and bounded in memory."""
    first, total = 0, 0.0
    for k, length in enumerate(lengths):
        if not right[k] or (k > first and total + length > _AT_ONCE):
            if k > first:
                yield slice(first, k)
            first, total = k if right[k] else k + 1, 0.0
        total += length if right[k] else 0.0
    if first < len(lengths):
        yield slice(first, len(lengths))


def _measured(outlines: Outlines, sizes: Sequence[tuple[int, int]]) -> tuple[Points, NDArray[np.bool_]]:
    """Return how long the outlines of each mask are in pixels, and which lie within their image as those of tools do."""
    begins = outlines.first[np.cumsum(outlines.parts) - outlines.parts]
    behind, (heights, widths) = outlines.next, np.array(sizes).T
    reach, steps = np.full(len(sizes), -np.inf), np.zeros(len(outlines.points))
    with np.errstate(over="ignore"):
        for values, most in zip(np.ascontiguousarray(outlines.points.T), (widths, heights), strict=True):
            np.maximum(steps, np.abs(values.take(behind) - values), out=steps)
            np.maximum(reach, -np.minimum.reduceat(values, begins), out=reach)
            np.maximum(reach, np.maximum.reduceat(values, begins) - most, out=reach)
        lengths = np.add.reduceat(steps, begins)
    return lengths, (reach <= _PLAIN_REACH) & (lengths <= _AT_ONCE)


def _check(outlines: Outlines, at: Place) -> None:
    """Check the polygons of one mask as those of other formats are.

    Raises:
        DataError: they are wrong.
    """
    parts = np.split(outlines.points, outlines.first[1:])
    huge = next((part for part in parts if not np.abs(part).max() < LARGEST), None)
    if huge is not None:
        raise DataError(f"{at.text} of {at.image}: a polygon is not a list of x, y pairs ({huge.size} values).")
    check_outlines(parts, at)
