"""Truth: pycocotools and even-odd counting for corners, cv2.fillPoly for centres, and the mask that was traced."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from coigan_aug.annotations import rle
from coigan_aug.annotations.corners import trace_corners, trace_corners_many, trace_turns_many, turning_points
from coigan_aug.annotations.polygons import trace_centres
from tests.thorough import tries

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
MASKS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 1))


def of_pycocotools(polygons: list[np.ndarray], height: int, width: int) -> np.ndarray:
    parts = coco.frPyObjects([points.ravel().tolist() for points in polygons], height, width)
    return coco.decode(coco.merge(parts))


@settings(max_examples=tries(300))
@given(MASKS)
def test_corners_traced_are_the_mask_to_pycocotools_and_to_even_odd_readers(mask: np.ndarray) -> None:
    traced = trace_corners(rle.encode(mask))
    if not mask.any():
        assert traced == []
        return
    assert np.array_equal(of_pycocotools(traced, *mask.shape), mask)
    crossings = np.zeros((mask.shape[0], mask.shape[1] + 1), int)
    for points in traced:
        for (x, y), (u, v) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
            assert (x == u) != (y == v), "every edge runs along a row or a column"
            crossings[min(y, v) : max(y, v), x] += x == u
    assert np.array_equal(np.cumsum(crossings, axis=1)[:, :-1] % 2, mask)


def test_corners_of_a_pixel_and_of_pixels_that_touch_at_a_corner() -> None:
    assert trace_corners(rle.encode(np.eye(1))) == [pytest.approx(np.array([[1, 0], [0, 0], [0, 1], [1, 1]]))]
    (diagonal,) = trace_corners(rle.encode(np.eye(3)))
    assert len(diagonal) == 12


@settings(max_examples=tries(200))
@given(MASKS)
def test_cv2_fills_turning_points_to_the_same_mask(mask: np.ndarray) -> None:
    drawn = np.zeros_like(mask)
    for outline in trace_centres(rle.encode(mask)):
        (kept,) = turning_points([outline])
        assert 3 <= len(kept) <= len(outline)
        cv2.fillPoly(drawn, [kept], 1)
    assert np.array_equal(drawn, mask)


@settings(max_examples=tries(100))
@given(st.lists(MASKS, max_size=5))
def test_many_masks_are_traced_as_one_alone(masks: list[np.ndarray]) -> None:
    coded = [rle.encode(mask) for mask in masks]
    corners, turns = list(trace_corners_many(coded)), list(trace_turns_many(coded))
    assert len(corners) == len(turns) == len(masks)
    for mask, own, plain in zip(coded, corners, turns, strict=True):
        alone = trace_corners(mask)
        assert [points.tolist() for points in own] == [points.tolist() for points in alone]
        kept = [turning_points([points])[0].tolist() for points in trace_centres(mask)]
        assert [points.tolist() for points in plain] == kept


def test_a_blank_mask_has_no_corners() -> None:
    assert trace_corners(rle.encode(np.zeros((4, 5)))) == []


def test_a_triangle_keeps_its_three_corners_and_what_has_fewer_turns_keeps_every_point() -> None:
    side = [(0, k) for k in range(5)] + [(k, 4) for k in range(1, 5)] + [(k, k) for k in range(3, 0, -1)]
    line = [(0, 0), (1, 0), (2, 0), (1, 0)]
    kept = turning_points([np.array(side, np.int32), np.array(line, np.int32), np.array(side, np.int32)[:, ::-1]])
    assert sorted(map(tuple, kept[0].tolist())) == [(0, 0), (0, 4), (4, 4)]
    assert kept[1].tolist() == [list(point) for point in line]
    assert sorted(map(tuple, kept[2].tolist())) == [(0, 0), (4, 0), (4, 4)]
