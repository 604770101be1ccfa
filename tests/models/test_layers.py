"""Padding, equalised layers and the blur against plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.models.layers import Blur, EqualConv2d, EqualLinear, pad_to_multiple, scaled_leaky_relu
from coigan_aug.precision import at_least_float32
from tests.thorough import tries


@settings(max_examples=tries(60), deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), multiple=st.sampled_from([1, 2, 8]))
def test_padding_reaches_the_next_multiple_and_keeps_the_image(height: int, width: int, multiple: int) -> None:
    x = torch.rand(1, 2, height, width)
    padded = pad_to_multiple(x, multiple)
    assert padded.shape[-2] % multiple == 0 and 0 <= padded.shape[-2] - height < multiple
    assert padded.shape[-1] % multiple == 0 and 0 <= padded.shape[-1] - width < multiple
    assert torch.equal(padded[..., :height, :width], x)


def test_padding_reflects_where_the_side_is_long_enough_and_repeats_otherwise() -> None:
    row = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    assert pad_to_multiple(row, 5)[0, 0, 0].tolist() == [1, 2, 3, 2, 1]
    assert pad_to_multiple(row, 8)[0, 0, 0].tolist() == [1, 2, 3, 3, 3, 3, 3, 3]


def test_padding_honours_the_minimum() -> None:
    assert pad_to_multiple(torch.zeros(1, 1, 8, 20), 8, minimum=16).shape[-2:] == (16, 24)


def test_equal_convolution_is_a_convolution_with_scaled_weights() -> None:
    layer = EqualConv2d(3, 5, kernel=3, stride=2, padding=1).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    plain = torch.nn.Conv2d(3, 5, 3, stride=2, padding=1).double()
    with torch.no_grad():
        plain.weight.copy_(layer.weight / math.sqrt(27))
        plain.bias.copy_(layer.bias)  # type: ignore[union-attr]
    torch.testing.assert_close(layer(x), plain(x))


def test_equal_linear_is_a_matrix_product_with_scaled_weights() -> None:
    layer = EqualLinear(4, 2)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 4)
    torch.testing.assert_close(layer(x), x @ layer.weight.T / 2 + layer.bias)


def test_leaky_relu_has_slope_and_gain() -> None:
    got = scaled_leaky_relu(torch.tensor([-1.0, 0.0, 1.0]))
    torch.testing.assert_close(got, torch.tensor([-0.2, 0.0, 1.0]) * math.sqrt(2))


@pytest.mark.parametrize(("padding", "stride"), [(2, 1), (1, 2)])
def test_blur_equals_explicit_sums_over_rows_and_columns(padding: int, stride: int) -> None:
    x = torch.randn(1, 2, 6, 8, dtype=torch.float64)
    padded = np.pad(x[0].numpy(), ((0, 0), (padding, padding), (padding, padding)))
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    rows, columns = (padded.shape[1] - 4) // stride + 1, (padded.shape[2] - 4) // stride + 1
    expected = np.zeros((2, rows, columns))
    for r in range(rows):
        for c in range(columns):
            window = padded[:, r * stride : r * stride + 4, c * stride : c * stride + 4]
            expected[:, r, c] = (window * taps).sum(axis=(1, 2))
    np.testing.assert_allclose(Blur(padding=padding, stride=stride)(x)[0].numpy(), expected, atol=1e-12)


def test_low_precision_is_raised_and_high_kept() -> None:
    dtypes = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
    raised = [at_least_float32(torch.zeros(1, dtype=dtype)).dtype for dtype in dtypes]
    assert raised == [torch.float32, torch.float32, torch.float32, torch.float64]
