"""Weighted pixel losses against brute force and their plain special cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from coigan_aug.losses.reconstruction import contrast_error, masked_l1, smooth_masked_l1, weight_map, weighted_mean


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def box_filter(mask: np.ndarray, kernel: int) -> np.ndarray:
    out, reach = np.zeros(mask.shape), kernel // 2
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    if 0 <= y + dy < mask.shape[0] and 0 <= x + dx < mask.shape[1]:
                        out[y, x] += mask[y + dy, x + dx] / kernel**2
    return out


@pytest.mark.parametrize("kernel", [1, 3, 7, 31])
def test_weight_map_equals_a_brute_force_box_filter_of_the_union(kernel: int) -> None:
    masks = (random(2, 3, 9, 7) < 0.2).double()
    got = weight_map(masks, kernel=kernel, object_weight=0.1, background_weight=1.0)
    assert got.shape == (2, 1, 9, 7)
    for sample in range(2):
        smooth = box_filter(masks[sample].numpy().max(axis=0), kernel)
        np.testing.assert_allclose(got[sample, 0].numpy(), 0.1 * smooth + (1 - smooth), atol=1e-12)


def test_overlapping_classes_count_once_and_never_turn_a_weight_negative() -> None:
    weights = weight_map(torch.ones(1, 4, 9, 9), kernel=3, object_weight=0.0, background_weight=1.0)
    assert weights.min() == 0 and weights.max() <= 1
    assert weights[0, 0, 4, 4] == 0


@pytest.mark.parametrize("weight", [1.0, 5.0, 1e6])
def test_where_nothing_weighs_the_mean_and_its_gradient_are_zero(weight: float) -> None:
    """In float32 1 / the smallest number is 8.5e37, and 5 times that infinite."""
    values = torch.ones(2, 1, 3, 3, requires_grad=True)
    mean = weight * weighted_mean(values, torch.zeros(2, 1, 3, 3))
    mean.backward()
    assert mean.item() == 0
    assert values.grad is not None
    assert (values.grad == 0).all()


@pytest.mark.parametrize("kernel", [-1, 0, 2, 30])
def test_kernels_that_would_shift_the_map_are_refused(kernel: int) -> None:
    with pytest.raises(ValueError, match=f"kernel {kernel} "):
        weight_map(torch.zeros(1, 1, 4, 4), kernel=kernel, object_weight=1, background_weight=1)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_a_uniform_mask_without_smoothing_reduces_to_plain_l1(fill: float) -> None:
    output, target = random(2, 3, 6, 6), random(2, 3, 6, 6, seed=1)
    masks = torch.full((2, 2, 6, 6), fill, dtype=torch.float64)
    loss = smooth_masked_l1(output, target, masks, kernel=1, object_weight=0.3, background_weight=0.7)
    torch.testing.assert_close(loss, (output - target).abs().mean())


def test_a_constant_difference_gives_itself_whatever_the_mask() -> None:
    """The thesis' code gives three times as much (0.3 for 0.1)."""
    target = random(1, 3, 40, 40)
    masks = (random(1, 4, 40, 40, seed=2) < 0.05).double()
    assert smooth_masked_l1(target + 0.1, target, masks).item() == pytest.approx(0.1, rel=1e-9)


def test_smooth_loss_is_the_weighted_mean_by_hand() -> None:
    masks = torch.tensor([[[[1.0, 0.0]]]])
    output, target = torch.tensor([[[[1.0, 3.0]]] * 1]), torch.zeros(1, 1, 1, 2)
    loss = smooth_masked_l1(output, target, masks, kernel=1, object_weight=3.0, background_weight=1.0)
    assert loss.item() == pytest.approx((3 * 1 + 1 * 3) / 4)


def test_a_weight_of_zero_hides_its_region() -> None:
    masks = torch.zeros(1, 1, 8, 8)
    masks[..., 2:5, 2:5] = 1
    target = torch.rand(1, 3, 8, 8)
    output = torch.where(masks > 0, 1 - target, target)
    hidden = smooth_masked_l1(output, target, masks, kernel=1, object_weight=0.0, background_weight=1.0)
    seen = smooth_masked_l1(output, target, masks, kernel=1, object_weight=1.0, background_weight=0.0)
    inside = (masks > 0).expand(1, 3, 8, 8)
    assert hidden.item() == 0
    torch.testing.assert_close(seen, (output - target)[inside].abs().mean())


def test_no_weight_at_all_gives_zero_and_zero_gradient_not_nan() -> None:
    output = torch.rand(2, 3, 5, 5, requires_grad=True)
    empty = torch.zeros(2, 2, 5, 5)
    loss = smooth_masked_l1(output, torch.rand(2, 3, 5, 5), empty, object_weight=1.0, background_weight=0.0)
    loss.backward()
    assert loss.item() == 0
    assert output.grad is not None and not output.grad.any()


@pytest.mark.parametrize("channels", [1, 3])
def test_masked_l1_takes_weights_with_one_or_all_channels(channels: int) -> None:
    output, target, weights = random(2, 3, 4, 4), random(2, 3, 4, 4, seed=1), random(2, channels, 4, 4, seed=2)
    every = np.broadcast_to(weights.numpy(), (2, 3, 4, 4))
    expected = np.average(np.abs((output - target).numpy()), weights=every)
    assert masked_l1(output, target, weights).item() == pytest.approx(expected, rel=1e-12)


def test_losses_pass_gradcheck() -> None:
    output = random(1, 3, 5, 5).requires_grad_()
    masks = (random(1, 2, 5, 5, seed=3) < 0.3).double()
    target = random(1, 3, 5, 5, seed=1)
    assert torch.autograd.gradcheck(lambda o: smooth_masked_l1(o, target, masks, kernel=3), (output,))


def test_bfloat16_images_are_compared_in_float32() -> None:
    output, target = torch.rand(1, 3, 8, 8).bfloat16(), torch.rand(1, 3, 8, 8)
    loss = masked_l1(output, target, torch.ones(1, 1, 8, 8))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, (output.float() - target).abs().mean())


def test_the_contrast_error_is_counted_sample_by_sample_and_class_by_class() -> None:
    output, base = random(2, 3, 5, 6), random(2, 3, 5, 6, seed=1)
    told = random(2, 1, 5, 6, seed=2) - 0.5
    masks = (random(2, 3, 5, 6, seed=3) < 0.3).double()
    masks[1, 2] = 0  # a class without a mask says nothing
    errors = []
    for sample in range(2):
        for label in range(3):
            places = masks[sample, label].nonzero().tolist()
            off = [
                sum(
                    float(output[sample, c, y, x] - base[sample, c, y, x] * (1 + told[sample, 0, y, x]))
                    for c in range(3)
                )
                / 3
                for y, x in places
            ]
            errors += [abs(sum(off) / len(off))] if off else []
    assert len(errors) == 5
    assert contrast_error(output, base, masks, told).item() == pytest.approx(sum(errors) / 5)
    assert contrast_error(output, base, 0 * masks, told).item() == 0
