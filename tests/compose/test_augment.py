"""A crop and its mask go through the same transform; a defect never vanishes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.compose.augment import Transform, apply, draw_one, draw_transform, kept, matrix_of, tight
from tests.thorough import tries


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


def _by_hand(transform: Transform, height: int, width: int, out: tuple[int, int], x: float, y: float) -> np.ndarray:
    """Mirror a point, then turn it about the crop's centre against the clock as seen (y points down), and stretch."""
    x, y = width - 1 - x if transform.flip_x else x, height - 1 - y if transform.flip_y else y
    turn, scale = np.deg2rad(transform.angle), transform.scale
    right, down = x - (width - 1) / 2, y - (height - 1) / 2
    across = scale * (right * np.cos(turn) + down * np.sin(turn))
    below = scale * (down * np.cos(turn) - right * np.sin(turn))
    return np.array([(out[1] - 1) / 2 + across, (out[0] - 1) / 2 + below])


@settings(deadline=None, max_examples=tries(60))
@given(
    st.integers(21, 41), st.integers(21, 41), st.booleans(), st.booleans(), st.sampled_from([0.0, 17.5, 90.0, -150.0]),
    st.sampled_from([1.0, 0.7, 1.9]), st.floats(0.35, 0.65), st.floats(0.35, 0.65),
)  # fmt: skip
def test_a_spot_goes_where_turning_by_hand_takes_it(
    height: int, width: int, flip_x: bool, flip_y: bool, angle: float, scale: float, across: float, down: float
) -> None:
    transform = Transform(flip_x=flip_x, flip_y=flip_y, angle=angle, scale=scale)
    x, y = across * (width - 1), down * (height - 1)
    rows, columns = np.mgrid[:height, :width]
    spot = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4.5)
    made, mask = apply(transform, np.rint(spot).astype(np.uint8), np.ones((height, width), np.uint8))
    expected = _by_hand(transform, height, width, mask.shape, x, y)
    weights = np.where((made > 60) & (mask > 0), made, 0).astype(float)  # beyond the crop its pixels are seen again
    found = [(weights * places).sum() / weights.sum() for places in np.mgrid[: mask.shape[0], : mask.shape[1]][::-1]]
    assert found == pytest.approx(expected, abs=0.25)
    assert matrix_of(transform, height=height, width=width) @ (x, y, 1) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, 200.0])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
def test_what_is_turned_and_stretched_is_held_whole_and_no_more(angle: float, scale: float) -> None:
    """The box of a turned 30 x 20 rectangle has the sides 30 |cos| + 20 |sin| and 30 |sin| + 20 |cos|; areas go squared."""
    _, mask = apply(Transform(angle=angle, scale=scale), np.full((20, 30), 9, np.uint8), np.ones((20, 30), np.uint8))
    cosine, sine = abs(np.cos(np.deg2rad(angle))), abs(np.sin(np.deg2rad(angle)))
    sides = (scale * (30 * sine + 20 * cosine), scale * (30 * cosine + 20 * sine))
    assert all(side - 1e-6 <= found < side + 1.01 for side, found in zip(sides, mask.shape, strict=True))
    assert mask.sum() == pytest.approx(600 * scale**2, rel=0.12)


def test_transforms_are_drawn_as_often_and_as_far_as_asked() -> None:
    draw = np.random.default_rng(1)
    drawn = [draw_transform(draw, probability=0.3, rotate=40, scale_range=(0.5, 0.9)) for _ in range(3000)]
    turned = [item for item in drawn if not item.exact]
    assert len(turned) / 3000 == pytest.approx(0.3, abs=0.035)
    angles, scales = np.array([item.angle for item in turned]), np.array([item.scale for item in turned])
    assert -40 <= angles.min() < -38
    assert 38 < angles.max() <= 40
    assert angles.mean() == pytest.approx(0, abs=3)
    assert 0.5 <= scales.min() < 0.51
    assert 0.89 < scales.max() <= 0.9
    for one, other in ((False, False), (False, True), (True, False), (True, True)):
        share = np.mean([(item.flip_x, item.flip_y) == (one, other) for item in drawn])
        assert share == pytest.approx(0.25, abs=0.035)
    kept = [draw_transform(draw, probability=0.5, rotate=40, scale_range=(1, 2), flip=False) for _ in range(50)]
    assert not any(item.flip_x or item.flip_y for item in kept)


def test_beyond_a_turned_crop_its_own_pixels_are_mirrored_and_not_black() -> None:
    turned, mask = apply(Transform(angle=45), np.full((20, 20, 3), 200, np.uint8), np.ones((20, 20), np.uint8))
    assert not mask[0, 0]
    assert (turned == 200).all()


def test_a_mask_keeps_what_is_covered_by_half_and_at_least_its_best_pixel() -> None:
    """A bar of 4 px shown at half its size covers 2; a pixel shown much smaller stays one."""
    bar, single = np.zeros((12, 12), np.uint8), np.zeros((9, 9), np.uint8)
    bar[:, 4:8] = 1
    single[4, 4] = 1
    assert apply(Transform(scale=0.5), bar, bar)[1].any(axis=0).sum() == 2
    assert apply(Transform(scale=0.3), single, single)[1].sum() == 1
    tiny = apply(Transform(scale=0.01), single, single)[1]
    assert tiny.tolist() == [[1]]


def test_one_transform_at_most_is_drawn_as_the_thesis_does() -> None:
    """Of 0.5: a quarter are turned, a quarter shifted, rescaled and sheared, half left alone; none is mirrored."""
    draw = np.random.default_rng(2)
    drawn = [
        draw_one(draw, probability=0.5, rotate=180, scale_range=(0.7, 1.2), shift=0.1, shear=3) for _ in range(4000)
    ]
    assert not any(item.flip_x or item.flip_y for item in drawn)
    turned = [item for item in drawn if item.angle]
    moved = [item for item in drawn if item.scale != 1 or item.shear]
    assert len(turned) / 4000 == pytest.approx(0.25, abs=0.03)
    assert len(moved) / 4000 == pytest.approx(0.25, abs=0.03)
    assert all(item == Transform(angle=item.angle) for item in turned), "nothing else with it"
    assert sum(item == Transform() for item in drawn) / 4000 == pytest.approx(0.5, abs=0.035)
    for found, low, high in (
        ([item.angle for item in turned], -180, 180),
        ([item.scale for item in moved], 0.7, 1.2),
        ([item.shear for item in moved], -3, 3),
        ([item.shift[0] for item in moved], -0.1, 0.1),
        ([item.shift[1] for item in moved], -0.1, 0.1),
    ):
        near = 0.02 * (high - low)
        assert low <= min(found) < low + near
        assert high - near < max(found) <= high


@pytest.mark.parametrize("shear", [-30.0, 3.0, 45.0])
def test_a_sheared_square_leans_by_its_angle(shear: float) -> None:
    """Rows move along x by tan(angle) for each row; what leans needs 20 x tan(angle) more columns."""
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    turned, moved = apply(Transform(shear=shear), mask * 200, mask)
    assert abs(int(moved.sum()) - 400) <= 20, "its area stays"
    assert turned[moved == 1].mean() > 190
    rows, columns = np.nonzero(moved)
    middle = [columns[rows == row].mean() for row in range(rows.min(), rows.max() + 1)]
    assert np.polyfit(range(len(middle)), middle, 1)[0] == pytest.approx(np.tan(np.deg2rad(shear)), abs=0.03)
    assert moved.shape == (40, 40 + int(np.ceil(abs(np.tan(np.deg2rad(shear))) * 40)))
    x, y = matrix_of(Transform(shear=shear), height=40, width=40) @ (10, 25, 1)
    assert (x, y) == pytest.approx(
        ((moved.shape[1] - 1) / 2 + (10 - 19.5) + np.tan(np.deg2rad(shear)) * (25 - 19.5), 25)
    )


def test_what_a_shift_moves_out_of_the_box_is_cut_off() -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[5:25, 10:30] = 1  # 20 x 20
    assert kept(Transform(), mask) == (slice(5, 25), slice(10, 30))
    assert kept(Transform(shift=(0.1, 0.0)), mask) == (slice(5, 25), slice(10, 28)), "to the right: the right end goes"
    assert kept(Transform(shift=(-0.1, 0.25)), mask) == (slice(5, 20), slice(12, 30))
    ring = np.zeros((30, 40), np.uint8)
    ring[5:25, 10] = ring[5:25, 29] = 1
    assert kept(Transform(shift=(0.1, 0.0)), ring) == (slice(5, 25), slice(10, 11)), "tight round what is left"
    corner = np.zeros((10, 10), np.uint8)
    corner[0, 9] = corner[9, 0] = 1
    assert kept(Transform(shift=(0.2, 0.2)), corner) == (slice(0, 10), slice(0, 10)), "nothing would be left"
