"""Losses of a change of look, against loops over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from coigan_aug.losses.translation import SOFT, attention, attention_error, edge_error


def _slow(before: np.ndarray, after: np.ndarray, weights: np.ndarray) -> float:
    """Return the loss of images [C, H, W] by a loop over pixels."""
    one, two = before.mean(axis=0), after.mean(axis=0)
    total = weight = 0.0
    for y in range(one.shape[0] - 1):
        for x in range(one.shape[1] - 1):
            g = (one[y + 1, x] - one[y, x], one[y, x + 1] - one[y, x], SOFT)
            h = (two[y + 1, x] - two[y, x], two[y, x + 1] - two[y, x], SOFT)
            cosine = sum(a * b for a, b in zip(g, h, strict=True)) / (math.hypot(*g) * math.hypot(*h))
            total += weights[y, x] * (1 - cosine**2)
            weight += weights[y, x]
    return total / weight


def test_the_edge_error_is_that_of_a_loop_over_pixels() -> None:
    draw = torch.Generator().manual_seed(1)
    before, after = (torch.rand(1, 3, 7, 9, generator=draw, dtype=torch.float64) for _ in range(2))
    weights = torch.rand(1, 1, 7, 9, generator=draw, dtype=torch.float64)
    slow = _slow(before[0].numpy(), after[0].numpy(), weights[0, 0].numpy())
    assert float(edge_error(before, after, weights)) == pytest.approx(slow, rel=1e-9)


def _step_at(column: float) -> torch.Tensor:
    """Return an edge at a column, one pixel soft: [1, 1, 16, 16]."""
    return (torch.arange(16, dtype=torch.float64) - column).clamp(0, 1).expand(1, 1, 16, 16)


def test_contrast_and_polarity_are_free_and_a_moved_edge_is_not() -> None:
    edge, plain = _step_at(7), torch.ones(1, 1, 16, 16)
    assert float(edge_error(edge, edge, plain)) == pytest.approx(0, abs=1e-12)
    for look in (0.3 + 0.5 * edge, 1 - 0.8 * edge):
        assert float(edge_error(edge, look, plain)) < 0.005
    moved = [float(edge_error(edge, _step_at(7 + shift), plain)) for shift in (0.25, 0.5, 1)]
    assert moved == sorted(moved) and moved[0] > 0.02
    flat = torch.full_like(edge, 0.5)
    assert float(edge_error(edge, flat, plain)) > 0.05, "an edge that is gone"


def test_attention_is_grad_cam_by_hand() -> None:
    """For a linear score the gradients are its own weights; an image whose heat is all below 0 has none."""
    draw = torch.Generator().manual_seed(2)
    features = torch.randn(2, 3, 4, 5, generator=draw, requires_grad=True)
    linear = torch.randn(3, 4, 5, generator=draw)
    with torch.no_grad():
        features[1] = -(linear.mean(dim=(1, 2), keepdim=True)).expand(
            3, 4, 5
        )  # the weighted sum is negative everywhere
    heat = attention(features, (features * linear).sum())
    expected = np.zeros((4, 5))
    for k in range(3):
        expected += float(linear[k].mean()) * features[0, k].detach().numpy()
    expected = np.maximum(expected, 0)
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    np.testing.assert_allclose(heat[0, 0].detach().numpy(), expected, atol=1e-6)
    assert float(heat[1].detach().abs().max()) == 0


def test_attention_teaches_through_the_features() -> None:
    """As printed in the thesis the maps are cut off from what made them, so that their loss teaches nothing."""
    torch.manual_seed(0)
    features = torch.rand(1, 3, 4, 4, requires_grad=True)
    heat = attention(features, (features.square()).sum())
    attention_error(heat, torch.zeros_like(heat), torch.ones_like(heat)).backward()
    assert features.grad is not None and features.grad.abs().max() > 0


def test_attention_error_is_a_weighted_mean() -> None:
    one, two = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[1.0, 0.5]]]])
    assert float(attention_error(one, two, torch.tensor([[[[3.0, 1.0]]]]))) == pytest.approx((3 * 1 + 1 * 0.25) / 4)
