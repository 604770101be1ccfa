"""Truth: pycocotools for COCO's convention, cv2.fillPoly for pixel centres, and the mask that was traced."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from coigan_aug.annotations import rle
from coigan_aug.annotations.filling import fill_coco, fill_outlines, outlines_of
from coigan_aug.annotations.polygons import fill_centres, trace_centres, trace_centres_many
from tests.thorough import tries

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
MASKS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.integers(0, 1))
POINTS = st.lists(st.tuples(st.floats(-5, 30), st.floats(-5, 30)), min_size=3, max_size=9)
RING = np.pad(np.pad(np.ones((3, 3), np.uint8), 2) ^ 1, 2)


def of_pycocotools(polygons: list[np.ndarray], height: int, width: int) -> np.ndarray:
    parts = coco.frPyObjects([points.ravel().tolist() for points in polygons], height, width)
    return coco.decode(coco.merge(parts))


@settings(max_examples=tries(300))
@given(st.lists(POINTS, min_size=1, max_size=3), st.integers(1, 25), st.integers(1, 25))
def test_filling_is_that_of_pycocotools(polygons: list[list[tuple[float, float]]], height: int, width: int) -> None:
    points = [np.array(polygon) for polygon in polygons]
    found = rle.decode(fill_coco(points, height=height, width=width))
    assert np.array_equal(found, of_pycocotools(points, height, width))


@settings(max_examples=tries(60))
@given(POINTS, st.integers(1, 400))
def test_an_outline_walked_in_pieces_is_the_same(points: list[tuple[float, float]], steps: int) -> None:
    """Pieces of a few steps stand for those of millions that keep the memory bounded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coigan_aug.annotations.filling._CROSSINGS", steps)
        found = rle.decode(fill_coco([np.array(points)], height=25, width=25))
    assert np.array_equal(found, of_pycocotools([np.array(points)], 25, 25))


@settings(max_examples=tries(100))
@given(
    st.lists(
        st.tuples(st.lists(POINTS, min_size=1, max_size=3), st.integers(1, 25), st.integers(1, 25)),
        min_size=1,
        max_size=4,
    )
)
def test_filling_masks_of_several_images_at_once_is_filling_each(
    masks: list[tuple[list[list[tuple[float, float]]], int, int]],
) -> None:
    drawn = [[np.array(polygon) for polygon in polygons] for polygons, _, _ in masks]
    sizes = [(height, width) for _, height, width in masks]
    for mask, polygons, (height, width) in zip(fill_outlines(outlines_of(drawn), sizes), drawn, sizes, strict=True):
        assert np.array_equal(rle.decode(mask), of_pycocotools(polygons, height, width))
        assert mask == rle.encode(rle.decode(mask))


@settings(max_examples=tries(300))
@given(
    st.lists(st.tuples(st.integers(-40, 250), st.integers(-40, 250)), min_size=3, max_size=12),
    st.sampled_from([1, 2, 5]),
)
def test_slopes_of_whole_numbers_are_rounded_as_pycocotools_does(polygon: list[tuple[int, int]], parts: int) -> None:
    points = np.array(polygon) / parts
    assert np.array_equal(rle.decode(fill_coco([points], height=90, width=110)), of_pycocotools([points], 90, 110))


@settings(max_examples=tries(50))
@given(st.lists(st.tuples(st.floats(-900, 2500), st.floats(-900, 1200)), min_size=3, max_size=7))
def test_long_edges_are_filled_as_pycocotools_does(polygon: list[tuple[float, float]]) -> None:
    points = np.array(polygon)
    assert np.array_equal(rle.decode(fill_coco([points], height=256, width=1600)), of_pycocotools([points], 256, 1600))


@settings(max_examples=tries(50))
@given(st.lists(MASKS, max_size=5))
def test_tracing_many_masks_is_tracing_each(masks: list[np.ndarray]) -> None:
    encoded = [rle.encode(mask) for mask in masks]
    traced = list(trace_centres_many(encoded))
    assert len(traced) == len(masks)
    for one, found in zip(encoded, traced, strict=True):
        assert [points.tolist() for points in found] == [points.tolist() for points in trace_centres(one)]


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([[0, 0], [4, 0], [4, 3], [0, 3]], 12),
        ([[1, 1], [1, 1], [1, 1]], 0),
        ([[0, 0], [4, 0], [2, 0]], 0),
        ([[-9, -9], [99, -9], [99, 99], [-9, 99]], 20),
    ],
)
def test_known_areas(points: list[list[float]], area: int) -> None:
    assert rle.area(fill_coco([np.array(points, float)], height=4, width=5)) == area


@settings(max_examples=tries(300))
@given(MASKS)
def test_a_traced_mask_filled_is_the_mask(mask: np.ndarray) -> None:
    traced = trace_centres(rle.encode(mask))
    if not mask.any():
        assert traced == []
        return
    assert all(len(points) >= 3 for points in traced)
    found = fill_centres([points.astype(float) for points in traced], height=mask.shape[0], width=mask.shape[1])
    assert np.array_equal(rle.decode(found), mask)


@pytest.mark.parametrize(
    "mask", [RING, np.kron(np.eye(2, dtype=np.uint8), RING), np.pad(RING, ((0, 0), (9, 0)))], ids=str
)
def test_holes_survive_another_reader(mask: np.ndarray) -> None:
    drawn = np.zeros_like(mask)
    for points in trace_centres(rle.encode(mask)):
        cv2.fillPoly(drawn, [points], 1)
    assert np.array_equal(drawn, mask)


def test_polygons_reaching_out_are_cut_at_the_border() -> None:
    square = np.array([[-3.0, -2], [2, -2], [2, 1], [-3, 1]])
    found = rle.decode(fill_centres([square], height=4, width=5))
    assert found[:2, :3].all()
    assert found.sum() == 6
