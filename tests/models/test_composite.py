"""The promise of the package: outside the margin every bit is the base's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.models.composite import composite, mask_alpha
from tests.thorough import tries


def distance(mask: np.ndarray) -> np.ndarray:
    """Chessboard distance to the nearest mask pixel, by comparing with each; inf where there is none."""
    height, width = mask.shape
    out = np.full((height, width), np.inf)
    for y in range(height):
        for x in range(width):
            for my, mx in np.argwhere(mask):
                out[y, x] = min(out[y, x], max(abs(y - my), abs(x - mx)))
    return out


@st.composite
def mask_stacks(draw: st.DrawFn) -> torch.Tensor:
    classes, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    share = draw(st.sampled_from([0.0, 0.02, 0.1, 1.0]))
    return (torch.rand(1, classes, height, width, generator=generator) < share).float()


@settings(max_examples=tries(60), deadline=None)
@given(masks=mask_stacks(), grow=st.integers(0, 4), soften=st.integers(0, 4))
def test_alpha_is_the_ramp_over_the_brute_force_distance(masks: torch.Tensor, grow: int, soften: int) -> None:
    alpha = mask_alpha(masks, grow=grow, soften=soften)[0, 0].numpy()
    far = distance(masks[0].numpy().any(axis=0))
    assert (alpha[far <= grow] == 1).all()
    assert (alpha[far > grow + soften] == 0).all()
    between = (far > grow) & (far <= grow + soften)
    np.testing.assert_allclose(alpha[between], 1 - (far[between] - grow) / (soften + 1), rtol=1e-6)


def test_alpha_of_a_single_pixel_by_hand() -> None:
    masks = torch.zeros(1, 1, 1, 9)
    masks[..., 0] = 1
    assert mask_alpha(masks, grow=2, soften=3).flatten().tolist() == [1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0]


def test_alpha_of_each_sample_is_its_own_and_empty_masks_give_zero() -> None:
    masks = torch.zeros(2, 3, 12, 12)
    masks[1, 2, 4, 4] = 1
    alpha = mask_alpha(masks, grow=1, soften=2)
    assert alpha.shape == (2, 1, 12, 12)
    assert not alpha[0].any() and alpha[1, 0, 4, 4] == 1


@pytest.mark.parametrize(("grow", "soften"), [(-1, 2), (2, -1)])
def test_negative_distances_are_refused(grow: int, soften: int) -> None:
    with pytest.raises(ValueError, match="-1"):
        mask_alpha(torch.zeros(1, 1, 4, 4), grow=grow, soften=soften)


@settings(max_examples=tries(40), deadline=None)
@given(masks=mask_stacks(), seed=st.integers(0, 2**31), grow=st.integers(0, 2), soften=st.integers(0, 2))
def test_pixels_outside_the_margin_are_the_base_bit_for_bit(
    masks: torch.Tensor, seed: int, grow: int, soften: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    base = torch.rand(1, 3, *masks.shape[-2:], generator=generator)
    generated = torch.rand(base.shape, generator=generator)
    out = composite(base, generated, mask_alpha(masks, grow=grow, soften=soften))
    outside = torch.from_numpy(distance(masks[0].numpy().any(axis=0)) > grow + soften)
    assert torch.equal(out[..., outside].view(torch.int32), base[..., outside].view(torch.int32))
    assert out.min() >= 0 and out.max() <= 1


@pytest.mark.parametrize("junk", [float("nan"), float("inf"), -1e30])
def test_what_the_generator_writes_outside_never_arrives(junk: float) -> None:
    base = torch.rand(1, 3, 4, 4)
    alpha = torch.zeros(1, 1, 4, 4)
    assert torch.equal(composite(base, torch.full_like(base, junk), alpha), base)


def test_inside_it_is_the_generated_image_and_between_the_blend() -> None:
    base, generated = torch.full((1, 3, 1, 3), 0.25), torch.full((1, 3, 1, 3), 0.75)
    out = composite(base, generated, torch.tensor([[[[1.0, 0.5, 0.0]]]]))
    assert out[0, 0, 0].tolist() == [0.75, 0.5, 0.25]


def test_result_is_clamped_to_the_image_range() -> None:
    base, generated = torch.tensor([[[[0.5, 0.5]]]] * 1), torch.tensor([[[[3.0, -3.0]]]])
    assert composite(base, generated, torch.ones(1, 1, 1, 2)).flatten().tolist() == [1.0, 0.0]


def test_gradient_reaches_the_generator_by_alpha() -> None:
    generated = torch.full((1, 3, 1, 3), 0.5, requires_grad=True)
    alpha = torch.tensor([[[[1.0, 0.5, 0.0]]]])
    composite(torch.full((1, 3, 1, 3), 0.5), generated, alpha).sum().backward()
    assert generated.grad is not None
    assert torch.equal(generated.grad, alpha.expand(1, 3, 1, 3))
