"""The light generator: a U-Net that predicts what to add to the base image."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.models.layers import ResidualStage, conv_norm_silu, pad_to_multiple
from coigan_aug.precision import at_least_float32

_HEAD_STD = 1e-3  # of the last weights: an untrained generator then changes the image by well under 1 %


class UNetGenerator(nn.Module):
    """Predict a residual image from the image, its masks and noise.

    `depth` halvings with skip connections; `width` channels at full size, twice and then three times that
    below. Group normalisation, so a sample never depends on the rest of its batch. Upsampling repeats
    pixels and then convolves, which leaves no checkerboard (Odena et al. 2016).

    Source: Ronneberger et al. 2015, "U-Net"; residual stages as in He et al. 2016.

    Shape: [B, in_channels, H, W] -> [B, out_channels, H, W] in -1..1 (tanh), near 0 before training,
    float32 even under autocast. Any H and W: padded to a multiple of 2**depth, the result is cropped.
    """

    def __init__(self, *, in_channels: int, width: int = 24, depth: int = 3, out_channels: int = 3) -> None:
        super().__init__()
        self.multiple = 2**depth
        widths = [width * min(2**level, 3) for level in range(depth + 1)]
        self.stem = ResidualStage(in_channels, width, layer=conv_norm_silu)
        self.downs = nn.ModuleList(ResidualStage(a, b, stride=2, layer=conv_norm_silu) for a, b in pairwise(widths))
        self.ups = nn.ModuleList(
            ResidualStage(below + skip, skip, layer=conv_norm_silu)
            for skip, below in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.head = nn.Conv2d(width, out_channels, 3, padding=1, bias=False)
        nn.init.normal_(self.head.weight, std=_HEAD_STD)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        out = self.stem(pad_to_multiple(x, self.multiple))  # [B, width, H', W']
        skips: list[Tensor] = []
        for down in self.downs:
            skips.append(out)
            out = down(out)  # [B, more, half the height, half the width]
        for up in self.ups:
            out = up(torch.cat((F.interpolate(out, scale_factor=2.0), skips.pop()), dim=1))
        return at_least_float32(self.head(out)).tanh()[..., :height, :width]
