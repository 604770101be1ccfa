"""Truth: cv2.fillPoly, which is what readers draw with; connected components; all small masks there are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from coigan_aug.annotations import rle
from coigan_aug.annotations.keyholes import trace_parts
from coigan_aug.annotations.polygons import fill_centres, fill_on_image
from tests.thorough import tries

MASKS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 1))


def drawn(mask: np.ndarray) -> np.ndarray:
    """Draw each polygon of a mask alone, as readers do."""
    canvas = np.zeros_like(mask)
    for points in trace_parts(rle.encode(mask)):
        cv2.fillPoly(canvas, [points], 1)
    return canvas


@settings(max_examples=tries(500))
@given(MASKS)
def test_polygons_with_bridges_are_exactly_the_mask_one_for_each_part(mask: np.ndarray) -> None:
    assert np.array_equal(drawn(mask), mask)
    assert len(trace_parts(rle.encode(mask))) == cv2.connectedComponents(mask, connectivity=8)[0] - 1


def test_all_masks_of_three_by_four_pixels_are_exact() -> None:
    for code in range(1 << 12):
        mask = (code >> np.arange(12) & 1).astype(np.uint8).reshape(3, 4)
        assert np.array_equal(drawn(mask), mask), mask


@settings(max_examples=tries(60), deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 0.98))
def test_many_holes_are_exact(seed: int, share: float) -> None:
    mask = (np.random.default_rng(seed).random((60, 90)) < share).astype(np.uint8)
    assert np.array_equal(drawn(mask), mask)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 9), (9, 1), (7, 7)])
def test_full_masks_are_one_polygon_of_at_least_three_points(shape: tuple[int, int]) -> None:
    polygons = trace_parts(rle.encode(np.ones(shape)))
    assert len(polygons) == 1
    assert 3 <= len(polygons[0]) <= 4


def test_a_ring_within_a_ring_keeps_its_place() -> None:
    mask = np.zeros((40, 50), np.uint8)
    for radius, value in ((18, 1), (14, 0), (9, 1), (4, 0), (1, 1)):
        cv2.circle(mask, (27, 20), radius, value, -1)
    assert len(trace_parts(rle.encode(mask))) == 3
    assert np.array_equal(drawn(mask), mask)


@settings(max_examples=tries(300))
@given(st.lists(st.tuples(st.integers(-9, 30), st.integers(-9, 30)), min_size=3, max_size=8), st.booleans())
def test_polygons_are_filled_as_opencv_fills_them_on_the_image(points: list[tuple[int, int]], within: bool) -> None:
    corners = np.clip(points, 0, 19) if within else np.array(points)
    image = np.zeros((20, 20), np.uint8)
    cv2.fillPoly(image, [corners.astype(np.int32)], 1)
    assert np.array_equal(rle.decode(fill_on_image([corners.astype(float)], height=20, width=20)), image)


@pytest.mark.parametrize("shift", [(-9, 0), (0, -9), (9, 0), (0, 9)])
def test_a_polygon_wholly_outside_fills_nothing(shift: tuple[int, int]) -> None:
    square = np.array([[0.0, 0], [3, 0], [3, 2], [0, 2]]) + shift
    assert rle.area(fill_centres([square], height=5, width=6)) == 0
    assert rle.area(fill_on_image([square], height=5, width=6)) == 0
