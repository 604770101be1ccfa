"""Each adversarial loss at points where its value is known, and the penalties that go with them."""

from __future__ import annotations

import math

import pytest
import torch

from coigan_aug.losses.adversarial import (
    KINDS,
    accuracy,
    discriminator_loss,
    generator_loss,
    image_scores,
    rejection_loss,
)
from coigan_aug.losses.regularizers import gradient_penalty
from coigan_aug.settings import ADVERSARIAL


def test_the_settings_name_the_losses_that_there_are() -> None:
    assert KINDS == ADVERSARIAL


@pytest.mark.parametrize(
    ("kind", "generator", "discriminator", "rejection"),
    [
        ("logistic", math.log1p(math.exp(-3)), math.log1p(math.exp(-2)) + math.log1p(math.exp(3)), math.log1p(math.exp(3))),
        ("relativistic", math.log1p(math.exp(-1)), math.log1p(math.exp(1)), math.log1p(math.exp(3))),
        ("hinge", -3.0, 0.0 + 4.0, 4.0),
        ("least_squares", 4.0, 1.0 + 9.0, 9.0),
        ("wasserstein", -3.0, 3.0 - 2.0, math.log1p(math.exp(3))),
    ],
)  # fmt: skip
def test_a_real_logit_of_two_and_a_fake_one_of_three_by_hand(
    kind: str, generator: float, discriminator: float, rejection: float
) -> None:
    real, fake = torch.tensor([[2.0]]).double(), torch.tensor([[3.0]]).double()
    assert generator_loss(fake, kind=kind, real_logits=real).item() == pytest.approx(generator, rel=1e-9)
    assert discriminator_loss(real, fake, kind=kind).item() == pytest.approx(discriminator, rel=1e-9)
    assert rejection_loss(fake, kind=kind).item() == pytest.approx(rejection, rel=1e-9)


def test_hinge_leaves_alone_what_is_beyond_its_margin() -> None:
    assert discriminator_loss(torch.tensor([[1.5]]), torch.tensor([[-1.5]]), kind="hinge").item() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_down_the_generators_loss_raises_the_fake_logit(kind: str) -> None:
    fake = torch.tensor([[-0.5]], requires_grad=True)
    generator_loss(fake, kind=kind, real_logits=torch.tensor([[0.5]])).backward()
    assert fake.grad is not None and fake.grad.item() < 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_down_the_discriminators_loss_parts_real_from_fake(kind: str) -> None:
    real, fake = torch.zeros(1, 1, requires_grad=True), torch.full((1, 1), 0.1, requires_grad=True)
    discriminator_loss(real, fake, kind=kind).backward()
    assert real.grad is not None and fake.grad is not None
    assert real.grad.item() < 0 < fake.grad.item()


def test_relativistic_pairs_images_not_patches() -> None:
    """Patches are averaged within an image by their weights first; an image without weights scores 0."""
    real, fake = torch.randn(3, 1, 2, 2).double(), torch.randn(3, 1, 4, 4).double()
    weights = torch.zeros(3, 1, 4, 4).double()
    weights[0, 0, 1, 1] = weights[1, 0, 0, :2] = 1
    scores = [fake[0, 0, 1, 1].item(), fake[1, 0, 0, :2].mean().item(), 0.0]
    assert image_scores(fake, weights).tolist() == pytest.approx(scores)
    expected = sum(math.log1p(math.exp(s - r.mean().item())) for s, r in zip(scores, real, strict=True)) / 3
    assert discriminator_loss(real, fake, None, weights, kind="relativistic").item() == pytest.approx(expected)


def test_relativistic_without_real_logits_is_refused() -> None:
    with pytest.raises(ValueError, match="pairs"):
        generator_loss(torch.zeros(1, 1), kind="relativistic")


def test_the_gradient_penalty_of_a_linear_discriminator() -> None:
    weights = torch.tensor([3.0, 4.0], dtype=torch.float64)
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert gradient_penalty(x @ weights, x).item() == pytest.approx((5 - 1) ** 2)


@pytest.mark.parametrize("kind", KINDS)
def test_accuracy_is_the_share_of_images_or_pairs_that_are_told_rightly(kind: str) -> None:
    real, fake = torch.tensor([[0.7], [0.2], [-1.0], [3.0]]), torch.tensor([[0.6], [-0.1], [0.3], [-2.0]])
    threshold = 0.5 if kind == "least_squares" else 0.0
    if kind in ("relativistic", "wasserstein"):
        expected = sum(bool(r > f) for r, f in zip(real, fake, strict=True)) / 4
    else:
        right = [bool(r > threshold) for r in real] + [bool(f < threshold) for f in fake]
        expected = sum(right) / 8
    assert accuracy(real, fake, kind=kind).item() == expected
    assert 0.5 < expected < 1


def test_accuracy_judges_images_by_the_weighted_mean_of_their_patches() -> None:
    real, weights = torch.tensor([[[[5.0, -1.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    fake = torch.full((1, 1, 1, 2), -1.0)
    assert accuracy(real, fake).item() == 1
    assert accuracy(real, fake, weights, None).item() == 0.5
