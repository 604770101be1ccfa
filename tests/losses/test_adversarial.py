"""The logistic losses at points where their value is known."""

from __future__ import annotations

import math

import pytest
import torch

from coigan_aug.losses.adversarial import discriminator_loss, generator_loss


def test_an_undecided_discriminator_costs_log_two_each() -> None:
    zeros = torch.zeros(3, 1)
    assert generator_loss(zeros).item() == pytest.approx(math.log(2), rel=1e-6)
    assert discriminator_loss(zeros, zeros).item() == pytest.approx(2 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("size", [50.0, 1e4])
def test_large_logits_are_linear_on_the_wrong_side_and_free_on_the_right(size: float) -> None:
    sure = torch.full((2, 1), size)
    assert generator_loss(sure).item() == pytest.approx(0, abs=1e-6)
    assert generator_loss(-sure).item() == pytest.approx(size, rel=1e-6)
    assert discriminator_loss(sure, -sure).item() == pytest.approx(0, abs=1e-6)
    assert discriminator_loss(-sure, sure).item() == pytest.approx(2 * size, rel=1e-6)


def test_both_are_means_of_the_closed_form_over_maps_of_any_shape() -> None:
    real, fake = torch.randn(2, 1, 3, 5).double(), torch.randn(3, 1, 2, 2).double()
    expected_fake = sum(math.log1p(math.exp(v)) for v in fake.flatten().tolist()) / fake.numel()
    expected_real = sum(math.log1p(math.exp(-v)) for v in real.flatten().tolist()) / real.numel()
    assert discriminator_loss(real, fake).item() == pytest.approx(expected_real + expected_fake, rel=1e-12)
    assert generator_loss(real).item() == pytest.approx(expected_real, rel=1e-12)


def test_bfloat16_logits_are_reduced_in_float32() -> None:
    logits = torch.tensor([1.0, 2.0, 3.0]).bfloat16()
    assert generator_loss(logits).dtype == torch.float32
    assert torch.equal(discriminator_loss(logits, logits), discriminator_loss(logits.float(), logits.float()))


def test_the_generator_keeps_its_gradient_when_it_is_losing() -> None:
    logits = torch.tensor([[-30.0]], requires_grad=True)
    generator_loss(logits).backward()
    assert logits.grad is not None and logits.grad.item() == pytest.approx(-1, rel=1e-6)


def test_weights_choose_the_logits_that_count() -> None:
    real, fake = torch.randn(2, 1, 3, 5).double(), torch.randn(2, 1, 3, 5).double()
    chosen = torch.zeros(2, 1, 3, 5).double()
    chosen[0, 0, 1, 2] = chosen[1, 0, 0, 0] = 1
    picked = real[chosen > 0]
    assert generator_loss(real, chosen).item() == pytest.approx(generator_loss(picked).item(), rel=1e-12)
    expected = discriminator_loss(picked, fake).item()
    assert discriminator_loss(real, fake, chosen, torch.ones_like(fake)).item() == pytest.approx(expected, rel=1e-12)
    assert generator_loss(real, torch.zeros_like(real)).item() == 0
