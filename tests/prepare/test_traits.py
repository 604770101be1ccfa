"""Traits of objects are those that they were painted with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.prepare.parts import measure_parts
from coigan_aug.prepare.places import measure_places
from coigan_aug.prepare.traits import NUMBERS, axes, object_traits
from coigan_aug.settings import DataSettings
from tests.prepare.scenes import ellipse, examples_of, painted, patch


@pytest.mark.parametrize(("height", "width"), [(1, 9), (3, 12), (7, 7), (40, 10), (30, 1)])
def test_a_rectangles_elongation_is_the_ratio_of_its_sides(height: int, width: int) -> None:
    elongation, turn = axes(np.ones((height, width), np.uint8))
    assert elongation == pytest.approx(max(height, width) / min(height, width), rel=1e-5)
    assert turn == (90 if height > width else 0)


@pytest.mark.parametrize("degrees", [5, 30, 45, 80, 120, 175])
def test_a_turned_ellipses_orientation_is_its_own(degrees: int) -> None:
    mask = np.zeros((200, 200), np.uint8)
    cv2.ellipse(mask, (100, 100), (80, 20), -degrees, 0, 360, 1, -1)  # cv2 turns clockwise as seen
    elongation, turn = axes(mask)
    assert turn == pytest.approx(degrees, abs=0.7)
    assert elongation == pytest.approx(4, rel=0.05)


def test_the_orientation_follows_opencvs_moments() -> None:
    draw = np.random.default_rng(3)
    for _ in range(20):
        mask = (cv2.GaussianBlur(draw.random((40, 50)), (0, 0), 4) > 0.5).astype(np.uint8)
        found = cv2.moments(mask, binaryImage=True)
        expected = -0.5 * np.degrees(np.arctan2(2 * found["mu11"], found["mu20"] - found["mu02"])) % 180
        assert axes(mask)[1] == pytest.approx(expected, abs=1e-6)


def test_each_class_has_the_traits_of_its_large_objects_with_their_groups(tmp_path: Path) -> None:
    shape = (100, 160)
    images = [painted(np.ones(shape, bool), back=0, front=120, seed=k) for k in range(3)]
    masks = [
        {"spot": [patch(shape, 10 * k, 40, 10, 10), patch(shape, 140, 90, 2, 2)], "line": [patch(shape, 60, 70, 30, 3)]}
        for k in (1, 2)
    ]
    examples = examples_of(
        tmp_path, images, [*masks, {}], groups=["a", "b", "c"], settings=DataSettings(window=32, min_area=16)
    )
    spots, lines = object_traits(examples, measure_parts(examples))
    assert spots.x.tolist() == pytest.approx([10 / 150, 20 / 150])
    assert spots.y.tolist() == pytest.approx([40 / 90] * 2)
    assert spots.distance.tolist() == pytest.approx([0.1, 0.2])
    assert spots.area.tolist() == [2, 2]
    assert spots.groups == ("a", "b")
    assert not spots.touches.any()
    assert lines.elongation.tolist() == pytest.approx([10, 10])
    assert lines.orientation.tolist() == [0, 0]
    assert set(NUMBERS) == {"x", "y", "distance", "area", "elongation", "orientation"}


def test_traits_and_places_are_measured_alike_on_a_round_part(tmp_path: Path) -> None:
    shape = (160, 240)
    truth = ellipse(shape, centre=(120, 80), axes=(90, 65))
    images = [painted(truth, back=5, front=120, seed=k) for k in range(2)]
    rim = (ellipse(shape, centre=(120, 15), axes=(12, 9)) & truth).astype(np.uint8)
    examples = examples_of(tmp_path, images, [{"spot": [patch(shape, 100, 70, 9, 9)], "line": [rim]}, {}])
    places = measure_places(examples)
    for label, traits in enumerate(object_traits(examples, places.parts)):
        (k,) = places.by_class[label]
        assert (traits.x[0], traits.y[0], traits.distance[0]) == (
            places.of[k].x, places.of[k].y, places.of[k].relative,
        )  # fmt: skip
        assert traits.touches[0] == places.of[k].touches == (label == 1)


def test_a_class_without_objects_has_no_values(tmp_path: Path) -> None:
    image = painted(np.ones((64, 64), bool), back=0, front=120, seed=1)
    examples = examples_of(tmp_path, [image], [{"spot": [patch((64, 64), 10, 10, 6, 6)]}])
    traits = object_traits(examples, measure_parts(examples))[1]
    assert len(traits.x) == len(traits.groups) == 0
