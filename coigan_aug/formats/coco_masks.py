"""The masks of a COCO file: polygons, uncompressed and compressed run lengths, checked against their image."""

from __future__ import annotations

from typing import Any

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.polygons import Points, fill_coco
from coigan_aug.errors import DataError
from coigan_aug.formats.drawn import LARGEST, Place, check_outlines
from coigan_aug.formats.image_folder import about_turning
from coigan_aug.formats.source import Problems, ReadOptions

_Item = dict[str, Any]


def mask_of(value: Any, at: Place, *, options: ReadOptions, problems: Problems) -> rle.Rle | None:
    """Turn a `segmentation` into a mask; None where it has no pixels, which is noted.

    Raises:
        DataError: it is of no known kind, damaged, or does not fit the image.
    """
    if isinstance(value, dict):
        mask: rle.Rle | None = _from_runs(value, at, options, problems)
    elif isinstance(value, list):
        mask = _from_polygons(value, at, problems)
    else:
        raise DataError(f"{at.text} of {at.image}: the segmentation is neither polygons nor run lengths.")
    if mask is None or rle.area(mask) > 0:
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


def _from_polygons(value: list[Any], at: Place, problems: Problems) -> rle.Rle | None:
    parts = value if all(isinstance(part, list) for part in value) else [value]
    usable = [part for part in parts if len(part) >= 6]
    if len(usable) < len(parts):
        few = len(parts) - len(usable)
        problems.add(f"{at.text} of {at.image}: {few} polygons have fewer than 3 points", file=at.file, done="dropped")
    if not usable:
        return None
    points = [_points(part, at) for part in usable]
    check_outlines(points, at, problems=problems)
    return fill_coco(points, height=at.height, width=at.width)


def _points(part: list[Any], at: Place) -> Points:
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) and -LARGEST < v < LARGEST for v in part)
    if not numbers or len(part) % 2:
        raise DataError(f"{at.text} of {at.image}: a polygon is not a list of x, y pairs ({len(part)} values).")
    return np.array(part, dtype=np.float64).reshape(-1, 2)
