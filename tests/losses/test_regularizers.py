"""R1 and path length of networks whose gradients are known."""

from __future__ import annotations

import math

import pytest
import torch

from coigan_aug.losses.regularizers import path_length, r1_penalty


def test_r1_of_a_linear_discriminator_is_the_square_of_its_weights() -> None:
    weights = torch.tensor([3.0, -4.0, 12.0, 0.0], dtype=torch.float64).view(1, 2, 2)
    x = torch.randn(5, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    logits = (x * weights).flatten(1).sum(dim=1, keepdim=True) + 7
    assert r1_penalty(logits, x).item() == 9 + 16 + 144


def test_r1_is_a_mean_over_samples_of_their_own_gradients() -> None:
    """D(x) = |x|^2 / 2 has the gradient x."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert r1_penalty(x.square().sum(dim=1) / 2, x).item() == pytest.approx((5 + 25) / 2)


def test_r1_sums_a_map_of_logits_before_differentiating() -> None:
    x = torch.ones(2, 1, 1, 1, requires_grad=True)
    logits = x.expand(2, 1, 3, 3) * 2  # nine patches, each with the gradient 2
    assert r1_penalty(logits, x).item() == 18.0**2


def test_r1_trains_the_weights_through_a_second_derivative() -> None:
    """d |w|^2 / dw = 2 w."""
    weights = torch.tensor([0.5, -2.0], requires_grad=True)
    x = torch.randn(3, 2, requires_grad=True)
    r1_penalty(x @ weights, x).backward()
    assert weights.grad is not None and weights.grad.tolist() == [1.0, -4.0]
    assert x.grad is None or not x.grad.any()


def test_path_length_of_a_linear_generator_by_hand() -> None:
    """images = s * inputs for sample scale s: the length is s * |noise| / sqrt(H W)."""
    scale = torch.tensor([2.0, 3.0], dtype=torch.float64).view(2, 1, 1, 1)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    running = torch.tensor(1.5, dtype=torch.float64)
    penalty, mean = path_length(x * scale, x, noise=noise, running_mean=running, decay=0.25)
    lengths = [s * noise[i].norm().item() / math.sqrt(20) for i, s in enumerate((2.0, 3.0))]
    expected_mean = 0.75 * 1.5 + 0.25 * sum(lengths) / 2
    assert mean.item() == pytest.approx(expected_mean, rel=1e-7)
    assert penalty.item() == pytest.approx(sum((n - expected_mean) ** 2 for n in lengths) / 2, rel=1e-6)


def test_running_mean_converges_to_a_constant_length_and_the_penalty_to_zero() -> None:
    x = torch.ones(1, 1, 1, 1, requires_grad=True)
    weight = torch.tensor(3.0, requires_grad=True)
    mean = torch.zeros(())
    for _ in range(40):
        penalty, mean = path_length(weight * x, x, noise=torch.ones(1, 1, 1, 1), running_mean=mean, decay=0.5)
    assert not mean.requires_grad
    assert mean.item() == pytest.approx(3, rel=1e-5) and penalty.item() == pytest.approx(0, abs=1e-8)


def test_path_length_moves_the_weights_towards_the_mean() -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    x = torch.ones(1, 1, 1, 1, requires_grad=True)
    noise = torch.ones(1, 1, 1, 1)
    penalty, _ = path_length(weight * x, x, noise=noise, running_mean=torch.tensor(5.0), decay=0.0)
    penalty.backward()
    assert weight.grad is not None and weight.grad.item() == pytest.approx(2 * (2 - 5), rel=1e-5)


def test_a_generator_that_ignores_its_input_gives_finite_gradients() -> None:
    weight = torch.tensor(0.0, requires_grad=True)
    x = torch.ones(2, 1, 2, 2, requires_grad=True)
    penalty, mean = path_length(weight * x, x, noise=torch.ones(2, 1, 2, 2), running_mean=torch.ones(()))
    penalty.backward()
    assert penalty.isfinite() and mean.isfinite()
    assert weight.grad is not None and weight.grad.isfinite()
