"""Seams by hand: central differences, the ring at a margin pixel by pixel, the ratio of means."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug.metrics.seams import gradient, ring_of, seam_ratio


def test_the_gradient_is_that_of_central_differences_of_the_mean_over_the_channels() -> None:
    image = np.random.default_rng(0).integers(0, 255, (6, 7, 3)).astype(np.uint8)
    grey, found = image.astype(float).mean(axis=2), gradient(image)
    assert found.shape == (6, 7)
    for y in range(1, 5):
        for x in range(1, 6):
            expected = np.hypot((grey[y + 1, x] - grey[y - 1, x]) / 2, (grey[y, x + 1] - grey[y, x - 1]) / 2)
            assert found[y, x] == pytest.approx(expected, rel=1e-5)


def test_a_slope_has_its_steepness_everywhere() -> None:
    y, x = np.mgrid[:8, :9]
    image = np.repeat((3 * x + 4 * y)[..., None], 3, axis=2).astype(np.uint8)
    assert gradient(image) == pytest.approx(np.full((8, 9), 5.0))


@pytest.mark.parametrize("margin", [0, 1, 2, 4])
def test_the_ring_holds_the_pixels_at_the_margin_and_one_further(margin: int) -> None:
    """How far a pixel is: rows or columns, whichever is more; at no margin the mask's own rim is not in it."""
    mask = np.zeros((20, 24), np.uint8)
    mask[8:12, 9:14] = mask[3, 20] = 1
    places, ring = np.argwhere(mask), ring_of(mask, margin)
    for y, x in np.ndindex(mask.shape):
        far = np.abs(places - (y, x)).max(axis=1).min()
        assert ring[y, x] == (max(margin, 1) <= far <= margin + 1)


def test_the_ratio_is_of_mean_gradients_with_half_a_level_added_to_both() -> None:
    made, plain = np.array([[1.0, 2.0, 90.0]]), np.array([[0.5, 0.0, 70.0]])
    ring = np.array([[True, True, False]])
    assert seam_ratio(made, plain, ring) == pytest.approx((1.5 + 0.5) / (0.25 + 0.5))
    assert seam_ratio(plain, plain, ring) == 1
