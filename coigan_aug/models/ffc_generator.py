"""The thesis' generator: LaMa's residual network of fast Fourier convolutions."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from coigan_aug.models.ffc import FFCBlock, conv_norm_relu
from coigan_aug.models.layers import pad_to_multiple
from coigan_aug.precision import at_least_float32


class FFCGenerator(nn.Module):
    """Redraw an image from the image and its mask channels.

    `width` channels at full size, doubled by each of `downsamplings`, then `blocks` FFC blocks of which
    `global_share` of the channels are spectral, then back up by transposed convolutions. Batch
    normalisation throughout, so use it in `eval()` unless training: only then is the output independent
    of the other images of the batch. With the defaults the thesis' network of 24.4 million parameters.

    Source: Suvorov et al. 2022, "Resolution-robust Large Mask Inpainting with Fourier Convolutions".

    Shape: [B, in_channels, H, W] in 0..1 -> [B, 3, H, W] in 0..1, float32 even under autocast. Any H and W:
    they are padded to a multiple of 2**downsamplings (at least twice that) and the result is cropped.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        width: int = 64,
        downsamplings: int = 3,
        blocks: int = 8,
        global_share: float = 0.75,
    ) -> None:
        super().__init__()
        self.multiple = 2**downsamplings
        channels = width * self.multiple
        global_channels = int(channels * global_share)
        if not 2 <= global_channels < channels:
            raise ValueError(f"global_share {global_share} leaves {global_channels} of {channels} channels global")
        widths = [width * 2**level for level in range(downsamplings + 1)]
        downs = [conv_norm_relu(a, b, kernel=3, stride=2) for a, b in pairwise(widths)]
        self.encoder = nn.Sequential(conv_norm_relu(in_channels, widths[0], kernel=7), *downs)
        self.blocks = nn.Sequential(*(FFCBlock(channels, global_channels=global_channels) for _ in range(blocks)))
        ups = [_upsample(a, b) for a, b in pairwise(widths[::-1])]
        self.decoder = nn.Sequential(*ups, nn.Conv2d(widths[0], 3, 7, padding=3, padding_mode="reflect"))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        # The blocks' reflected borders need two pixels or more.
        padded = pad_to_multiple(x, self.multiple, minimum=max(2 * self.multiple, 4))  # [B, in, H', W']
        features = self.blocks(self.encoder(padded))  # [B, width * multiple, H' / multiple, W' / multiple]
        return at_least_float32(self.decoder(features)).sigmoid()[..., :height, :width]


def _upsample(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )
