"""Sizes, ranges and independence of samples of both generators; counts against the published ones."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from coigan_aug.models.build import build_generator
from coigan_aug.models.ffc_generator import FFCGenerator
from coigan_aug.models.unet_generator import UNetGenerator
from coigan_aug.settings import ModelSettings

SIZES = [(8, 8), (9, 11), (16, 16), (17, 8), (30, 21), (24, 40), (1, 64), (65, 33)]


def small_ffc(in_channels: int = 5) -> FFCGenerator:
    torch.manual_seed(0)
    return FFCGenerator(in_channels=in_channels, width=2, blocks=2)


def small_unet(in_channels: int = 5) -> UNetGenerator:
    torch.manual_seed(0)
    return UNetGenerator(in_channels=in_channels, width=4)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def images(batch: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(height * width))


@pytest.mark.parametrize(
    ("in_channels", "blocks", "parameters"),
    [
        (4, 8, 24_390_275),
        (4, 9, 27_048_835),
        (4, 18, 50_975_875),
        (6, 8, 24_396_547),
        (7, 8, 24_399_683),
        (7, 9, 27_058_243),
    ],
)
def test_ffc_generator_has_the_published_number_of_parameters(in_channels: int, blocks: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(FFCGenerator(in_channels=in_channels, blocks=blocks)) == parameters


def test_unet_generator_stays_light() -> None:
    with torch.device("meta"):
        assert 0.4e6 < count(UNetGenerator(in_channels=11)) < 0.5e6


@pytest.mark.parametrize("size", SIZES)
def test_output_size_is_input_size(size: tuple[int, int]) -> None:
    x = images(2, 5, *size)
    for network in (small_ffc().eval(), small_unet().eval()):
        assert network(x).shape == (2, 3, *size)


def test_cropping_keeps_the_top_left_of_the_padded_result() -> None:
    """An image that is already the padded one of a smaller image must give the same pixels."""
    x = images(1, 5, 24, 24)
    x[..., 23:] = x[..., 21:22]  # what reflecting one column does
    for network in (small_ffc().eval(), small_unet().eval()):
        torch.testing.assert_close(network(x[..., :23]), network(x)[..., :23])


@pytest.mark.parametrize("size", [(16, 16), (19, 26)])
def test_a_batch_equals_its_samples_one_by_one_in_eval(size: tuple[int, int]) -> None:
    x = images(3, 5, *size)
    for network in (small_ffc().eval(), small_unet().eval()):
        singles = torch.cat([network(x[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(network(x), singles, rtol=1e-5, atol=1e-6)


def test_unet_samples_are_independent_even_while_training() -> None:
    x, network = images(3, 5, 16, 16), small_unet().train()
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]), rtol=1e-5, atol=1e-6)


def test_ranges_hold_for_any_input_and_weights() -> None:
    x = 100 * images(2, 5, 16, 16) - 50
    ffc, unet = small_ffc(), small_unet()
    nn.init.normal_(unet.head.weight, std=10)
    out, residual = ffc(x), unet(x)
    assert out.min() >= 0 and out.max() <= 1
    assert residual.min() < -0.5 and residual.max() > 0.5 and residual.abs().max() <= 1


def test_untrained_residual_is_nearly_nothing_but_not_nothing() -> None:
    torch.manual_seed(0)
    residual = UNetGenerator(in_channels=11)(images(2, 11, 32, 32))
    assert 0 < residual.abs().max() < 0.15 and residual.square().mean().sqrt() < 0.05


def test_every_parameter_of_both_gets_a_gradient() -> None:
    ffc, unet = small_ffc(), small_unet()
    # The bias of a transposed convolution is taken out again by the normalisation after it.
    cancelled = {f"decoder.{i}.0.bias" for i in range(3)}
    for network in (ffc, unet):
        network(images(2, 5, 16, 16)).square().sum().backward()
        silent = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
        assert silent <= cancelled


def test_both_run_in_bfloat16_and_return_float32_near_the_exact_result() -> None:
    x = images(2, 5, 24, 16)
    for network in (small_ffc().eval(), small_unet().eval()):
        channels_last = x.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            got = network(channels_last)
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, network(x), rtol=0, atol=0.03)


def test_both_keep_float64() -> None:
    for network in (small_ffc().double(), small_unet().double()):
        assert network(images(2, 5, 16, 16).double()).dtype == torch.float64


def test_gradients_of_both_are_right() -> None:
    x = images(1, 2, 8, 8).double().requires_grad_()
    torch.manual_seed(0)
    ffc = FFCGenerator(in_channels=2, width=2, downsamplings=1, blocks=1, global_share=0.5).double().eval()
    unet = UNetGenerator(in_channels=2, width=2, depth=1).double()
    for network in (ffc, unet):
        assert torch.autograd.gradcheck(network, (x,), fast_mode=True)


def test_unet_depth_and_output_channels_are_free() -> None:
    network = UNetGenerator(in_channels=4, width=3, depth=4, out_channels=1)
    assert network(images(1, 4, 20, 20)).shape == (1, 1, 20, 20)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_global_share_without_one_of_the_paths_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="global_share"):
        FFCGenerator(in_channels=4, width=4, global_share=share)


@pytest.mark.parametrize("kind", ["unet", "style_unet", "ffc"])
def test_a_masked_base_is_not_seen_inside_the_masks_and_kept_beyond_the_margin(kind: str) -> None:
    """Other surface under the masks: the same picture, but for where it is only blended in."""
    masks = torch.zeros(1, 2, 32, 32)
    masks[0, 0, 8:20, 6:18] = masks[0, 1, 22:28, 20:30] = 1
    base, condition, latent = torch.rand(1, 3, 32, 32), torch.rand(1, 4, 32, 32), torch.randn(1, 3, 8)
    other = torch.where(masks.amax(dim=1, keepdim=True) > 0, torch.rand(1, 3, 32, 32), base)
    settings = ModelSettings(generator=kind, width=8, depth=2, blocks=1, latent=8, colour="rgb", noise_scales=(1, 4))
    for hidden in (False, True):
        torch.manual_seed(0)
        model = build_generator(dataclasses.replace(settings, mask_base=hidden), 2).eval()
        drawn, again = (model(own, condition, latent, masks) for own in (base, other))
        assert torch.allclose(drawn, again, atol=1e-6) == hidden
        assert torch.equal(model.seen(base, masks), base * (1 - masks.sum(dim=1, keepdim=True)) if hidden else base)
        assert torch.equal(drawn[..., :4, :], base[..., :4, :])
