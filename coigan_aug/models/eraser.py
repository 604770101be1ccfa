"""The eraser: a small convolutional auto-encoder that fills a hole in an image from what surrounds it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.models.unet_generator import UNetGenerator


class Eraser(nn.Module):
    """Fill holes in images; outside the hole the result is the image bit for bit.

    A smooth guess continues the surroundings into the hole; an auto-encoder with skip connections predicts what to add to
    it from the image with the hole so filled, less its mean, and the hole. Before training it therefore fills holes
    smoothly, and brightness is nothing that it has to learn. A `grey` one gives the three channels one value.

    Shape: image [B, 3, H, W] in 0..1, hole [B, 1, H, W] of 0 and 1 -> [B, 3, H, W] in 0..1. Any H and W.
    """

    def __init__(self, *, width: int, depth: int, grey: bool) -> None:
        super().__init__()
        self.network = UNetGenerator(in_channels=4, width=width, depth=depth)
        self.grey = grey

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        start = torch.where(hole > 0, smooth_guess(image, 1 - hole), image)
        centred = start - start.mean(dim=(1, 2, 3), keepdim=True)
        change: Tensor = self.network(torch.cat((centred, hole), dim=1))  # [B, 3, H, W]
        if self.grey:
            change = change.mean(dim=1, keepdim=True).expand_as(image)
        return torch.where(hole > 0, (start + change).clamp(0, 1), image)


def smooth_guess(image: Tensor, known: Tensor) -> Tensor:
    """Fill what is not known smoothly from coarser and coarser averages of what is; 0 where nothing is known.

    Source: Gortler et al. 1996, "The Lumigraph", section 3.4 (pull-push).

    Shape: image [B, C, H, W], known [B, 1, H, W] in 0..1 -> [B, C, H, W].
    """
    if max(image.shape[-2:]) == 1:
        return image * (known > 0)
    both = F.avg_pool2d(torch.cat((image * known, known), dim=1), 2, ceil_mode=True)  # [B, C + 1, H / 2, W / 2]
    share = both[:, -1:]
    coarse = smooth_guess(both[:, :-1] / share.clamp_min(1e-6), (4 * share).clamp_max(1))
    wide = F.interpolate(coarse, size=image.shape[-2:], mode="bilinear")
    return known * image + (1 - known) * wide
