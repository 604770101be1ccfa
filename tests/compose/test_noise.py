"""Mask noise keeps thin defects visible, and the thesis' own rule gives the thesis' figures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coigan_aug.compose.noise import (
    condition,
    condition_channels,
    draw_latent,
    draw_noise,
    latent_shape,
    noise_fields,
    noised_masks,
)
from coigan_aug.settings import ModelSettings


def _rows(mask_width: int) -> np.ndarray:
    masks = np.zeros((1, 96, 96), np.uint8)
    masks[0, 10:86, 48 - mask_width // 2 : 48 - mask_width // 2 + mask_width] = 1
    return masks


@pytest.mark.parametrize(("width", "peak"), [(3, 0.058), (10, 0.55)])
def test_the_thesis_blur_drives_thin_masks_down_as_was_measured(width: int, peak: float) -> None:
    """Reference figures: 0.058 for a 3 px line, 0.55 for a 10 px one, with noise of mean 1.5 and blur 41."""
    noise = np.full((96, 96), 1.5, np.float32)
    assert noised_masks(_rows(width), noise, blur=41).max() == pytest.approx(peak, rel=0.25)


def test_noise_beside_the_masks_leaves_a_one_pixel_crack_at_full_strength() -> None:
    settings = ModelSettings(noise="channels", noise_scales=(1, 4))
    masks = _rows(1)
    fields = noise_fields(np.random.default_rng(0), height=96, width=96, scales=settings.noise_scales)
    made = condition(masks, fields, settings)
    assert made.shape == (condition_channels(settings, 1), 96, 96) == (3, 96, 96)
    assert (made[0] == masks[0]).all()
    assert (made[1:][:, masks[0] == 0] == 0).all()
    assert made[1][masks[0] == 1].std() > 0.1


def test_the_thesis_rule_by_hand() -> None:
    """B = blurred mask, X = noise B, out = (X - low) / (high - low) B with low = min(0, X), high = max(1, X)."""
    masks = np.array([[[0, 1], [1, 1]], [[0, 0], [0, 0]]], np.uint8)
    noise = np.array([[0.5, 2.0], [-1.0, 0.5]], np.float32)
    low, high = -1.0, 2.0
    expected = np.array([[(0 - low) / (high - low) * 0, (2 - low) / (high - low)], [0.0, (0.5 - low) / (high - low)]])
    made = noised_masks(masks, noise, blur=0)
    np.testing.assert_allclose(made[0], expected, atol=1e-6)
    assert (made[1] == 0).all()


def test_no_mask_gives_no_signal() -> None:
    for kind in ("channels", "replace"):
        settings = dataclasses.replace(ModelSettings(), noise=kind, noise_blur=5)
        fields = noise_fields(np.random.default_rng(0), height=16, width=24, scales=settings.noise_scales)
        assert not condition(np.zeros((2, 16, 24), np.uint8), fields, settings).any()


@pytest.mark.parametrize("scale", [1, 2, 4, 7])
def test_a_grain_of_s_pixels_is_its_coarse_draw_filled_in_linearly(scale: int) -> None:
    field = noise_fields(np.random.default_rng(3), height=33, width=45, scales=[scale])[0]
    rows, columns = -(-33 // scale) + 1, -(-45 // scale) + 1
    coarse = np.random.default_rng(3).standard_normal((rows, columns), dtype=np.float32)
    expected = np.empty((33, 45))
    for y in range(33):
        for x in range(45):
            i, j, fy, fx = y // scale, x // scale, y % scale / scale, x % scale / scale
            low = coarse[i, j] * (1 - fx) + coarse[i, min(j + 1, columns - 1)] * fx
            high = (
                coarse[min(i + 1, rows - 1), j] * (1 - fx) + coarse[min(i + 1, rows - 1), min(j + 1, columns - 1)] * fx
            )
            expected[y, x] = low * (1 - fy) + high * fy
    np.testing.assert_allclose(field, expected, atol=0.12 if scale > 1 else 0)  # cv2.remap interpolates in 1/32 px


def test_masks_then_contrast_then_grains_inside_the_masks_by_hand() -> None:
    """Each grain x std + mean where some class has its mask, 0 elsewhere; the contrast only on the masks."""
    settings = ModelSettings(noise="channels", noise_scales=(1, 4), noise_mean=0.3, noise_std=0.2, contrast=True)
    masks = np.zeros((2, 3, 4), np.uint8)
    masks[0, 1, 2] = masks[1, 0, 3] = masks[1, 1, 2] = 1
    fields = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    contrast = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    made = condition(masks, fields, settings, contrast=contrast)
    assert made.shape == (condition_channels(settings, 2), 3, 4) == (5, 3, 4)
    assert made.dtype == np.float32
    for y, x in np.ndindex(3, 4):
        inside = (y, x) in ((1, 2), (0, 3))
        assert made[:2, y, x].tolist() == masks[:, y, x].tolist()
        assert made[2, y, x] == (contrast[y, x] if inside else 0)
        for k in range(2):
            assert made[3 + k, y, x] == pytest.approx(fields[k, y, x] * 0.2 + 0.3 if inside else 0)
    assert not condition(masks, fields, settings)[2].any(), "none told is none"


def test_the_thesis_noise_is_the_sum_of_all_grains() -> None:
    settings = ModelSettings(noise="replace", noise_scales=(1, 2, 4), noise_mean=0.1, noise_std=0.4, contrast=True)
    masks = np.zeros((2, 5, 6), np.uint8)
    masks[0, 1:4, 2:5] = masks[1, 0, 0] = 1
    fields = np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32)
    noise = np.array([[sum(0.4 * fields[k, y, x] + 0.1 for k in range(3)) for x in range(6)] for y in range(5)])
    made = condition(masks, fields, settings, contrast=np.full((5, 6), 0.7, np.float32))
    assert made.shape == (condition_channels(settings, 2), 5, 6) == (3, 5, 6)
    np.testing.assert_allclose(made[:2], noised_masks(masks, noise, blur=0), atol=1e-6)
    np.testing.assert_allclose(made[2], np.where(masks.any(axis=0), 0.7, 0), atol=1e-6)


@pytest.mark.parametrize("mixing", [0.0, 0.4, 1.0])
def test_a_latent_has_a_row_for_each_level_and_is_mixed_of_two_as_often_as_asked(mixing: float) -> None:
    """The coarse levels have one row, the finer ones another, the border anywhere between; else all rows are equal."""
    settings = ModelSettings(generator="style_unet", depth=4, latent=6)
    assert latent_shape(settings) == (5, 6)
    draw, borders, all_rows = np.random.default_rng(0), [], []
    for _ in range(1500):
        rows = draw_latent(draw, settings, mixing=mixing)
        assert rows.shape == (5, 6)
        assert rows.dtype == np.float32
        own = [k for k in range(1, 5) if not np.array_equal(rows[k], rows[k - 1])]
        assert len(own) <= 1
        borders.append(own[0] if own else 0)
        all_rows.append(rows[[0, -1]])
    assert np.mean(np.array(borders) > 0) == pytest.approx(mixing, abs=0.04)
    for border in range(1, 5):
        assert borders.count(border) / 1500 == pytest.approx(mixing / 4, abs=0.04)
    values = np.concatenate(all_rows)
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, abs=0.05)


def test_a_generator_without_a_latent_gets_none_and_one_level_is_never_mixed() -> None:
    draw = np.random.default_rng(0)
    assert draw_latent(draw, ModelSettings(generator="unet"), mixing=1).size == 0
    assert latent_shape(ModelSettings(generator="unet")) == (0, 0)


def test_with_noise_of_its_own_each_class_is_noised_as_if_it_alone_were_there() -> None:
    """Other fields for each class; the limits low and high are those of the whole tensor, as in the thesis."""
    settings = ModelSettings(noise="replace", noise_scales=(1, 2), noise_mean=0.5, noise_std=0.3, noise_per_class=True)
    masks = np.zeros((3, 12, 14), np.uint8)
    masks[0, 1:6, 2:7] = masks[2, 7:11, 6:13] = 1
    fields = draw_noise(np.random.default_rng(4), settings, classes=3, height=12, width=14)
    assert fields.shape == (3, 2, 12, 14)
    assert len({field.tobytes() for field in fields}) == 3
    noise = np.array([[0.3 * field[s] + 0.5 for s in range(2)] for field in fields]).sum(axis=1)
    product = noise * masks
    low, high = min(0.0, product.min()), max(1.0, product.max())
    expected = np.where(masks, (product - low) / (high - low), 0)
    np.testing.assert_allclose(condition(masks, fields, settings), expected, atol=1e-6)
    shared = dataclasses.replace(settings, noise_per_class=False)
    one = draw_noise(np.random.default_rng(4), shared, classes=3, height=12, width=14)
    assert np.array_equal(one, noise_fields(np.random.default_rng(4), height=12, width=14, scales=(1, 2)))
