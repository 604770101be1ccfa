"""The style generator: its modulated convolution against a loop, its latent, its noise, its sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from coigan_aug.models.modulated import Mapping, ModulatedConv2d, StyledLayer
from coigan_aug.models.projected_discriminator import ProjectedDiscriminator
from coigan_aug.models.style_unet import StyleUNetGenerator


def _generator(*, latent: int = 6, depth: int = 2) -> StyleUNetGenerator:
    torch.manual_seed(0)
    made = StyleUNetGenerator(in_channels=6, width=8, depth=depth, latent=latent, blocks=1)
    torch.nn.init.normal_(made.head.weight, std=0.3)
    for level in made.ups:
        torch.nn.init.normal_(level.first.strength, std=0.5)
    return made


def _latent(count: int, *, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("demodulate", [True, False])
def test_a_modulated_convolution_equals_one_with_own_weights_for_each_sample(demodulate: bool) -> None:
    """Karras et al. 2020, equations 1 and 3, sample by sample."""
    torch.manual_seed(1)
    conv = ModulatedConv2d(4, 5, style=3, demodulate=demodulate).double()
    x, style = torch.randn(3, 4, 6, 7).double(), torch.randn(3, 3).double()
    found = conv(x, style)
    for k in range(3):
        weight = conv.weight * conv.affine(style[k])[None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        torch.testing.assert_close(found[k], F.conv2d(x[k : k + 1], weight, padding=1)[0], rtol=1e-9, atol=1e-9)


def test_demodulated_features_have_unit_variance_whatever_the_style() -> None:
    torch.manual_seed(2)
    conv = ModulatedConv2d(32, 16, style=4)
    out = conv(torch.randn(1, 32, 64, 64), torch.randn(1, 4) * 10)
    assert out[..., 1:-1, 1:-1].var(dim=(2, 3)).mean().item() == pytest.approx(1, abs=0.05)


def test_a_styled_layer_passes_gradients_of_every_input() -> None:
    torch.manual_seed(3)
    layer = StyledLayer(2, 3, style=2).double()
    torch.nn.init.normal_(layer.strength)
    inputs = (torch.randn(1, 2, 4, 4), torch.randn(1, 2), torch.randn(1, 1, 4, 4))
    assert torch.autograd.gradcheck(layer, tuple(v.double().requires_grad_(True) for v in inputs))


def test_the_mapping_sees_the_direction_of_a_latent_only() -> None:
    mapping, z = Mapping(latent=4, style=5), torch.randn(2, 3, 4)
    assert mapping(z).shape == (2, 3, 5)
    torch.testing.assert_close(mapping(z), mapping(7 * z), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (9, 11), (1, 30), (33, 17)])
def test_any_size_goes_in_and_comes_out(size: tuple[int, int]) -> None:
    assert _generator()(torch.rand(2, 6, *size), _latent(2)).shape == (2, 3, *size)


def test_samples_are_independent_of_their_batch_while_training_and_after() -> None:
    x, latent = torch.rand(3, 6, 16, 20), _latent(3)
    for network in (_generator().train(), _generator().eval()):
        alone = torch.cat([network(x[k : k + 1], latent[k : k + 1]) for k in range(3)])
        torch.testing.assert_close(network(x, latent), alone, rtol=1e-4, atol=1e-5)


def test_an_untrained_generator_hardly_changes_the_image() -> None:
    torch.manual_seed(0)
    network = StyleUNetGenerator(in_channels=6, width=8, depth=2, latent=6, blocks=1)
    assert network(torch.rand(2, 6, 16, 16), _latent(2)).abs().max() < 0.05


def test_the_latent_changes_the_picture_level_by_level() -> None:
    network, x, latent = _generator(), torch.rand(1, 6, 16, 16), _latent(1)
    before = network(x, latent)
    for level in range(3):
        other = latent.clone()
        other[:, level] = _latent(1, seed=2)[:, level]
        assert not torch.allclose(network(x, other), before, atol=1e-4), level


def test_truncation_goes_from_all_variety_to_none() -> None:
    network, x = _generator(), torch.rand(1, 6, 16, 16)
    one, other = _latent(1), _latent(1, seed=2)
    assert torch.equal(network(x, one, truncation=1.0), network(x, one))
    torch.testing.assert_close(network(x, one, truncation=0.0), network(x, other, truncation=0.0))
    whole = (network(x, one) - network(x, other)).abs().mean()
    half = (network(x, one, truncation=0.5) - network(x, other, truncation=0.5)).abs().mean()
    assert 0 < half < whole


def test_the_noise_channel_reaches_every_level() -> None:
    """The last channel alone carries it; with the strengths at 0 the decoder does not see it."""
    network = _generator()
    latent, x = _latent(1), torch.rand(1, 6, 16, 16)
    for stage in (network.stem, *network.downs):
        for parameter in stage.parameters():
            torch.nn.init.zeros_(parameter)  # the encoder is blind: what changes comes through the decoder's noise
    other = x.clone()
    other[:, -1] = torch.rand(1, 16, 16)
    for level in range(3):
        for k, up in enumerate(network.ups):
            torch.nn.init.constant_(up.first.strength, float(k == level))
            torch.nn.init.zeros_(up.second.strength)
        assert not torch.allclose(network(x, latent), network(other, latent), atol=1e-5), level
    for up in network.ups:
        torch.nn.init.zeros_(up.first.strength)
    assert torch.allclose(network(x, latent), network(other, latent))


def test_the_projected_discriminator_leaves_its_features_alone_and_sees_the_masks() -> None:
    torch.manual_seed(0)
    network = ProjectedDiscriminator(masks=2, width=4)
    frozen = {name: value.clone() for name, value in network.features.state_dict().items()}
    x = torch.rand(2, 5, 32, 32)
    x[:, 3:] = (x[:, 3:] > 0.5).float()
    x.requires_grad_(True)
    logits = network(x)
    assert logits.shape == (2, 3, 16, 16)
    logits.sum().backward()
    assert x.grad is not None and x.grad[:, :3].abs().sum() > 0 and x.grad[:, 3:].abs().sum() > 0
    assert all(p.grad is None for p in network.features.parameters())
    assert all(p.grad is not None for p in network.heads.parameters())
    network.train()
    network(x)
    assert all(torch.equal(frozen[name], value) for name, value in network.features.state_dict().items())
