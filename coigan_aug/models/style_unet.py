"""The style generator: a U-Net whose decoder a latent modulates, with a spectral bottleneck."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.models.ffc import FFCBlock
from coigan_aug.models.layers import ResidualStage, conv_norm_silu, group_norm, pad_to_multiple
from coigan_aug.models.modulated import Mapping, ModulatedConv2d, StyledLayer
from coigan_aug.precision import at_least_float32

_HEAD_STD = 1e-3  # of the last weights: an untrained generator then changes the image by well under 1 %
_MEAN_OF = 4096  # latents whose mean style is what truncation moves towards
_GLOBAL_SHARE = 0.5


class StyleUNetGenerator(nn.Module):
    """Predict a residual image from the image, its masks and noise, and a latent that decides what kind of defect it is.

    Encoder: `depth` halvings, group normalisation. Bottleneck: FFC blocks, so that far ends of a large defect know of each
    other. Decoder: styled layers with skips; level by level the latent's rows (coarse first) give the styles, and the
    noise channel, averaged down, comes in with learned strength. Group normalisation throughout: a sample never depends
    on the rest of its batch.

    Source: thesis, section "future work" (style injection and an FFC U-Net); Karras et al. 2020 for the decoder; Zhao et
    al. 2021, "Large Scale Image Completion via Co-Modulated GANs", for modulating an inpainter.

    Shape: [B, in_channels, H, W] with the noise as its last channel, latent [B, depth + 1, latent]; shift [B, latent], added
    to the styles of all levels -> [B, 3, H, W] in -1..1 (tanh), near 0 before training, float32 even under autocast.
    Any H and W.
    """

    def __init__(
        self, *, in_channels: int, width: int, depth: int, latent: int, blocks: int = 1, out_channels: int = 3
    ) -> None:
        super().__init__()
        self.multiple = 2**depth
        self.latent = (depth + 1, latent)
        widths = [width * min(2**level, 3) for level in range(depth + 1)]
        self.mapping = Mapping(latent=latent, style=latent)
        self.stem = ResidualStage(in_channels, width, layer=conv_norm_silu)
        self.downs = nn.ModuleList(ResidualStage(a, b, stride=2, layer=conv_norm_silu) for a, b in pairwise(widths))
        far = int(widths[-1] * _GLOBAL_SHARE) // 2 * 2
        self.blocks = nn.Sequential(
            *(FFCBlock(widths[-1], global_channels=far, norm=group_norm) for _ in range(blocks))
        )
        ins = [widths[-1], *(below + skip for skip, below in zip(widths[-2::-1], widths[:0:-1], strict=True))]
        self.ups = nn.ModuleList(_Level(a, b, style=latent) for a, b in zip(ins, widths[::-1], strict=True))
        self.head = ModulatedConv2d(width, out_channels, style=latent, kernel=1, demodulate=False)
        nn.init.normal_(self.head.weight, std=_HEAD_STD)

    def forward(self, x: Tensor, latent: Tensor, *, truncation: float = 1.0, shift: Tensor | None = None) -> Tensor:
        height, width = x.shape[-2:]
        padded = pad_to_multiple(x, self.multiple, minimum=2 * self.multiple)
        styles = self.styles(latent, truncation=truncation)  # [B, depth + 1, latent]
        if shift is not None:
            styles = styles + shift[:, None]
        out = self.stem(padded)  # [B, width, H', W']
        skips: list[Tensor] = []
        for down in self.downs:
            skips.append(out)
            out = down(out)  # [B, more, half the height, half the width]
        out = self.blocks(out)
        grain = padded[:, -1:]
        for level, up in enumerate(self.ups):
            if level > 0:
                out = torch.cat((F.interpolate(out, scale_factor=2.0), skips.pop()), dim=1)
            out = up(out, styles[:, level], _coarser(grain, 2 ** (len(self.ups) - 1 - level)))
        return at_least_float32(self.head(out, styles[:, -1])).tanh()[..., :height, :width]

    def styles(self, latent: Tensor, *, truncation: float = 1.0) -> Tensor:
        """Return a style for each level: [B, L, latent] -> the same; truncation moves them towards the mean style."""
        styles: Tensor = self.mapping(latent)
        if truncation == 1.0:
            return styles
        rng = torch.Generator().manual_seed(0)
        many = torch.randn(_MEAN_OF, self.latent[1], generator=rng).to(styles)
        mean = self.mapping(many).mean(dim=0)
        return mean + truncation * (styles - mean)


class _Level(nn.Module):
    """Two styled layers.

    Shape: [B, in, H, W], style [B, style], noise [B, 1, H, W] -> [B, out, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int, *, style: int) -> None:
        super().__init__()
        self.first = StyledLayer(in_channels, out_channels, style=style)
        self.second = StyledLayer(out_channels, out_channels, style=style)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        return self.second(self.first(x, style, noise), style, noise)


def _coarser(noise: Tensor, factor: int) -> Tensor:
    """Average noise over squares of `factor` px and keep its variance: [B, 1, H, W] -> [B, 1, H / factor, W / factor]."""
    return noise if factor == 1 else F.avg_pool2d(noise, factor) * factor
