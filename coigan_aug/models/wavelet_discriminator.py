"""The thesis' discriminator: SWAGAN's, on a pyramid of Haar bands."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from coigan_aug.models.layers import Blur, EqualConv2d, EqualLinear, scaled_leaky_relu
from coigan_aug.models.wavelets import haar
from coigan_aug.precision import at_least_float32


class WaveletDiscriminator(nn.Module):
    """Judge whether a square image, or stack of images, is real.

    At each scale the Haar bands of the downsampled image join the features, so that fine detail is judged
    directly. `max_channels` is the width from 32 px down; above that it is max_channels * multiplier * 32
    / size, the thesis' table at 512. Smaller values of either make it cheaper. Supports double backward
    (R1). Raises ValueError unless `size` is a power of two and at least 16.

    Source: Gal et al. 2021, "SWAGAN: A Style-based Wavelet-driven Generative Model".

    Shape: [B, in_channels, size, size] -> [B, 1] logits, any B.
    """

    def __init__(self, *, in_channels: int, size: int, multiplier: int = 3, max_channels: int = 512) -> None:
        super().__init__()
        if size < 16 or size & (size - 1):
            raise ValueError(f"size {size} must be a power of two and at least 16")
        self.size = size
        widths = _widths(size, multiplier=multiplier, max_channels=max_channels)
        self.from_bands = nn.ModuleList(_Conv(4 * in_channels, width) for width in widths)
        self.blocks = nn.ModuleList(_Block(a, b) for a, b in pairwise(widths))
        self.halve = Blur(padding=1, stride=2)
        self.last = _Conv(widths[-1] + 1, widths[-1])
        self.hidden = EqualLinear(widths[-1] * 16, widths[-1])
        self.logit = EqualLinear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.last(append_batch_deviation(self.stages(x)[-1]))
        return self.logit(scaled_leaky_relu(self.hidden(out.flatten(1))))  # [B, 1]

    def stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the features at each scale, finest first: [B, width, size / 2, size / 2] to [B, max_channels, 4, 4]."""
        if x.shape[-2:] != (self.size, self.size):
            raise ValueError(f"made for {self.size} x {self.size}, but the image is {x.shape[-2]} x {x.shape[-1]}")
        found = [self.from_bands[0](haar(x))]
        for block, from_bands in zip(self.blocks, self.from_bands[1:], strict=True):
            x = self.halve(x)
            found.append(block(found[-1]) + from_bands(haar(x)))
        return tuple(found)


def append_batch_deviation(x: Tensor) -> Tensor:
    """Append a channel with the mean deviation among a group of samples, which betrays a collapsed generator.

    A group is so many samples in a row, the largest divisor of the batch up to 4, so every batch works; a group of
    one appends (almost) zeros. Where processes share a batch in parts of a multiple of 4, the groups are the same.

    Source: Karras et al. 2018, "Progressive Growing of GANs", section 3.

    Shape: [B, C, H, W] -> [B, C + 1, H, W].
    """
    batch, _, height, width = x.shape
    group = max(g for g in (1, 2, 3, 4) if batch % g == 0)
    grouped = at_least_float32(x).unflatten(0, (batch // group, group))
    deviation = (grouped.var(dim=1, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))  # [B / group]
    channel = deviation.repeat_interleave(group).to(x.dtype)[:, None, None, None]
    return torch.cat((x, channel.expand(batch, 1, height, width)), dim=1)


def _widths(size: int, *, multiplier: int, max_channels: int) -> list[int]:
    """Channels of each stage; as in the published network the entry of `size` / 2 is left out."""
    sizes = [size] + [2**power for power in range(size.bit_length() - 3, 1, -1)]
    return [max_channels if s <= 32 else max_channels * multiplier * 32 // s for s in sizes]


class _Conv(nn.Module):
    """3x3 equalised convolution and scaled leaky ReLU.

    Shape: [B, in, H, W] -> [B, out, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = EqualConv2d(in_channels, out_channels, kernel=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return scaled_leaky_relu(self.conv(x))


class _Block(nn.Module):
    """A convolution, then one that blurs and halves.

    Shape: [B, in, H, W] -> [B, out, H / 2, W / 2].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = _Conv(in_channels, in_channels)
        self.blur = Blur(padding=2)
        self.halve = EqualConv2d(in_channels, out_channels, kernel=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blur(self.conv(x))  # [B, in, H + 1, W + 1]
        return scaled_leaky_relu(self.halve(x))
