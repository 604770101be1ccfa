"""Judging a translated image: do its defects stand out as before, are their edges in place, are they still found?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.annotations.rle import Rle, box, decode_box, is_empty
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.borders import AROUND, edges_moved, level_gap

LEAST_GAP = 2.0
"""Grey levels: a defect whose levels are less apart from those round it can't be told from them by eye."""
LEAST_KEPT = 0.25
"""Share of the gap that a defect had before which it must keep at least."""
LEAST_FOUND = 0.2
"""Share of a mask from which on a segmenter is said to find it; and, of what it found before, that it must find at least
where hard ones are rejected."""

Finds = Callable[[Pixels, ImageRecord], Sequence[float]]
"""An image as stored and its record -> the share of each annotation's mask that a segmenter calls its class."""


class ObjectLook(Struct, frozen=True, kw_only=True):
    """A defect before and after: gaps to the levels round it, the median px that its edge moved, shares that are found.

    None where there is nothing round it, no edge, or nobody looked.
    """

    label: str
    gap: tuple[float, float] | None = None
    moved: float | None = None
    found: tuple[float, float] | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """Why a try was rejected: the reason, the class and the number of the defect, the value and its limit."""

    attempt: int
    reason: str
    label: str
    defect: int
    value: float
    limit: float


class TranslatedRow(Struct, frozen=True, kw_only=True):
    """What became of an image: its position, its new file and the reference whose look it has; none where all tries failed."""

    position: int
    file: str | UnsetType = UNSET
    reference: str = ""
    attempt: int = 0
    objects: tuple[ObjectLook, ...] = ()
    rejected: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judge:
    """What a translated image is judged by: `on` rejects, `finds` asks a segmenter, `hard` rejects what that lost.

    With `held_only` the segmenter, which was trained on the others, is asked about test images alone.
    """

    on: bool = True
    finds: Finds | None = None
    hard: bool = False
    held_only: bool = False

    def look(self, before: Pixels, after: Pixels, record: ImageRecord) -> tuple[ObjectLook, ...]:
        """Measure each defect of an image [H, W(, 3)] before and after."""
        found: Sequence[tuple[float, float] | None] = [None] * len(record.annotations)
        asked = record.annotations and (record.split == "test" or not self.held_only)
        if self.finds is not None and asked:
            found = list(zip(self.finds(before, record), self.finds(after, record), strict=True))
        return tuple(
            _look(before, after, record, k, None if pair is None else (round(pair[0], 4), round(pair[1], 4)))
            for k, pair in enumerate(found)
        )

    def first(self, objects: Sequence[ObjectLook], *, attempt: int) -> Finding | None:
        """Return what is wrong first; None where nothing is, or nothing is rejected."""
        for k, item in enumerate(objects if self.on else ()):
            limits = [("invisible", item.gap, max(LEAST_GAP, LEAST_KEPT * item.gap[0]) if item.gap else 0.0, LEAST_GAP)]
            if self.hard:
                limits.append(("mask", item.found, LEAST_FOUND * item.found[0] if item.found else 0.0, LEAST_FOUND))
            for reason, pair, limit, judged in limits:
                if pair is not None and pair[0] >= judged and pair[1] < limit:
                    value = round(pair[1], 4)
                    return Finding(
                        attempt=attempt, reason=reason, label=item.label, defect=k, value=value, limit=round(limit, 4)
                    )
        return None


def _look(
    before: Pixels, after: Pixels, record: ImageRecord, number: int, found: tuple[float, float] | None
) -> ObjectLook:
    own = record.annotations[number]
    if is_empty(own.rle):
        return ObjectLook(label=own.label, found=found)
    region = box(own.rle).grow(AROUND + 8).clip((record.height, record.width))
    mask, free = decode_box(own.rle, region), _free(record, number, region)
    old, new = before[region.slices], after[region.slices]
    gaps = [level_gap(image, mask, free) for image in (old, new)]
    moved = edges_moved(old, new, mask)
    return ObjectLook(
        label=own.label,
        gap=None if gaps[0] is None or gaps[1] is None else (round(gaps[0], 3), round(gaps[1], 3)),
        moved=round(float(np.median(moved)), 4) if len(moved) else None,
        found=found,
    )


def _free(record: ImageRecord, number: int, region: Box) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return what of a region is neither void nor another defect's: uint8 [h, w]."""
    others: list[Rle] = [item.rle for k, item in enumerate(record.annotations) if k != number]
    taken = [decode_box(mask, region) for mask in (*others, *([] if record.void is None else [record.void]))]
    free = np.ones((region.height, region.width), np.uint8)
    for mask in taken:
        free[mask != 0] = 0
    return free
