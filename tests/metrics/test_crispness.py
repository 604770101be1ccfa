"""Grain and edges of objects, against what is painted here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from coigan_aug.annotations.rle import encode
from coigan_aug.metrics.crispness import crispness


def _object(*, light: float = 1.0, blur: float = 0.0, grain: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Paint a dark square on a plain surface: its picture, uint8 [60, 60, 3], and its mask."""
    mask = np.zeros((60, 60), np.uint8)
    mask[20:40, 20:40] = 1
    grey = np.where(mask == 1, 60.0, 120.0)
    grey += grain * np.random.default_rng(0).standard_normal(grey.shape) * mask
    if blur:
        grey = cv2.GaussianBlur(grey, (0, 0), blur)
    return np.repeat((grey * light).round().clip(0, 255).astype(np.uint8)[..., None], 3, axis=2), mask


def test_a_plain_square_has_the_gradient_of_its_step() -> None:
    """Central differences give half of the step on both sides of the border; the third pixel's row has none."""
    picture, mask = _object()
    found = crispness(picture, encode(mask))
    grey = picture.mean(axis=2)
    down, across = np.gradient(grey)
    ring = (cv2.dilate(mask, np.ones((3, 3), np.uint8)) == 1) & (cv2.erode(mask, np.ones((3, 3), np.uint8)) == 0)
    assert found.edge == pytest.approx(np.hypot(down, across)[ring].mean() / 120, rel=1e-6)
    assert found.edge == pytest.approx(0.25, rel=0.1)  # half of 60 levels, over 120


def test_light_does_not_count_and_blur_does() -> None:
    sharp, half, soft = (crispness(*_coded(**given)) for given in ({}, {"light": 0.5}, {"blur": 2.0}))
    assert half.edge == pytest.approx(sharp.edge, rel=0.02)
    assert soft.edge < 0.6 * sharp.edge


@pytest.mark.parametrize("grain", [6.0, 12.0])
def test_grain_grows_with_the_noise_inside_and_not_with_that_outside(grain: float) -> None:
    plain, coarse = crispness(*_coded()), crispness(*_coded(grain=grain))
    kept = np.sqrt(coarse.grain**2 - plain.grain**2) * 120  # the edge gives some without noise
    assert kept == pytest.approx(grain * 0.93, rel=0.15)  # white noise loses little of itself to a Gaussian of 1.2 px
    picture, mask = _object()
    noise = grain * np.random.default_rng(1).standard_normal(mask.shape) * (cv2.dilate(mask, np.ones((9, 9))) == 0)
    around = (picture + noise[..., None]).round().clip(0, 255).astype(np.uint8)
    assert crispness(around, encode(mask)).grain == pytest.approx(plain.grain, rel=0.05)


def test_an_object_at_the_edge_of_the_image_has_no_edge_there() -> None:
    """The picture is mirrored there, and so is the mask: what the image's border cuts off is not seen as a step."""
    picture, mask = _object()
    cut = slice(30, 60)  # through the middle of the square
    assert crispness(picture[cut], encode(mask[cut])).edge == pytest.approx(
        crispness(picture, encode(mask)).edge, rel=0.06
    )


def test_what_fills_the_image_and_what_is_black_give_numbers() -> None:
    for picture in (np.full((12, 12, 3), 80, np.uint8), np.zeros((12, 12), np.uint8)):
        assert crispness(picture, encode(np.ones((12, 12), np.uint8))) == (0.0, 0.0)


def _coded(**given: float) -> tuple[np.ndarray, object]:
    picture, mask = _object(**given)
    return picture, encode(mask)
