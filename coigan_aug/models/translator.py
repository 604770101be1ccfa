"""Networks that restyle images: CycleGAN's residual generator and its 70 px discriminator."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from coigan_aug.models.layers import pad_to_multiple
from coigan_aug.precision import at_least_float32

_SHORTEST = 16  # px; instance norm needs several places at a quarter of it


class Translator(nn.Module):
    """Redraw an image in another look: two strided stages, residual blocks, two stages back, what is drawn added to the image.

    Instance normalisation, so an image does not depend on the others of its batch. It hides how bright an image is, so the
    last convolution sees the image again; and there is none behind the blocks, where it would make all weights of their
    attention (Grad-CAM) 0: a gradient that comes through it has the mean 0 over an image. A `grey` one gives the three
    channels one value.

    Source: Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", appendix 7.2;
    upsampled by repetition and convolution, which leaves no checkerboard.

    Shape: [B, 3, H, W] in 0..1 -> [B, 3, H, W] float32, near 0..1. Any H and W.
    """

    def __init__(self, *, width: int, blocks: int, grey: bool) -> None:
        super().__init__()
        self.grey = grey
        self.encoder = nn.Sequential(
            _stage(3, width, kernel=7), _stage(width, 2 * width, stride=2), _stage(2 * width, 4 * width, stride=2)
        )
        self.blocks = nn.ModuleList(ResidualBlock(4 * width) for _ in range(blocks))
        self.decoder = nn.Sequential(*_enlarge(4 * width, 2 * width), *_enlarge(2 * width, width))
        self.last = nn.Conv2d(width + 3, 3, 7, padding=3, padding_mode="reflect")
        nn.init.normal_(self.last.weight, std=1e-3)  # begins with the image as it is
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        return self.traced(image)[0]

    def traced(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the restyled image, and what each residual block gives: [B, 4 width, H' / 4, W' / 4]."""
        height, width = image.shape[-2:]
        padded = pad_to_multiple(image, 4, minimum=_SHORTEST)  # [B, 3, H', W']
        x, features = self.encoder(padded), []  # [B, 4 width, H' / 4, W' / 4]
        for block in self.blocks:
            x = block(x)
            features.append(x)
        change = torch.tanh(at_least_float32(self.last(torch.cat((self.decoder(x), padded), dim=1))))
        if self.grey:
            change = change.mean(dim=1, keepdim=True).expand_as(padded)
        return image + change[..., :height, :width], features


class ResidualBlock(nn.Module):
    """Add two convolutions of what goes through to it.

    Shape: [B, C, H, W] -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            _stage(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


def _stage(in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, padding_mode="reflect", bias=False
        ),
        nn.InstanceNorm2d(out_channels, affine=True),
        nn.ReLU(),
    )


def _enlarge(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect")
    return nn.Upsample(scale_factor=2), convolution, nn.ReLU()


class SeventyDiscriminator(nn.Module):
    """Judge each patch of 70 x 70 px as of a look or not.

    Five 4x4 convolutions, three of them strided. Without normalisation: how bright an image is, is part of its look.

    Source: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", appendix 6.1.2.

    Shape: [B, 3, H, W] -> [B, 1, H / 8 - 2, W / 8 - 2] logits; H and W multiples of 8, 24 at least.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for (before, after), stride in zip(
            pairwise((3, width, 2 * width, 4 * width, 8 * width)), (2, 2, 2, 1), strict=True
        ):
            layers += [nn.Conv2d(before, after, 4, stride=stride, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, padding=1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.2)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layers(image)
        return logits


def restyled(network: nn.Module, image: Tensor) -> Tensor:
    """Restyle images and keep them in 0..1: [B, 3, H, W] -> the same, without gradients."""
    with torch.no_grad():
        made: Tensor = network(image)
    return made.clamp(0, 1)
