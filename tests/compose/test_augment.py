"""A crop and its mask go through the same transform; a defect never vanishes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.compose.augment import Transform, apply, draw_transform, tight


def _crop(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    mask = (draw.random((height, width)) < 0.4).astype(np.uint8)
    mask[draw.integers(height), draw.integers(width)] = 1
    return np.repeat((mask * 200)[..., None], 3, axis=2).astype(np.uint8), mask


@given(st.integers(0, 9), st.integers(1, 20), st.integers(1, 20), st.booleans(), st.booleans())
def test_mirroring_is_exact(seed: int, height: int, width: int, flip_x: bool, flip_y: bool) -> None:
    pixels, mask = _crop(seed, height, width)
    turned, moved = apply(Transform(flip_x=flip_x, flip_y=flip_y), pixels, mask)
    expected = mask[::-1] if flip_y else mask
    expected = expected[:, ::-1] if flip_x else expected
    assert (moved == expected).all()
    assert (turned[..., 0] == expected * 200).all()


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(1, 20), st.integers(1, 20), st.floats(-180, 180), st.floats(0.2, 2.0))
def test_pixels_follow_the_mask_and_some_mask_stays(
    seed: int, height: int, width: int, angle: float, scale: float
) -> None:
    pixels, mask = _crop(seed, height, width)
    turned, moved = apply(Transform(angle=angle, scale=scale), pixels, mask)
    assert moved.any()
    assert turned.shape[:2] == moved.shape
    assert moved[tight(moved)].any(axis=0)[[0, -1]].all()


def test_a_square_turned_by_45_degrees_keeps_its_area_and_its_pixels() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    pixels = np.where(mask[..., None] > 0, 200, 10).astype(np.uint8).repeat(3, axis=2)
    turned, moved = apply(Transform(angle=45), pixels, mask)
    assert abs(int(moved.sum()) - 400) < 20
    assert turned[moved == 1].mean() > 190


def test_probability_zero_never_interpolates_and_one_always_does() -> None:
    draw = np.random.default_rng(0)
    kept = [draw_transform(draw, probability=0, rotate=90, scale_range=(0.5, 2)) for _ in range(20)]
    turned = [draw_transform(draw, probability=1, rotate=90, scale_range=(0.5, 2)) for _ in range(20)]
    assert all(item.exact for item in kept)
    assert not any(item.exact for item in turned)
    assert {item.flip_x for item in kept} == {True, False}
