"""Void pixels: those of which nobody says whether they are defect or clean surface, as the borders of Pascal VOC's objects."""

from __future__ import annotations

from collections.abc import Sequence

from coigan_aug.annotations import rle
from coigan_aug.annotations.components import split_components
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.annotations.rle import Mask, Rle


def no_surface(record: ImageRecord) -> Rle:
    """Return all of an image that is not known to be clean surface: its masks and its void; the image has one at least."""
    return rle.union([annotation.rle for annotation in record.annotations] + ([record.void] if record.void else []))


def without(void: Rle | None, masks: Sequence[Rle]) -> Rle | None:
    """Return the void pixels of an image that are in none of its masks; None where there are none.

    >>> pixel, both = rle.from_runs(1, 2, [0, 1, 1]), rle.from_runs(1, 2, [0, 2])
    >>> rle.decode(without(both, [pixel])).tolist(), without(pixel, [both])
    ([[0, 1]], None)
    """
    if void is None or rle.is_empty(void):
        return None
    if not masks:
        return rle.canonical(void)
    left = (rle.decode(void) != 0) & (rle.decode(rle.union(masks)) == 0)
    return rle.encode(left) if left.any() else None


def on_masks(record: ImageRecord) -> int:
    """Return how many void pixels of an image lie on its masks: none, of a record that is as it should be."""
    masks = [annotation.rle for annotation in record.annotations]
    if record.void is None or not masks:
        return 0
    union = rle.union(masks)
    return rle.area(record.void) + rle.area(union) - rle.area(rle.union([record.void, union]))


def beside(void: Rle | None, masks: Sequence[Rle]) -> Mask | None:
    """Return the 8-connected parts of an image's void that touch one of its masks: uint8 [H, W]; None where none does.

    They are what an annotator left open round a defect, such as its soft edge; what lies apart from all is something else.

    >>> void, mask = rle.from_runs(1, 4, [1, 1, 1, 1]), rle.from_runs(1, 4, [0, 1, 3])
    >>> beside(void, [mask]).tolist()
    [[0, 1, 0, 0]]
    """
    if void is None or not masks:
        return None
    from coigan_aug.annotations.masks import grow  # here: who reads records alone does without OpenCV

    near = grow(rle.decode(rle.union(masks)), 1)
    touching = [part for part in split_components(void) if _meets(part, near)]
    return rle.decode(rle.union(touching)) if touching else None


def _meets(part: Rle, mask: Mask) -> bool:
    box = rle.box(part)
    return bool((rle.decode_box(part, box) & mask[box.slices]).any())


def erased_along(record: ImageRecord) -> Mask:
    """Return what is erased of an image along with its defects: their masks and the void beside them, uint8 [H, W]."""
    masks = [annotation.rle for annotation in record.annotations]
    union = rle.decode(rle.union(masks))
    around = beside(record.void, masks)
    return union if around is None else union | around


def apart(record: ImageRecord) -> Rle | None:
    """Return the void of an image that is left where its defects are erased with what lies beside them; None for none."""
    masks = [annotation.rle for annotation in record.annotations]
    around = beside(record.void, masks)
    return record.void if around is None else without(record.void, [rle.encode(around)])


def cut(void: Rle, region: tuple[int, int, int, int]) -> Rle | None:
    """Return the void inside a region (left, top, width, height) of its image, as that of the region; None for none."""
    part = rle.decode_box(void, region)
    return rle.encode(part) if part.any() else None
