"""The Fourier unit against NumPy and explicit sums."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from coigan_aug.models.ffc import FFC, FFCBlock, FourierUnit, SpectralTransform, from_spectrum, spectrum

SIZES = [(4, 4), (5, 4), (4, 5), (3, 7), (2, 2), (6, 1)]


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def waves_sum(bins: np.ndarray, width: int) -> np.ndarray:
    """The real signal of one half spectrum [H, W // 2 + 1], wave by wave."""
    height = bins.shape[0]
    image = np.zeros((height, width))
    for k in range(height):
        for column in range(width // 2 + 1):
            times = 1 if column in (0, width / 2) else 2  # the other half holds the conjugates
            for m in range(height):
                for n in range(width):
                    wave = cmath.exp(2j * math.pi * (k * m / height + column * n / width))
                    image[m, n] += times * (complex(bins[k, column]) * wave).real
    return image / math.sqrt(height * width)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_spectrum_interleaves_real_and_imaginary_parts_of_numpy(height: int, width: int) -> None:
    x = random(2, 3, height, width)
    bins = np.fft.rfft2(x.numpy(), norm="ortho")
    got = spectrum(x).numpy()
    np.testing.assert_allclose(got[:, 0::2], bins.real, atol=1e-12)
    np.testing.assert_allclose(got[:, 1::2], bins.imag, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_inverse_gives_the_image_back_for_odd_and_even_sizes(height: int, width: int) -> None:
    x = random(1, 2, height, width)
    torch.testing.assert_close(from_spectrum(spectrum(x), width=width), x)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_fourier_unit_equals_explicit_loops(height: int, width: int) -> None:
    """Mixing and ReLU leave a spectrum that is not Hermitian; the sum of its waves is still well defined."""
    torch.manual_seed(3)
    unit = FourierUnit(2).double().eval()
    unit.mix[1].eps = 0.0  # fresh statistics are 0 and 1, so the normalisation is then the identity
    x = random(1, 2, height, width)
    weight = unit.mix[0].weight.detach().numpy()[:, :, 0, 0]
    bins = np.fft.rfft2(x[0].numpy(), norm="ortho")
    parts = np.stack([bins[0].real, bins[0].imag, bins[1].real, bins[1].imag])
    mixed = np.zeros_like(parts)
    for out in range(4):
        for k in range(height):
            for column in range(width // 2 + 1):
                mixed[out, k, column] = max(0.0, sum(weight[out, i] * parts[i, k, column] for i in range(4)))
    expected = np.stack([waves_sum(mixed[2 * c] + 1j * mixed[2 * c + 1], width) for c in range(2)])
    np.testing.assert_allclose(unit(x)[0].detach().numpy(), expected, atol=1e-12)


def test_fourier_unit_computes_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    unit = FourierUnit(4).eval()
    x = torch.randn(1, 4, 6, 6).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        got = unit(x)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got, unit(x.float()).bfloat16(), rtol=0, atol=0)


def test_fourier_unit_sees_the_whole_image() -> None:
    torch.manual_seed(0)
    unit = FourierUnit(2).eval()
    x = torch.rand(1, 2, 16, 16)
    changed = x.clone()
    changed[0, 0, 0, 0] += 1
    assert ((unit(changed) - unit(x)).abs() > 1e-7).float().mean() > 0.9


@pytest.mark.parametrize("size", [(3, 4), (4, 3)])
def test_ffc_passes_gradcheck(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = FFC(6, global_channels=4).double().eval()
    assert torch.autograd.gradcheck(layer, (random(1, 6, *size).requires_grad_(),))


def test_ffc_splits_its_parameters_as_the_published_layer() -> None:
    """512 channels at a global share of 0.75: l2l and l2g together, g2l, g2g (LaMa)."""
    with torch.device("meta"):
        layer = FFC(512, global_channels=384)
    parts = (layer.from_local, layer.global_to_local, layer.global_to_global)
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == [147_456 + 442_368, 442_368, 296_064]


def test_ffc_feeds_each_output_from_both_inputs() -> None:
    torch.manual_seed(0)
    layer = FFC(6, global_channels=4).eval()
    for source in (slice(0, 2), slice(2, 6)):
        for sink in (slice(0, 2), slice(2, 6)):
            x = torch.rand(1, 6, 4, 4).requires_grad_()
            (gradient,) = torch.autograd.grad(layer(x)[:, sink].sum(), x)
            assert gradient[:, source].abs().sum() > 0


def test_block_and_spectral_transform_keep_the_shape() -> None:
    x = torch.rand(2, 8, 3, 5)
    assert FFCBlock(8, global_channels=6)(x).shape == x.shape
    assert SpectralTransform(8)(x).shape == x.shape


def test_block_is_the_identity_when_its_last_normalisation_is_zero() -> None:
    block = FFCBlock(8, global_channels=6)
    torch.nn.init.zeros_(block.layers[4].weight)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x), x)
