"""Objects: the 8-connected components of the masks, one by one, at the working scale; metadata only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from coigan_aug.annotations import masks, rle
from coigan_aug.annotations.components import split_components
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.geometry import Box
from coigan_aug.store.dataset import Dataset

LARGE = 1 << 24
"""Pixels of an image from which on its masks are made smaller in windows: below, all at once is as fast."""
SMALLEST_CROP = 32  # px: least side of the square in which an object is looked at


@dataclass(frozen=True, slots=True)
class DefectObject:
    """One defect: the record it is in, its class (by position), its mask at full and at working size.

    `box` is that of the scaled mask in the scaled image, px.
    """

    position: int
    label: int
    full: rle.Rle
    scaled: rle.Rle
    box: Box


def scaled_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return an image's height and width at the working scale, at least 1 px each."""
    return max(round(height * scale), 1), max(round(width * scale), 1)


def find_objects(dataset: Dataset, positions: Iterable[int], *, scale: float) -> list[DefectObject]:
    """List the objects of the records at `positions`, in their order, then by class, then by first pixel."""
    return [item for k in positions for item in objects_of(dataset[k], k, names=dataset.names, scale=scale)]


def objects_of(record: ImageRecord, position: int, *, names: Sequence[str], scale: float) -> list[DefectObject]:
    """List the objects of a record, by class (`names` in their order), then by first pixel."""
    objects: list[DefectObject] = []
    for label, name in enumerate(names):
        masks = [annotation.rle for annotation in record.annotations if annotation.label == name]
        parts = split_components(rle.union(masks)) if masks else []
        objects += [_scaled(position, label, part, record, scale) for part in parts]
    return objects


def _scaled(position: int, label: int, part: rle.Rle, record: ImageRecord, scale: float) -> DefectObject:
    if scale == 1:
        return DefectObject(position, label, part, part, rle.box(part))
    height, width = scaled_size(record.height, record.width, scale)
    if record.height * record.width > LARGE and scale < 1:
        item = rle.box(part)
        top, bottom, small_top, small_bottom = _window(item.top, item.bottom, part.height, height)
        left, right, small_left, small_right = _window(item.left, item.right, part.width, width)
        seen = rle.decode_box(part, Box(left, top, right - left, bottom - top))
        shown = masks.resize(seen, height=small_bottom - small_top, width=small_right - small_left)
        small = rle.place(shown, left=small_left, top=small_top, height=height, width=width)
    else:
        small = rle.encode(masks.resize(rle.decode(part), height=height, width=width))
    return DefectObject(position, label, part, small, rle.box(small))


def _window(start: int, end: int, before: int, after: int) -> tuple[int, int, int, int]:
    """Widen an extent of a side that shrinks from `before` to `after` px so that its ends lie between pixels of both.

    Returns:
        where it starts and ends before, and after: shrunk alone, it comes out as it does in the whole.

    >>> _window(5, 7, 100, 50), _window(5, 7, 99, 33), _window(5, 7, 99, 50)
    ((4, 8, 2, 4), (3, 9, 1, 3), (0, 99, 0, 50))
    """
    common = math.gcd(before, after)
    step, small = before // common, after // common
    first, last = start // step, -(-end // step)
    return first * step, last * step, first * small, last * small


def scaled_void(record: ImageRecord, scale: float) -> rle.Rle | None:
    """Return an image's void at the working scale: each pixel that some of it lies in; None where there is none."""
    if record.void is None or scale == 1:
        return record.void
    height, width = scaled_size(record.height, record.width, scale)
    return rle.encode(masks.cover(rle.decode(record.void), height=height, width=width))


def window_masks(objects: Iterable[DefectObject], region: Box, *, classes: int) -> rle.Mask:
    """Draw the scaled masks of one image's objects inside a region: uint8 [K, h, w]."""
    out = np.zeros((classes, region.height, region.width), np.uint8)
    for item in objects:
        if item.box.meets(region):
            inner = item.box.seen_from(region).clip((region.height, region.width))
            held = Box(inner.left + region.left, inner.top + region.top, inner.width, inner.height)
            out[item.label][inner.slices] |= rle.decode_box(item.scaled, held)
    return out
