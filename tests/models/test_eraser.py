"""The eraser's network: outside the hole nothing changes, and before training it continues the surroundings smoothly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from coigan_aug.models.eraser import Eraser, smooth_guess

SIZES = [(8, 8), (9, 11), (17, 30), (1, 1), (1, 20), (2, 3), (40, 64)]


def _eraser(*, grey: bool = False, loud: bool = True) -> Eraser:
    """An untrained eraser; a loud one changes what it may by a lot."""
    torch.manual_seed(0)
    eraser = Eraser(width=8, depth=2, grey=grey).eval()
    if loud:
        torch.nn.init.normal_(eraser.network.head.weight, std=0.5)
    return eraser


def _case(height: int, width: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(height * width)
    image = torch.rand(2, 3, height, width, generator=draw)
    return image, (torch.rand(2, 1, height, width, generator=draw) < 0.3).float()


@pytest.mark.parametrize("size", SIZES)
def test_outside_the_hole_every_bit_stays_and_inside_values_stay_in_range(size: tuple[int, int]) -> None:
    image, hole = _case(*size)
    filled = _eraser()(image, hole)
    same = (hole == 0).expand_as(image)
    assert torch.equal(filled[same], image[same])
    assert filled.min() >= 0
    assert filled.max() <= 1
    assert size[0] < 8 or not torch.equal(filled, image)


def test_a_hole_that_is_nowhere_changes_nothing_and_one_that_is_everywhere_gives_finite_values() -> None:
    image, hole = _case(16, 16)
    assert torch.equal(_eraser()(image, torch.zeros_like(hole)), image)
    assert torch.isfinite(_eraser()(image, torch.ones_like(hole))).all()


def test_what_lies_in_the_hole_never_matters() -> None:
    image, hole = _case(24, 40)
    other = torch.where(hole > 0, torch.rand_like(image), image)
    assert torch.equal(_eraser()(image, hole), _eraser()(other, hole))


def test_a_grey_eraser_gives_the_three_channels_one_value() -> None:
    image, hole = _case(24, 40)
    filled = _eraser(grey=True)(image[:, :1].expand(-1, 3, -1, -1), hole)
    assert torch.equal(filled[:, 0], filled[:, 1])
    assert torch.equal(filled[:, 0], filled[:, 2])
    coloured = _eraser()(image[:, :1].expand(-1, 3, -1, -1), hole)
    assert not torch.equal(coloured[:, 0], coloured[:, 1]), "the test can fail"


@pytest.mark.parametrize("size", [(9, 11), (1, 20), (40, 64)])
def test_the_guess_is_exact_where_the_image_is_flat(size: tuple[int, int]) -> None:
    _, hole = _case(*size)
    flat = torch.full((2, 3, *size), 0.37)
    guess = smooth_guess(flat * (1 - hole), 1 - hole)
    assert torch.allclose(guess, flat, atol=1e-6)


def test_the_guess_lies_between_the_darkest_and_the_brightest_known_pixel_and_follows_a_slope() -> None:
    slope = torch.linspace(0.2, 0.8, 64).expand(1, 3, 64, 64).contiguous()
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 24:40, 24:40] = 1
    guess = smooth_guess(torch.where(hole > 0, 5.0, slope), 1 - hole)
    inside = guess[0, 0, 24:40, 24:40].numpy()
    assert 0.2 <= inside.min() <= inside.max() <= 0.8
    assert np.abs(inside - slope[0, 0, 24:40, 24:40].numpy()).max() < 0.08
