"""The Haar transform against hand-computed bands and its own algebra."""

from __future__ import annotations

import pytest
import torch

from coigan_aug.models.wavelets import haar, inverse_haar


def test_bands_of_one_block_are_the_hand_computed_ones() -> None:
    a, b, c, d = 1.0, 2.0, 4.0, 16.0
    bands = haar(torch.tensor([[[[a, b], [c, d]]]])).flatten()
    mean, rows = (a + b + c + d) / 2, (a + b - c - d) / 2
    columns, both = (a - b + c - d) / 2, (a - b - c + d) / 2
    assert bands.tolist() == [mean, rows, columns, both]


def test_each_band_comes_with_all_channels_before_the_next() -> None:
    x = torch.stack((torch.ones(2, 2), 3 * torch.ones(2, 2)))[None]  # constant channels: LL alone is not 0
    assert haar(x).flatten().tolist() == [2.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_transform_is_an_orthogonal_matrix() -> None:
    size = 4
    units = torch.eye(size * size, dtype=torch.float64).view(-1, 1, size, size)
    matrix = haar(units).flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size * size, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 1, 2, 6), (3, 5, 10, 4)])
def test_inverse_gives_the_image_back_and_energy_is_kept(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bands = haar(x)
    assert bands.shape == (shape[0], 4 * shape[1], shape[2] // 2, shape[3] // 2)
    torch.testing.assert_close(inverse_haar(bands), x)
    torch.testing.assert_close(bands.square().sum(), x.square().sum())


@pytest.mark.parametrize("shape", [(1, 1, 5, 4), (1, 1, 4, 7)])
def test_odd_sides_are_refused_with_their_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{shape[2]} x {shape[3]}"):
        haar(torch.zeros(shape))


def test_both_directions_pass_gradcheck() -> None:
    x = torch.randn(1, 4, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(haar, (x,))
    assert torch.autograd.gradcheck(inverse_haar, (x,))
