"""The small segmenter: a U-Net that a CPU trains in minutes."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.models.layers import ResidualStage, pad_to_multiple
from coigan_aug.precision import at_least_float32


class SegmentationUNet(nn.Module):
    """Predict logits for each pixel: background, then the classes.

    `width` channels at full size, twice and then three times that below. Batch normalisation: its running statistics
    make a prediction the same for a window and for the whole image that holds it, up to the borders, which the
    group statistics of a window would not.

    Source: Ronneberger et al. 2015, "U-Net"; residual stages as in He et al. 2016.

    Shape: [B, 3, H, W] in 0..1 -> [B, 1 + classes, H, W] logits, float32 even under autocast. Any H and W.
    """

    def __init__(self, *, classes: int, width: int, depth: int) -> None:
        super().__init__()
        self.multiple = 2**depth
        widths = [width * min(2**level, 3) for level in range(depth + 1)]
        self.stem = ResidualStage(3, width, layer=conv_norm_relu)
        self.downs = nn.ModuleList(ResidualStage(a, b, stride=2, layer=conv_norm_relu) for a, b in pairwise(widths))
        self.ups = nn.ModuleList(
            ResidualStage(a + b, a, layer=conv_norm_relu) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.head = nn.Conv2d(width, 1 + classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        out = self.stem(pad_to_multiple(x * 2 - 1, self.multiple))  # [B, width, H', W']
        skips: list[Tensor] = []
        for down in self.downs:
            skips.append(out)
            out = down(out)  # [B, more, half the height, half the width]
        for up in self.ups:
            out = up(torch.cat((F.interpolate(out, scale_factor=2.0), skips.pop()), dim=1))
        return at_least_float32(self.head(out))[..., :height, :width]


def conv_norm_relu(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution, batch normalisation and ReLU; the size stays, but for the stride."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )
