"""Style: a mapping network, and convolutions whose input channels a style scales."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.models.layers import scaled_leaky_relu
from coigan_aug.precision import at_least_float32


class Mapping(nn.Module):
    """Map a latent to a style, after bringing it to unit length per channel.

    Source: Karras et al. 2019, "A Style-Based Generator Architecture", section 2 (4 layers instead of 8, and the learning
    rate of the rest: trainings here are short).

    Shape: [..., latent] -> [..., style], float32.
    """

    def __init__(self, *, latent: int, style: int, layers: int = 4) -> None:
        super().__init__()
        widths = [latent] + [style] * layers
        self.layers = nn.ModuleList(_linear(a, b) for a, b in pairwise(widths))

    def forward(self, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            z = at_least_float32(z)
            out = z * (z.square().mean(dim=-1, keepdim=True) + 1e-8).rsqrt()
            for layer in self.layers:
                out = scaled_leaky_relu(layer(out))
        return out


class ModulatedConv2d(nn.Module):
    """Convolve after a style has scaled the input channels; demodulated, each output channel keeps unit variance.

    Written as a scaling of the input, one plain convolution and a scaling of the output, which equals a convolution with
    weights of its own for each sample.

    Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", equations 1-3.

    Shape: [B, in, H, W], style [B, style] -> [B, out, H, W]; zero-padded.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, style: int, kernel: int = 3, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        nn.init.normal_(self.weight, std=1 / math.sqrt(in_channels * kernel**2))
        self.affine = _linear(style, in_channels, bias=1.0)
        self.demodulate = demodulate
        self.padding = kernel // 2

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scales = self.affine(style)  # [B, in]
        out = F.conv2d(x * scales[:, :, None, None].to(x.dtype), self.weight, padding=self.padding)
        if not self.demodulate:
            return out
        with torch.autocast(x.device.type, enabled=False):
            energy = (
                at_least_float32(scales).square() @ at_least_float32(self.weight).square().sum(dim=(2, 3)).T
            )  # [B, out]
            norm = (energy + 1e-8).rsqrt()
        return out * norm[:, :, None, None].to(out.dtype)


class StyledLayer(nn.Module):
    """A modulated convolution, noise of learned strength, bias and leaky ReLU.

    Shape: [B, in, H, W], style [B, style], noise [B, 1, H, W] -> [B, out, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int, *, style: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, style=style)
        self.strength = nn.Parameter(torch.zeros(out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        out = self.conv(x, style)
        added = self.strength[:, None, None] * noise + self.bias[:, None, None]
        return scaled_leaky_relu(out + added.to(out.dtype))


def _linear(in_features: int, out_features: int, *, bias: float = 0.0) -> nn.Linear:
    """Return a linear layer that keeps the variance of what comes in."""
    layer = nn.Linear(in_features, out_features)
    nn.init.normal_(layer.weight, std=1 / math.sqrt(in_features))
    nn.init.constant_(layer.bias, bias)
    return layer
