"""Layers and small tensor operations that several networks share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def pad_to_multiple(x: Tensor, multiple: int, *, minimum: int = 1) -> Tensor:
    """Pad an image at its bottom and right until both sides are multiples of `multiple`.

    Each side reflects where it is long enough and repeats its last line otherwise. The caller crops
    with ``[..., :height, :width]``.

    Shape: [B, C, H, W] -> [B, C, H', W'] with H' and W' >= max(H or W, `minimum` rounded up).
    """
    right = _missing(x.shape[-1], multiple, minimum=minimum)
    bottom = _missing(x.shape[-2], multiple, minimum=minimum)
    x = F.pad(x, (0, right, 0, 0), mode=_padding_mode(x.shape[-1], right)) if right else x
    return F.pad(x, (0, 0, 0, bottom), mode=_padding_mode(x.shape[-2], bottom)) if bottom else x


def _missing(length: int, multiple: int, *, minimum: int) -> int:
    return math.ceil(max(length, minimum) / multiple) * multiple - length


def _padding_mode(length: int, padding: int) -> str:
    return "reflect" if padding < length else "replicate"


def scaled_leaky_relu(x: Tensor) -> Tensor:
    """Apply a leaky ReLU of slope 0.2 and multiply by sqrt(2), which keeps the variance (StyleGAN2)."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class ResidualStage(nn.Module):
    """Change width or size with one layer, then refine with a residual one.

    Args:
        layer: makes a layer from (in channels, out channels, stride).

    Shape: [B, in, H, W] -> [B, out, H / stride, W / stride].
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, layer: Callable[[int, int, int], nn.Module], stride: int = 1
    ) -> None:
        super().__init__()
        self.change = layer(in_channels, out_channels, stride)
        self.refine = layer(out_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.change(x)
        return x + self.refine(x)


class EqualConv2d(nn.Module):
    """Convolve with an equalised learning rate: unit-variance weights, scaled by 1/sqrt(fan in) when used.

    Source: Karras et al. 2018, "Progressive Growing of GANs", section 4.1.

    Shape: [B, in, H, W] -> [B, out, H', W'] as `torch.nn.functional.conv2d`.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.scale = 1 / math.sqrt(in_channels * kernel**2)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, stride=self.stride, padding=self.padding)


class EqualLinear(nn.Module):
    """Apply an affine map with an equalised learning rate.

    Shape: [B, in] -> [B, out].
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.scale = 1 / math.sqrt(in_features)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


class Blur(nn.Module):
    """Filter each channel with the separable FIR kernel [1, 3, 3, 1] / 8, zero-padded.

    Source: Zhang 2019, "Making Convolutional Networks Shift-Invariant Again"; StyleGAN2.

    Shape: [B, C, H, W] -> [B, C, (H + 2 * padding - 4) // stride + 1, likewise W].
    """

    kernel: Tensor

    def __init__(self, *, padding: int, stride: int = 1) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None], persistent=False)
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, 4, 4)
        return F.conv2d(x, kernel, stride=self.stride, padding=self.padding, groups=channels)


def group_norm(channels: int) -> nn.GroupNorm:
    """Return group normalisation with as many groups as divide the channels, at most 8."""
    return nn.GroupNorm(max(g for g in range(1, 9) if channels % g == 0), channels)


def conv_norm_silu(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Build a 3x3 convolution (no bias), group normalisation and SiLU.

    Shape: [B, in, H, W] -> [B, out, H / stride, W / stride].
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        group_norm(out_channels),
        nn.SiLU(),
    )
