"""Transforms as matrices against NumPy's FFT, and whole Fourier units against their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coigan_aug.export.fourier import MatrixFourierUnit, waves, with_matrices
from coigan_aug.models.ffc import FFCBlock, FourierUnit

SIZES = [(4, 4), (5, 4), (4, 5), (3, 7), (2, 2), (6, 1), (1, 6), (16, 100), (33, 64)]


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def unit_of(channels: int) -> FourierUnit:
    """A unit with statistics of its own, so that the normalisation is not the identity."""
    torch.manual_seed(channels)
    unit = FourierUnit(channels)
    unit.mix[1].running_mean.normal_(std=0.1)
    unit.mix[1].running_var.uniform_(0.5, 2.0)
    nn.init.normal_(unit.mix[1].bias, std=0.5)
    return unit.eval()


@pytest.mark.parametrize("length", [1, 2, 3, 8, 25, 100, 511, 1000])
def test_waves_are_the_columns_of_numpys_transform_whatever_the_length(length: int) -> None:
    spectrum = np.fft.fft(np.eye(length), norm="ortho")
    cos, sin = waves(length, length // 2 + 1)
    np.testing.assert_allclose(cos.numpy(), spectrum.real[:, : length // 2 + 1], atol=6e-8)
    np.testing.assert_allclose(-sin.numpy(), spectrum.imag[:, : length // 2 + 1], atol=6e-8)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_matrix_products_transform_and_invert_as_numpy_does(height: int, width: int) -> None:
    """Each without the mixing between them; the inverse also of what is no spectrum of a real image."""
    unit = MatrixFourierUnit(unit_of(2), height=height, width=width).double()
    x = random(2, 2, height, width).double()
    bins = np.fft.rfft2(x.numpy(), norm="ortho")
    parts = unit._spectrum(x).numpy()
    np.testing.assert_allclose(parts[:, 0::2], bins.real, atol=2e-6)
    np.testing.assert_allclose(parts[:, 1::2], bins.imag, atol=2e-6)
    free = np.random.default_rng(0).normal(size=(2, 2, 2, height, width // 2 + 1))
    free_bins = np.fft.ifft(free[:, :, 0] + 1j * free[:, :, 1], axis=-2, norm="ortho")
    expected = np.fft.irfft(free_bins, n=width, axis=-1, norm="ortho")
    back = unit._back(torch.from_numpy(free).flatten(1, 2)).numpy()
    np.testing.assert_allclose(back, expected, atol=4e-6)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_unit_of_matrices_equals_the_unit_of_transforms(height: int, width: int) -> None:
    unit = unit_of(4)
    x = random(3, 4, height, width)
    got = MatrixFourierUnit(unit, height=height, width=width)(x)
    torch.testing.assert_close(got, unit(x), rtol=1e-6, atol=5e-6)


def test_every_unit_of_a_network_is_replaced_at_the_size_that_reaches_it_and_the_network_stays() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(FFCBlock(8, global_channels=4), nn.AvgPool2d(2), FFCBlock(8, global_channels=6)).eval()
    x = random(2, 8, 6, 10)
    before = network(x)
    fixed = with_matrices(network, x)
    kinds = [type(module) for module in fixed.modules()]
    assert kinds.count(MatrixFourierUnit) == 4
    assert FourierUnit not in kinds
    assert sum(isinstance(module, FourierUnit) for module in network.modules()) == 4
    torch.testing.assert_close(fixed(x), before, rtol=0, atol=5e-6)
    assert torch.equal(network(x), before)
    assert not any(module._forward_pre_hooks for module in [*network.modules(), *fixed.modules()])
