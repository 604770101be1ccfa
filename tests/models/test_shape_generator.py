"""The shape generator's network: shapes, ranges, what the noise and the condition do."""

from __future__ import annotations

import pytest
import torch

from coigan_aug.models.shape_generator import ShapeGenerator


def _network(side: int = 16) -> ShapeGenerator:
    torch.manual_seed(0)
    return ShapeGenerator(side=side, classes=3, features=2, latent=4, width=8).eval()


@pytest.mark.parametrize("side", [8, 16, 40])
def test_maps_come_back_in_their_size_and_range(side: int) -> None:
    maps, label, features = torch.rand(5, 1, side, side) * 2 - 1, torch.tensor([0, 1, 2, 0, 1]), torch.rand(5, 2)
    decoded, mean, log_variance = _network(side)(maps, label, features, torch.randn(5, 4))
    assert decoded.shape == maps.shape
    assert decoded.abs().max() <= 1
    assert mean.shape == log_variance.shape == (5, 4)


def test_without_noise_the_mean_is_decoded_and_a_sample_depends_on_no_other() -> None:
    network, maps, label, features = _network(), torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 2, 0]), torch.rand(4, 2)
    decoded, mean, _ = network(maps, label, features, torch.zeros(4, 4))
    assert torch.allclose(decoded, network.decode(mean, label, features))
    alone, _, _ = network(maps[2:3], label[2:3], features[2:3], torch.zeros(1, 4))
    assert torch.allclose(alone, decoded[2:3], atol=1e-5)


def test_noise_class_and_features_all_change_what_is_drawn() -> None:
    network = _network()
    latent, label, features = torch.zeros(1, 4), torch.tensor([0]), torch.zeros(1, 2)
    plain = network.decode(latent, label, features)
    for other in ((latent + 1, label, features), (latent, label + 1, features), (latent, label, features + 1)):
        assert not torch.equal(network.decode(*other), plain)
