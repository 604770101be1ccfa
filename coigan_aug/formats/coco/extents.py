"""Whether the areas and boxes that a COCO file says are those of its masks. Nothing is taken from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.batches import extents
from coigan_aug.annotations.rle import Rle
from coigan_aug.formats.drawn import Place

_DONE = "the masks are taken"
_AREAS = "areas are not those of their masks"
_BOXES = "boxes are not those of their masks ([left, top, width, height])"
_FACTOR = 2.0  # outlines count in other ways than pixels do, most of all those of thin parts
_SLACK = 2.0  # px: edges are rounded, or are those of pixels' centres
_MOST = 1e18
_KINDS = frozenset({int, float})
_COMMON = 0.5  # intersection over union of boxes: the tips of an outline reach farther than its pixels


def note_odd_extents(items: Sequence[Mapping[str, Any]], masks: Sequence[Rle | None], places: Sequence[Place]) -> None:
    """Note annotations whose `area` or `bbox` can't be meant for their mask; what tools round or count otherwise passes.

    Args:
        items: the annotations as the file has them.
        masks: theirs; None where one was left out.
    """
    known = [k for k, mask in enumerate(masks) if mask is not None]
    if not known:
        return
    pairs = extents([mask for mask in masks if mask is not None])
    areas = np.array([area for area, _ in pairs], np.float64)
    boxes = np.array([box for _, box in pairs], np.float64)
    masked = [items[k] for k in known]
    for what, wrong in ((_AREAS, _wrong_areas(masked, areas, boxes)), (_BOXES, _wrong_boxes(masked, boxes))):
        for k in np.flatnonzero(wrong).tolist():
            at = places[known[k]]
            first = f"{at.text.removeprefix(f'{at.file}: ')} of {at.image}"
            at.reading.problems.count(what, file=at.file, first=first, done=_DONE)


def _wrong_areas(items: Sequence[Mapping[str, Any]], areas: NDArray[Any], boxes: NDArray[Any]) -> NDArray[np.bool_]:
    stated = _numbers([[item.get("area")] for item in items], areas[:, None])[:, 0]
    around = 2 * boxes[:, 2:].sum(axis=1)
    apart = np.maximum(stated, areas) > _FACTOR * np.minimum(stated, areas)
    return np.asarray(np.isnan(stated) | (apart & (np.abs(stated - areas) > around)))


def _wrong_boxes(items: Sequence[Mapping[str, Any]], boxes: NDArray[Any]) -> NDArray[np.bool_]:
    stated = _numbers([item.get("bbox") for item in items], boxes)
    begin, end = stated[:, :2], stated[:, :2] + stated[:, 2:]
    mask_begin, mask_end = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    far = np.maximum(np.abs(begin - mask_begin), np.abs(end - mask_end)).max(axis=1) > _SLACK
    common = np.maximum(np.minimum(end, mask_end) - np.maximum(begin, mask_begin), 0).prod(axis=1)
    either = np.maximum(stated[:, 2:], 0).prod(axis=1) + boxes[:, 2:].prod(axis=1) - common
    return np.asarray(np.isnan(stated).any(axis=1) | (far & (common < _COMMON * either)))


def _numbers(stated: Sequence[Any], measured: NDArray[Any]) -> NDArray[Any]:
    """Return what is stated as an array like `measured`: the same where nothing is, NaN where it is something else."""
    rows = [row if type(row) is list and len(row) == measured.shape[1] else None for row in stated]
    plain = [value for row in rows if row is not None for value in row]
    if len(plain) == measured.size and _KINDS.issuperset(map(type, plain)):
        return np.array([min(max(value, -_MOST), _MOST) for value in plain], np.float64).reshape(measured.shape)
    return np.array([_row(row, known.tolist()) for row, known in zip(stated, measured, strict=True)])


def _row(stated: Any, measured: list[float]) -> list[float]:
    if stated is None or stated in ([None], []):
        return measured
    fitting = isinstance(stated, list) and len(stated) == len(measured) and _KINDS.issuperset(map(type, stated))
    return [min(max(value, -_MOST), _MOST) for value in stated] if fitting else [np.nan] * len(measured)
