"""The section model."""

from __future__ import annotations

from dataclasses import dataclass

from coigan_aug.errors import ConfigError
from coigan_aug.settings.ranges import check, choice

GENERATORS = ("unet", "style_unet", "ffc")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The networks."""

    generator: str = "unet"
    """unet (residual U-Net), style_unet (the same with a latent) or ffc (the thesis' LaMa generator)"""
    width: int = 48
    """channels of the generator's first stage"""
    depth: int = 4
    """downsamplings of the generator"""
    blocks: int = 8
    """spectral blocks of the ffc and style_unet generators"""
    latent: int = 64
    """numbers in the latent of style_unet"""
    noise: str = "channels"
    """channels: mask and mask x noise side by side; replace: the thesis' noised masks alone"""
    contrast: bool = False
    """the generator is told how much brighter or darker than its surroundings each defect is to be"""
    noise_scales: tuple[int, ...] = (1, 4)
    """pixel sizes of the mask noise"""
    noise_mean: float = 0.5
    """mean of the mask noise"""
    noise_std: float = 0.25
    """standard deviation of the mask noise at each scale"""
    noise_blur: int = 0
    """side of the Gaussian that softens the noised masks, px; 0 leaves them sharp (thin cracks need it small)"""
    noise_per_class: bool = False
    """each class has noise of its own (noise: replace), instead of one for all; matters where masks are close together"""
    mask_base: bool = False
    """the generator does not see the surface inside the masks: it is black there"""
    colour: str = "auto"
    """grey (one value for the three channels), rgb, or auto: grey where all training images are; say grey where colour is
    an accident of the camera, rgb where the generator is to draw on colour images later"""
    grow: int = 1
    """the defect may change pixels this far outside its mask, px"""
    soften: int = 1
    """beyond that the change falls to nothing over this many px"""
    discriminator: str = "patch"
    """patch (strided convolutions) or wavelet (SWAGAN): judges the defects alone, and the whole window unless said"""
    reference_discriminator: str = "same"
    """judges the whole window: same (as discriminator), patch, wavelet, or projected (on frozen ImageNet features)"""
    discriminator_width: int = 48
    """channels of the patch discriminator's first stage"""
    discriminator_layers: int = 3
    """strided stages of the patch discriminator"""
    multiplier: int = 3
    """channel multiplier of the wavelet discriminator"""
    discriminator_masks: bool = True
    """the discriminators see the masks beside the image"""

    def __post_init__(self) -> None:
        choice(self, "generator", GENERATORS)
        choice(self, "noise", ("channels", "replace"))
        choice(self, "colour", ("auto", "grey", "rgb"))
        choice(self, "discriminator", ("patch", "wavelet"))
        choice(self, "reference_discriminator", ("same", "patch", "wavelet", "projected"))
        check(self, "width", "discriminator_width", low=4, high=512)
        check(self, "depth", "discriminator_layers", low=1, high=6)
        check(self, "grow", "soften", low=0, high=64)
        check(self, "blocks", low=1, high=32)
        check(self, "latent", low=2, high=1024)
        check(self, "multiplier", low=1, high=4)
        check(self, "noise_std", low=0.0, high=2.0)
        check(self, "noise_blur", low=0, high=101)
        if self.noise_per_class and self.noise != "replace":
            raise ConfigError(
                f"model.noise_per_class is true, but model.noise is {self.noise}, which has one noise for all classes.",
                remedy="Set model.noise to replace, or model.noise_per_class to false.",
            )
        if self.noise_blur and self.noise_blur % 2 == 0:
            raise ConfigError(f"model.noise_blur is {self.noise_blur}; it must be 0 or odd.")
        if not self.noise_scales or min(self.noise_scales) < 1:
            raise ConfigError(f"model.noise_scales is {list(self.noise_scales)}; whole numbers from 1.")
