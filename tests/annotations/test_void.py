"""Void pixels. Truth: pixel by pixel, with sets of coordinates and a flood fill by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.annotations.void import apart, beside, cut, erased_along, on_masks, without

PICTURES = arrays.arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 0, 1, 2, 255]))


def _record(numbers: np.ndarray) -> ImageRecord:
    own = tuple(Annotation(label=str(k), rle=rle.encode(numbers == k)) for k in (1, 2) if (numbers == k).any())
    void = rle.encode(numbers == 255) if (numbers == 255).any() else None
    return ImageRecord(file="a.png", height=7, width=9, annotations=own, void=void)


def _flooded(numbers: np.ndarray) -> set[tuple[int, int]]:
    """Go from every mask pixel over neighbouring void pixels, eight ways, until nothing is new."""
    seen: set[tuple[int, int]] = set()
    edge = [(int(y), int(x)) for y, x in np.argwhere((numbers == 1) | (numbers == 2))]
    while edge:
        y, x = edge.pop()
        for place in [(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]:
            inside = 0 <= place[0] < 7 and 0 <= place[1] < 9
            if inside and numbers[place] == 255 and place not in seen:
                seen.add(place)
                edge.append(place)
    return seen


def _places(mask: np.ndarray | None) -> set[tuple[int, int]]:
    return set() if mask is None else {(int(y), int(x)) for y, x in np.argwhere(mask)}


@given(PICTURES)
def test_void_that_touches_a_defect_is_beside_it_and_the_rest_apart(numbers: np.ndarray) -> None:
    record, flooded = _record(numbers), _flooded(numbers)
    masks = [item.rle for item in record.annotations]
    assert _places(beside(record.void, masks)) == flooded
    left = apart(record)
    assert _places(None if left is None else rle.decode(left)) == _places(numbers == 255) - flooded
    if masks:
        assert _places(erased_along(record)) == _places((numbers == 1) | (numbers == 2)) | flooded


@given(PICTURES, PICTURES)
def test_void_loses_what_masks_take(first: np.ndarray, second: np.ndarray) -> None:
    void, masks = rle.encode(first == 255), [rle.encode(second == 1), rle.encode(second == 2)]
    free = (first == 255) & (second != 1) & (second != 2)
    left = without(void, masks)
    assert (left is None) == (not free.any())
    assert left is None or np.array_equal(rle.decode(left), free)
    own = tuple(Annotation(label="x", rle=mask) for mask in masks)
    record = ImageRecord(file="a.png", height=7, width=9, annotations=own, void=void)
    assert on_masks(record) == int((first == 255).sum() - free.sum())


@given(PICTURES, st.tuples(*[st.integers(0, 4)] * 2), st.tuples(*[st.integers(1, 3)] * 2))
def test_a_region_has_the_void_in_it(numbers: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> None:
    (left, top), (width, height) = corner, size
    part = (numbers == 255)[top : top + height, left : left + width]
    found = cut(rle.encode(numbers == 255), (left, top, width, height))
    assert (found is None) == (not part.any())
    assert found is None or np.array_equal(rle.decode(found), part)
