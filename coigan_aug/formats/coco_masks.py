"""The masks of a COCO file: polygons, uncompressed and compressed run lengths, checked against their image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.polygons import Points, fill_coco_many
from coigan_aug.errors import DataError
from coigan_aug.formats.coco_file import parse_text
from coigan_aug.formats.drawn import LARGEST, Place, check_outlines
from coigan_aug.formats.image_sizes import about_turning
from coigan_aug.formats.source import Problems, ReadOptions

_POLYGONS = msgspec.json.Decoder(list[list[float]])
_NUMBERS = frozenset({int, float})
_PLAIN_REACH = 0.5  # px out of the image
_AT_ONCE = 2_000_000  # px of outlines
_Item = dict[str, Any]


def masks_of(
    values: Sequence[Any], places: Sequence[Place], *, options: ReadOptions, problems: Problems
) -> list[rle.Rle | None]:
    """Turn `segmentation`s, as values or as text, into masks; None where one has no pixels, which is noted.

    Raises:
        DataError: one is of no known kind, damaged, or does not fit the image, and errors are not collected.
    """
    read = [_tried(value, at, options=options, problems=problems) for value, at in zip(values, places, strict=True)]
    masks = [None if isinstance(shape, list) else shape for shape in read]
    drawn = {k: shape for k, shape in enumerate(read) if isinstance(shape, list)}
    for k, mask in _filled(drawn, places, problems):
        masks[k] = mask
    return [_noted(mask, at, problems) for mask, at in zip(masks, places, strict=True)]


def _tried(value: Any, at: Place, *, options: ReadOptions, problems: Problems) -> rle.Rle | list[Points] | None:
    """Return run lengths as a mask, polygons as their points; None where nothing is usable, which is noted."""
    plain = _plain_polygons(value)
    if plain is not None:
        return plain
    with problems.attempt(file=at.file, done="annotation left out"):
        return _read(value, at, options, problems)
    return None


def _read(value: Any, at: Place, options: ReadOptions, problems: Problems) -> rle.Rle | list[Points] | None:
    if isinstance(value, msgspec.Raw):
        value = parse_text(value, at.file)
    if isinstance(value, dict):
        return _from_runs(value, at, options, problems)
    if isinstance(value, list):
        return _polygons(value, at, problems) or None
    raise DataError(f"{at.text} of {at.image}: the segmentation is neither polygons nor run lengths.")


def _plain_polygons(value: Any) -> list[Points] | None:
    """Turn text that is nothing but polygons of three points or more into these; None for all else."""
    if not isinstance(value, msgspec.Raw):
        return None
    try:
        parts = _POLYGONS.decode(value)
    except msgspec.MsgspecError:
        return None
    if not parts or any(len(part) < 6 or len(part) % 2 for part in parts):
        return None
    return [np.array(part, np.float64).reshape(-1, 2) for part in parts]


def _noted(mask: rle.Rle | None, at: Place, problems: Problems) -> rle.Rle | None:
    if mask is None or not rle.is_empty(mask):
        return mask
    problems.add(f"{at.text} of {at.image} has no pixels", file=at.file, done="dropped")
    return None


def _from_runs(value: _Item, at: Place, options: ReadOptions, problems: Problems) -> rle.Rle:
    if value.get("size") != [at.height, at.width]:
        turned, remedy = about_turning((at.height, at.width), value.get("size"), image=at.image)
        what = f"{at.text}: the mask's size is {value.get('size')}, {at.image} is {at.size} (height x width).{turned}"
        raise DataError(what, remedy=remedy)
    counts = value.get("counts")
    try:
        if isinstance(counts, str):
            return rle.canonical(rle.Rle(at.height, at.width, counts))
        if isinstance(counts, list) and all(type(run) is int and 0 <= run < 1 << 48 for run in counts):
            return _from_counts(counts, at, options, problems)
    except ValueError as error:
        raise DataError(f"{at.text} of {at.image}: {error}.") from error
    raise DataError(f"{at.text} of {at.image}: the counts are neither text nor whole numbers from 0.")


def _from_counts(counts: list[int], at: Place, options: ReadOptions, problems: Problems) -> rle.Rle:
    pixels = at.height * at.width
    if sum(counts) > pixels and options.clip_rle:
        problems.add(f"{at.text} of {at.image}: its runs leave the image", file=at.file, done="cut")
        edges = np.minimum(np.cumsum(np.minimum(counts, pixels + 1)), pixels)
        return rle.from_runs(at.height, at.width, np.diff(edges, prepend=0, append=pixels))
    if sum(counts) > pixels:
        what = f"{at.text}: RLE runs cover {sum(counts)} px, {at.image} has {at.height} x {at.width} = {pixels} px."
        raise DataError(f"{what} Was the mask made for another size?", remedy="--clip-rle cuts it")
    return rle.from_runs(at.height, at.width, counts)


def _polygons(value: list[Any], at: Place, problems: Problems) -> list[Points]:
    parts = value if all(isinstance(part, list) for part in value) else [value]
    usable = [part for part in parts if len(part) >= 6]
    if len(usable) < len(parts):
        few = len(parts) - len(usable)
        problems.add(f"{at.text} of {at.image}: {few} polygons have fewer than 3 points", file=at.file, done="dropped")
    return [_points(part, at) for part in usable]


def _points(part: list[Any], at: Place) -> Points:
    try:
        if len(part) % 2 == 0 and _NUMBERS.issuperset(map(type, part)):
            return np.array(part, dtype=np.float64).reshape(-1, 2)
    except OverflowError:  # a whole number that no double can hold
        pass
    raise DataError(f"{at.text} of {at.image}: a polygon is not a list of x, y pairs ({len(part)} values).")


def _filled(
    drawn: Mapping[int, list[Points]], places: Sequence[Place], problems: Problems
) -> Iterator[tuple[int, rle.Rle]]:
    """Fill the polygons of masks, having checked that they lie about their image; yield the masks' numbers and masks."""
    group: list[int] = []
    total = 0.0
    for k, length in _checked(drawn, places, problems):
        if group and total + length > _AT_ONCE:
            yield from zip(group, _fill(group, drawn, places), strict=True)
            group, total = [], 0.0
        group.append(k)
        total += length
    yield from zip(group, _fill(group, drawn, places), strict=True)


def _fill(group: Sequence[int], drawn: Mapping[int, list[Points]], places: Sequence[Place]) -> list[rle.Rle]:
    return fill_coco_many([drawn[k] for k in group], [(places[k].height, places[k].width) for k in group])


def _checked(
    drawn: Mapping[int, list[Points]], places: Sequence[Place], problems: Problems
) -> Iterator[tuple[int, float]]:
    """Yield the numbers of the masks whose outlines are right, and how long these are; only odd ones are looked at alone."""
    if not drawn:
        return
    points = np.concatenate([part for parts in drawn.values() for part in parts])
    counts = np.array([len(part) for parts in drawn.values() for part in parts])
    first = np.cumsum(counts) - counts
    before = np.roll(points, 1, axis=0)
    before[first] = points[first + counts - 1]
    own = np.cumsum([len(parts) for parts in drawn.values()])  # from polygons to masks
    begins = np.append(0, own[:-1])
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.add.reduceat(np.add.reduceat(np.abs(points - before).max(axis=1), first), begins)
        low = np.minimum.reduceat(points, first[begins], axis=0)
        high = np.maximum.reduceat(points, first[begins], axis=0)
        beyond = high - [(places[k].width, places[k].height) for k in drawn]
        plain = (np.maximum(-low, beyond).max(axis=1) <= _PLAIN_REACH) & (lengths <= _AT_ONCE)
    for k, length, fine in zip(drawn, lengths.tolist(), plain.tolist(), strict=True):
        right = fine
        if not fine:
            with problems.attempt(file=places[k].file, done="annotation left out"):
                _check(drawn[k], places[k], problems)
                right = True
        if right:
            yield k, length


def _check(parts: Sequence[Points], at: Place, problems: Problems) -> None:
    huge = next((part for part in parts if not np.abs(part).max() < LARGEST), None)
    if huge is not None:
        raise DataError(f"{at.text} of {at.image}: a polygon is not a list of x, y pairs ({huge.size} values).")
    check_outlines(parts, at, problems=problems)
