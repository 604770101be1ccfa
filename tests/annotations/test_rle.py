"""Truth: pycocotools, and the pixels themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from coigan_aug.annotations import rle
from coigan_aug.annotations.batches import decode_many, extents, from_intervals_many, intervals_many, regions
from coigan_aug.annotations.components import component_areas, split_components
from tests.thorough import tries

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
MASKS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 1))
EDGE_CASES = [
    np.zeros((5, 7), np.uint8),
    np.ones((5, 7), np.uint8),
    np.array([[1, 0, 1, 1]], np.uint8),
    np.array([[0], [1], [1]], np.uint8),
    np.eye(40, dtype=np.uint8),
    np.pad(np.ones((300, 400), np.uint8), 200),
]


def reference(mask: np.ndarray) -> dict:
    return coco.encode(np.asfortranarray(mask))


def compare(mask: np.ndarray) -> None:
    found = rle.encode(mask)
    truth = reference(mask)
    assert found.counts == truth["counts"].decode()
    assert np.array_equal(rle.decode(found), mask)
    assert rle.area(found) == int(coco.area(truth))
    assert list(rle.box(found)) == coco.toBbox(truth).astype(int).tolist()
    assert rle.canonical(found) == found


@pytest.mark.parametrize("mask", EDGE_CASES, ids=str)
def test_edge_cases_agree_with_pycocotools(mask: np.ndarray) -> None:
    compare(mask)


@given(MASKS)
def test_any_mask_agrees_with_pycocotools(mask: np.ndarray) -> None:
    compare(mask)


@given(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=12))
def test_runs_of_any_length_come_back(counts: list[int]) -> None:
    found = rle.from_runs(1, sum(counts), counts)
    values = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    starts, ends = rle.intervals(found)
    solid = [(a, b) for a, b in zip(values[1:-1:2], values[2::2], strict=False) if b > a]
    joined: list[list[int]] = []
    for a, b in solid:
        if joined and joined[-1][1] == a:
            joined[-1][1] = int(b)
        else:
            joined.append([int(a), int(b)])
    assert [list(pair) for pair in zip(starts.tolist(), ends.tolist(), strict=True) if pair[1] > pair[0]] == joined


@given(st.data())
def test_union_is_that_of_the_pixels(data: st.DataObject) -> None:
    first = data.draw(MASKS)
    second = data.draw(arrays.arrays(np.uint8, first.shape, elements=st.integers(0, 1)))
    assert rle.union([rle.encode(first), rle.encode(second)]) == rle.encode(first | second)


@given(MASKS, st.integers(-5, 25), st.integers(-5, 25), st.integers(1, 20), st.integers(1, 20))
def test_decoding_a_region_is_cropping(mask: np.ndarray, left: int, top: int, width: int, height: int) -> None:
    padded = np.pad(mask, 60)
    expected = padded[60 + top : 60 + top + height, 60 + left : 60 + left + width]
    assert np.array_equal(rle.decode_box(rle.encode(mask), (left, top, width, height)), expected)


@pytest.mark.parametrize("counts", ["", "\x00", "é", "o", "oooooooooooooooo1", "52", "zzz"])
def test_damaged_strings_are_refused(counts: str) -> None:
    with pytest.raises(ValueError):
        rle.runs(rle.Rle(4, 4, counts))


@pytest.mark.parametrize(("counts", "expected"), [([3, -1, 14], "not negative"), ([3, 4], "cover 7"), ([], "list")])
def test_runs_that_do_not_fit_are_refused(counts: list[int], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        rle.from_runs(4, 4, counts)


@given(st.lists(MASKS, max_size=6))
def test_many_masks_at_once_are_the_same_as_one_by_one(masks: list[np.ndarray]) -> None:
    encoded = [rle.encode(mask) for mask in masks]
    starts, ends, owner = intervals_many(encoded)
    for position, one in enumerate(encoded):
        expected = rle.intervals(one)
        assert np.array_equal(starts[owner == position], expected[0])
        assert np.array_equal(ends[owner == position], expected[1])
    count = np.bincount(owner, minlength=len(masks))
    assert from_intervals_many([mask.shape for mask in masks], starts, ends, count) == encoded
    assert extents(encoded) == [(rle.area(one), rle.box(one)) for one in encoded]
    assert all(np.array_equal(a, b) for a, b in zip(decode_many(encoded), masks, strict=True))
    for mask, (left, top, region) in zip(masks, regions(encoded), strict=True):
        assert region.sum() == mask.sum()
        assert np.array_equal(mask[top : top + region.shape[0], left : left + region.shape[1]], region)


def test_strings_of_thousands_of_characters_hold_numbers_of_any_length() -> None:
    random = np.random.default_rng(9)
    masks = []
    for most in (3, 3, 40, 2_000, 3_000_000):  # from nearly no long number to nearly none that is short
        counts = random.integers(1, most, 4_001)
        masks.append((rle.from_runs(1, int(counts.sum()), counts), counts))
        assert np.array_equal(rle.runs(masks[-1][0]), counts)
    starts, ends, owner = intervals_many([mask for mask, _ in masks])
    for k, (_, counts) in enumerate(masks):
        assert np.array_equal(starts[owner == k], np.cumsum(counts)[:-1:2])
        assert np.array_equal(ends[owner == k], np.cumsum(counts)[1::2])


@pytest.mark.parametrize("others", [1, 20_000])
def test_numbers_of_more_than_twelve_characters_are_refused(others: int) -> None:
    most = "1" * others + "o" * 11 + "0" + "1" * others
    with pytest.raises(ValueError, match="do not add up"):
        rle.runs(rle.Rle(4, 4, most))
    with pytest.raises(ValueError, match="too long"):
        rle.runs(rle.Rle(4, 4, most.replace("o0", "oo0")))


def test_batches_end_where_masks_are_long() -> None:
    random = np.random.default_rng(5)
    masks = [(random.random((300, 300)) < 0.5).astype(np.uint8) for _ in range(5)]
    encoded = [rle.encode(mask) for mask in masks]
    assert max(len(one.counts) for one in encoded) > 30_000
    assert all(np.array_equal(a, b) for a, b in zip(decode_many(encoded), masks, strict=True))


@pytest.mark.parametrize(("starts", "ends"), [([3], [5]), ([0, 2], [2, 3]), ([1, 0], [2, 1]), ([2], [2]), ([-1], [1])])
def test_intervals_that_are_not_apart_and_inside_are_refused(starts: list[int], ends: list[int]) -> None:
    arrays = np.array(starts), np.array(ends), np.array([len(starts), 0])
    with pytest.raises(ValueError, match="out of order"):
        from_intervals_many([(2, 2), (2, 2)], *arrays)


def test_images_beyond_any_size_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        rle.from_runs(1 << 20, 1 << 20, [1 << 40])


@settings(max_examples=tries(200))
@given(st.lists(MASKS, max_size=5))
def test_component_areas_are_those_of_opencv(masks: list[np.ndarray]) -> None:
    found = list(component_areas(rle.encode(mask) for mask in masks))
    assert len(found) == len(masks)
    for mask, areas in zip(masks, found, strict=True):
        _, _, table, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        assert sorted(areas.tolist()) == sorted(table[1:, cv2.CC_STAT_AREA].tolist())


def test_component_areas_do_not_depend_on_the_batches() -> None:
    random = np.random.default_rng(3)
    masks = [(random.random((90, 200)) < 0.5).astype(np.uint8) for _ in range(60)]
    together = list(component_areas(rle.encode(mask) for mask in masks))
    alone = [next(component_areas([rle.encode(mask)])) for mask in masks]
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))


@given(MASKS)
def test_components_are_those_of_opencv(mask: np.ndarray) -> None:
    number, labels = cv2.connectedComponents(mask, connectivity=8)
    expected = {rle.encode(labels == k).counts for k in range(1, number)}
    assert {part.counts for part in split_components(rle.encode(mask))} == expected


@given(MASKS)
def test_runs_over_rows_are_counted_pixel_by_pixel(mask: np.ndarray) -> None:
    runs, value = [0], 0
    for pixel in mask.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    assert rle.row_runs(mask).tolist() == runs
