"""The light discriminator: strided convolutions that judge overlapping patches."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Judge each patch of an image, or stack of images, as real or not.

    `layers` strided 4x4 convolutions, `width` channels doubled by each, then a 3x3 convolution to the
    logits. No normalisation: samples stay independent and R1's double backward is exact.

    Source: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", section
    3.2.2; weights drawn after He et al. 2015.

    Shape: [B, in_channels, H, W] -> [B, 1, H // 2**layers, W // 2**layers] logits; H and W >= 2**layers.
    """

    def __init__(self, *, in_channels: int, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        widths = [in_channels] + [width * 2**level for level in range(layers)]
        modules: list[nn.Module] = []
        for before, after in pairwise(widths):
            modules += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*modules, nn.Conv2d(widths[-1], 1, 3, padding=1))
        self.layers.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def stages(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the features after each strided convolution, finest first: [B, width, H / 2, W / 2], [B, 2 width, ...], ..."""
        found = []
        for k in range(0, len(self.layers) - 1, 2):
            x = self.layers[k : k + 2](x)
            found.append(x)
        return tuple(found)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
