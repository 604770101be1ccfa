"""Settings to networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from coigan_aug.compose.noise import condition_channels
from coigan_aug.models.composite import composite, mask_alpha
from coigan_aug.models.ffc_generator import FFCGenerator
from coigan_aug.models.patch_discriminator import PatchDiscriminator
from coigan_aug.models.projected_discriminator import ProjectedDiscriminator
from coigan_aug.models.style_unet import StyleUNetGenerator
from coigan_aug.models.unet_generator import UNetGenerator
from coigan_aug.models.wavelet_discriminator import WaveletDiscriminator
from coigan_aug.settings import ModelSettings


class Inpainter(nn.Module):
    """A generator with its compositing: what it may change lies round the masks and nowhere else.

    `residual` generators predict what to add to the base, the others the whole image. A `grey` one gives the
    three channels one value, so that it can't leave coloured fringes on grey images. One with `mask_base` is not shown the
    base inside the masks.

    Shape: base [B, 3, H, W] in 0..1, condition [B, C, H, W], latent [B, L, Z], masks [B, K, H, W] of 0 and 1 ->
    [B, 3, H, W] in 0..1. L and Z are 0 for networks without a latent.
    """

    def __init__(
        self, network: nn.Module, *, residual: bool, grey: bool, grow: int, soften: int, mask_base: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.residual = residual
        self.grey = grey
        self.grow = grow
        self.soften = soften
        self.mask_base = mask_base

    def seen(self, base: Tensor, masks: Tensor) -> Tensor:
        """Return the base as `generate` is to be given it: [B, 3, H, W], where `mask_base` says so black in the masks."""
        if not self.mask_base:
            return base
        return base * (masks.amax(dim=1, keepdim=True) == 0)

    def generate(
        self, base: Tensor, condition: Tensor, latent: Tensor, *, truncation: float = 1.0, shift: Tensor | None = None
    ) -> Tensor:
        """Return the generator's own image, not composited: [B, 3, H, W] float32.

        Args:
            base: as `seen` gives it.
            truncation: 1 draws the whole variety, 0 the average style only; networks without a latent ignore it.
            shift: [B, Z], added to the styles; networks without a latent ignore it, too.
        """
        seen = torch.cat((base, condition), dim=1)
        styled = isinstance(self.network, StyleUNetGenerator)
        out: Tensor = (
            self.network(seen, latent, truncation=truncation, shift=shift) if styled else self.network(seen)
        )  # [B, 3, H, W]
        if self.grey:
            out = out.mean(dim=1, keepdim=True).expand_as(base)
        return base + out if self.residual else out.float()

    def forward(self, base: Tensor, condition: Tensor, latent: Tensor, masks: Tensor) -> Tensor:
        alpha = mask_alpha(masks, grow=self.grow, soften=self.soften)
        return composite(base, self.generate(self.seen(base, masks), condition, latent), alpha)


def build_generator(settings: ModelSettings, classes: int) -> Inpainter:
    """Build the generator for `classes` classes, randomly initialised."""
    channels = 3 + condition_channels(settings, classes)
    network: nn.Module
    if settings.generator == "ffc":
        network = FFCGenerator(
            in_channels=channels, width=settings.width, downsamplings=settings.depth, blocks=settings.blocks
        )
    elif settings.generator == "style_unet":
        network = StyleUNetGenerator(
            in_channels=channels, width=settings.width, depth=settings.depth, latent=settings.latent,
            blocks=settings.blocks,
        )  # fmt: skip
    else:
        network = UNetGenerator(in_channels=channels, width=settings.width, depth=settings.depth)
    grey, residual = settings.colour == "grey", settings.generator != "ffc"
    return Inpainter(
        network, residual=residual, grey=grey, grow=settings.grow, soften=settings.soften, mask_base=settings.mask_base
    )


def build_discriminators(settings: ModelSettings, classes: int, *, window: int) -> tuple[nn.Module, nn.Module]:
    """Build the defect discriminator (stack of K masked images) and the reference discriminator (whole image)."""
    masks = classes if settings.discriminator_masks else 0
    kind = settings.reference_discriminator
    whole = settings.discriminator if kind == "same" else kind
    return (
        _discriminator(settings.discriminator, settings, 3 * classes + masks, window),
        _discriminator(whole, settings, 3 + masks, window),
    )


def _discriminator(kind: str, settings: ModelSettings, channels: int, window: int) -> nn.Module:
    if kind == "projected":
        return ProjectedDiscriminator(masks=channels - 3, width=settings.discriminator_width)
    if kind == "wavelet":
        return WaveletDiscriminator(in_channels=channels, size=window, multiplier=settings.multiplier)
    return PatchDiscriminator(
        in_channels=channels, width=settings.discriminator_width, layers=settings.discriminator_layers
    )


def defect_stack(image: Tensor, masks: Tensor) -> Tensor:
    """Cut each class out of an image: [B, 3, H, W], [B, K, H, W] -> [B, 3K, H, W], black outside the class's mask."""
    return (image[:, None] * masks[:, :, None]).flatten(1, 2)
