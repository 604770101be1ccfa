"""Counts against the published ones, shapes, batch sizes and double backward of both discriminators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from coigan_aug.models.patch_discriminator import PatchDiscriminator
from coigan_aug.models.projected_discriminator import ProjectedDiscriminator
from coigan_aug.models.wavelet_discriminator import WaveletDiscriminator, append_batch_deviation


def small_wavelet(size: int = 16, in_channels: int = 3) -> WaveletDiscriminator:
    torch.manual_seed(0)
    return WaveletDiscriminator(in_channels=in_channels, size=size, multiplier=1, max_channels=8)


def small_patch(in_channels: int = 3) -> PatchDiscriminator:
    torch.manual_seed(0)
    return PatchDiscriminator(in_channels=in_channels, width=4)


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("in_channels", "multiplier", "parameters"),
    [
        (12, 3, 32_529_537),
        (12, 2, 27_340_033),
        (12, 1, 23_698_817),
        (9, 3, 32_204_673),
        (6, 3, 31_879_809),
        (3, 3, 31_554_945),
    ],
)
def test_wavelet_discriminator_has_the_published_number_of_parameters(
    in_channels: int, multiplier: int, parameters: int
) -> None:
    with torch.device("meta"):
        assert count(WaveletDiscriminator(in_channels=in_channels, size=256, multiplier=multiplier)) == parameters


def test_fewer_channels_make_it_affordable() -> None:
    with torch.device("meta"):
        small = WaveletDiscriminator(in_channels=12, size=64, multiplier=1, max_channels=64)
        full = WaveletDiscriminator(in_channels=12, size=64)
    assert count(small) < count(full) / 30


@pytest.mark.parametrize("size", [16, 32, 64])
def test_wavelet_discriminator_gives_one_logit_for_each_sample(size: int) -> None:
    assert small_wavelet(size)(images(2, 3, size, size)).shape == (2, 1)


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 6, 7, 8])
def test_wavelet_discriminator_takes_every_batch_size(batch: int) -> None:
    logits = small_wavelet()(images(batch, 3, 16, 16))
    assert logits.shape == (batch, 1) and logits.isfinite().all()


@pytest.mark.parametrize("size", [0, 1, 8, 24, 48, 192, 255])
def test_sizes_it_cannot_halve_to_four_are_refused_by_value(size: int) -> None:
    with pytest.raises(ValueError, match=f"size {size} "):
        WaveletDiscriminator(in_channels=3, size=size)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"made for 16 x 16.*32 x 16"):
        small_wavelet()(images(1, 3, 32, 16))


@pytest.mark.parametrize(("batch", "group"), [(4, 4), (6, 3), (8, 4), (2, 2), (10, 2)])
def test_batch_deviation_equals_a_loop_over_groups(batch: int, group: int) -> None:
    x = images(batch, 3, 4, 4).double()
    got = append_batch_deviation(x)
    assert torch.equal(got[:, :3], x)
    for first in range(0, batch, group):
        together = x[first : first + group]
        assert len(together) == group
        expected = ((together - together.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(got[first : first + group, 3], expected.expand(group, 4, 4))


@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_batch_deviation_of_a_batch_is_that_of_its_parts(parts: int) -> None:
    x = images(24, 3, 4, 4)
    assert torch.equal(append_batch_deviation(x), torch.cat([append_batch_deviation(part) for part in x.chunk(parts)]))


def test_batch_deviation_tells_copies_from_variety() -> None:
    x = images(4, 2, 4, 4)
    assert append_batch_deviation(x[:1].expand(4, -1, -1, -1))[:, 2].max() < 1e-3
    assert append_batch_deviation(x)[:, 2].min() > 0.1


def test_features_keep_their_scale_through_the_equalised_layers() -> None:
    """Unit-variance weights with the fan-in scale: neither vanishing nor exploding logits at the start."""
    torch.manual_seed(0)
    network = WaveletDiscriminator(in_channels=3, size=32, multiplier=1, max_channels=64)
    spread = network(torch.randn(8, 3, 32, 32)).std()
    assert 0.05 < spread < 20


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (64, 40), (100, 16)])
def test_patch_discriminator_gives_a_map_for_any_size(size: tuple[int, int]) -> None:
    assert small_patch()(images(2, 3, *size)).shape == (2, 1, size[0] // 8, size[1] // 8)


def test_patch_discriminator_judges_samples_independently_and_patches_locally() -> None:
    network, x = small_patch(), images(2, 3, 64, 64)
    torch.testing.assert_close(network(x)[1:], network(x[1:]))
    changed = x.clone()
    changed[..., :8, :8] = 0
    difference = (network(changed) - network(x)).abs()
    assert difference[..., 0, 0].min() > 0 and difference[..., 4:, 4:].max() == 0


def make_differentiable(network: nn.Module) -> nn.Module:
    """Shift biases so that float64 finite differences stay clear of the kinks."""
    network = network.double()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("network", [small_wavelet(in_channels=2), small_patch(in_channels=2)])
def test_second_derivatives_are_right(network: nn.Module) -> None:
    """What R1 needs: the derivative of |dD/dx|^2 by a parameter, against finite differences."""
    network = make_differentiable(network)
    x = images(2, 2, 16, 16).double().requires_grad_()
    weight = next(p for p in network.parameters() if p.dim() == 4)

    def penalty() -> Tensor:
        (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
        return gradient.square().sum()

    (analytic,) = torch.autograd.grad(penalty(), weight)
    direction = torch.randn(weight.shape, dtype=weight.dtype, generator=torch.Generator().manual_seed(2))
    step = 1e-7
    with torch.no_grad():
        weight += step * direction
    above = penalty().detach()
    with torch.no_grad():
        weight -= 2 * step * direction
    below = penalty().detach()
    torch.testing.assert_close((above - below) / (2 * step), (analytic * direction).sum(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("network", [small_wavelet(), small_patch()])
def test_both_run_in_bfloat16_near_the_exact_result(network: nn.Module) -> None:
    x = images(4, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        got = network(x)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), network(x), rtol=0.1, atol=0.1)


def test_stages_are_the_features_that_lead_to_the_logits() -> None:
    """Finest first, each half the size of the one before; the last convolution of the patches gives the logits."""
    x, patches = images(2, 3, 32, 32), small_patch()
    found = patches.stages(x)
    assert [tuple(own.shape) for own in found] == [(2, 4, 16, 16), (2, 8, 8, 8), (2, 16, 4, 4)]
    torch.testing.assert_close(patches.layers[-1](found[-1]), patches(x))
    wavelet = small_wavelet(32)
    found = wavelet.stages(x)
    assert [own.shape[-1] for own in found] == [16, 8, 4]
    hidden = wavelet.hidden(wavelet.last(append_batch_deviation(found[-1])).flatten(1))
    logits = wavelet.logit(torch.nn.functional.leaky_relu(hidden, 0.2) * 2**0.5)
    torch.testing.assert_close(logits, wavelet(x))


def test_stages_of_the_projected_discriminator_are_what_its_heads_learn() -> None:
    network, x = ProjectedDiscriminator(masks=1, width=4).eval(), images(2, 4, 32, 32)
    found = network.stages(x)
    assert [tuple(own.shape) for own in found] == [(2, 8, 16, 16), (2, 8, 8, 8), (2, 8, 4, 4)]
    torch.testing.assert_close(network.heads[0][-1](found[0]), network(x)[:, :1])  # type: ignore[index]
