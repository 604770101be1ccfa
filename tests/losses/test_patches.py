"""The distance between patches against SciPy's Wasserstein distance, and what it must and must not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from coigan_aug.losses.patches import patch_distance, random_kernels


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def kernels(side: int = 3) -> torch.Tensor:
    return random_kernels(5, channels=3, side=side, rng=torch.Generator().manual_seed(1)).double()


def test_kernels_see_no_brightness_and_have_length_one() -> None:
    drawn = random_kernels(7, channels=3, side=5, rng=torch.Generator().manual_seed(2))
    torch.testing.assert_close(drawn.sum(dim=(1, 2, 3)), torch.zeros(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(drawn.flatten(1).norm(dim=1), torch.ones(7))


def test_equals_the_wasserstein_distance_of_scipy_over_patches_cut_by_hand() -> None:
    output, target, drawn = random(2, 3, 9, 8), random(2, 3, 9, 8, seed=3), kernels()
    region = (random(2, 1, 9, 8, seed=4) < 0.5).double()
    expected = []
    for k in range(2):
        padded = [np.pad(image[k].numpy(), ((0, 0), (1, 1), (1, 1)), mode="reflect") for image in (output, target)]
        places = np.argwhere(region[k, 0].numpy() > 0)
        for kernel in drawn.numpy():
            seen = [[(one[:, y : y + 3, x : x + 3] * kernel).sum() for y, x in places] for one in padded]
            expected.append(wasserstein_distance(*seen))
    assert patch_distance(output, target, region, drawn).item() == pytest.approx(np.mean(expected), abs=1e-12)


def test_grain_elsewhere_and_more_light_cost_nothing_and_a_blur_does() -> None:
    target, drawn = random(1, 3, 32, 32), kernels()
    everywhere = torch.ones(1, 1, 32, 32)
    assert patch_distance(target + 0.2, target, everywhere, drawn).item() == pytest.approx(0, abs=1e-6)
    moved, blurred = target.flip(3), torch.nn.functional.avg_pool2d(target, 3, stride=1, padding=1)
    mirrored = torch.cat((drawn, drawn.flip(3)))  # each patch has its mirror image among the kernels
    assert patch_distance(moved, target, everywhere, mirrored).item() < 0.05
    assert patch_distance(blurred, target, everywhere, mirrored).item() > 0.1


def test_images_without_a_region_do_not_count_and_none_at_all_gives_zero_with_a_gradient() -> None:
    output, target, drawn = random(2, 3, 8, 8).requires_grad_(True), random(2, 3, 8, 8, seed=5), kernels()
    region = torch.zeros(2, 1, 8, 8)
    nothing = patch_distance(output, target, region, drawn)
    nothing.backward()
    assert nothing.item() == 0
    assert output.grad is not None
    assert (output.grad == 0).all()
    region[1, :, 2:6, 2:6] = 1
    alone = patch_distance(output[1:], target[1:], region[1:], drawn)
    torch.testing.assert_close(patch_distance(output, target, region, drawn), alone)
