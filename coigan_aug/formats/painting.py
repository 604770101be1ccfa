"""Masks painted into one picture of numbers, for formats in which a pixel is of one object or class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.formats.losses import Losses, class_masks

Numbers = NDArray[np.int32]
VOID_VALUE = 255
"""What void pixels are in masks of numbers, in Pascal VOC's and after its example in others'."""


def paint_objects(record: ImageRecord, losses: Losses) -> Numbers:
    """Paint the masks of an image as 1, 2, ... in their order, int32 [H, W]; a later one covers an earlier one."""
    numbers = paint(record, range(1, len(record.annotations) + 1))
    used = numbers[:, used_columns(numbers)]
    seen = np.bincount(used.ravel(), minlength=len(record.annotations) + 1)[1:].tolist()
    areas = [rle.area(annotation.rle) for annotation in record.annotations]
    whole = sum(pixels == 0 < area for pixels, area in zip(seen, areas, strict=True))
    part = sum(0 < pixels < area for pixels, area in zip(seen, areas, strict=True))
    losses.add("masks without pixels, which are left out", first=record.file, count=areas.count(0))
    losses.add("masks that later ones cover in part, which lose those pixels", first=record.file, count=part)
    losses.add("masks that later ones cover wholly, which are lost", first=record.file, count=whole)
    return numbers


def paint_classes(record: ImageRecord, values: Mapping[str, int], losses: Losses) -> Numbers:
    """Paint the masks of an image with their class' value, int32 [H, W]; a later one covers an earlier one."""
    numbers = paint(record, [values[annotation.label] for annotation in record.annotations])
    for label, mask in class_masks(record, losses):
        area, pixels = rle.area(mask), int((numbers == values[label]).sum())
        losses.add("masks without pixels, which are left out", first=record.file, count=not area)
        what = "classes that others cover in an image, which lose those pixels"
        losses.add(what, first=record.file, count=pixels < area)
    return numbers


def with_void(numbers: Numbers, record: ImageRecord) -> NDArray[np.uint8]:
    """Return a picture of numbers up to 254 [H, W] in 8 bits, with an image's void, which lies on no mask."""
    painted = numbers.astype(np.uint8)
    if record.void is not None:
        painted[rle.decode(record.void) != 0] = VOID_VALUE
    return painted


def used_columns(*pictures: NDArray[np.integer[Any]]) -> slice:
    """Return the columns between the first and the last in which a picture [H, W] is not 0; most masks are far smaller.

    >>> used_columns(np.array([[0, 0, 1, 0]]), np.array([[0, 0, 0, 2]]))
    slice(2, 4, None)
    """
    used = np.flatnonzero(np.any([picture.any(axis=0) for picture in pictures], axis=0))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)


def masks_of(numbers: NDArray[np.integer[Any]], *, left: int = 0, width: int | None = None) -> dict[int, rle.Rle]:
    """Return the mask of each number but 0 in a picture of numbers [H, W], in their order.

    Args:
        left: the first column that `numbers` are of, of a picture of `width` columns.

    >>> {number: rle.area(mask) for number, mask in masks_of(np.array([[7, 0], [7, 2]])).items()}
    {2: 1, 7: 2}
    """
    if not numbers.size:
        return {}
    flat = numbers.ravel(order="F")
    edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    order = np.argsort(flat[edges[:-1]], kind="stable")
    values = flat[edges[:-1][order]]
    starts, ends = edges[:-1][order] + left * len(numbers), edges[1:][order] + left * len(numbers)
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])).tolist()
    pairs = zip(first, [*first[1:], len(values)], strict=True)
    size = numbers.shape[0], numbers.shape[1] if width is None else width
    return {int(values[i]): rle.from_intervals(*size, starts[i:j], ends[i:j]) for i, j in pairs if values[i]}


def paint(record: ImageRecord, numbers: Iterable[int]) -> Numbers:
    """Paint each mask of an image with its number, int32 [H, W]; a later one covers an earlier one."""
    painted = np.zeros((record.height, record.width), np.int32)
    for annotation, number in zip(record.annotations, numbers, strict=True):
        left, top, width, height = region = rle.box(annotation.rle)
        mask = rle.decode_box(annotation.rle, region)
        painted[top : top + height, left : left + width][mask > 0] = number
    return painted
