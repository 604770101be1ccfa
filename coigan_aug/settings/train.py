"""The section train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from coigan_aug.errors import ConfigError
from coigan_aug.settings.ranges import check, choice

ADVERSARIAL = ("logistic", "relativistic", "hinge", "least_squares", "wasserstein")
OrAuto = Annotated[int, "auto"]  # a whole number, or the word auto, which is 0 in memory


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Optimisation, losses and length."""

    seed: int = 7
    """seed of everything random; another one shows how far two trainings differ by chance"""
    start: str = "none"
    """the weights that a training begins with: bundled (the demo's model's, where the generator has its shape) or none"""
    batch: OrAuto = 16
    """samples in a step, all processes together; auto (0): as many as the GPU holds, up to 64; 16 on a CPU"""
    images: int = 400_000
    """length of the training, samples seen"""
    learning_rate: float = 3e-4
    """Adam's step of the generator"""
    discriminator_learning_rate: float = 3e-4
    """Adam's step of both discriminators"""
    betas: tuple[float, float] = (0.0, 0.99)
    """Adam's decay rates"""
    weight_decay: float = 0.0
    """decoupled weight decay"""
    ema: float = 0.998
    """share of the averaged generator kept at each step"""
    patience: int = 0
    """end after so many measurements (log.watch_every) in a row that were not better; 0: never"""
    loss: str = "logistic"
    """adversarial loss: logistic, relativistic, hinge, least_squares or wasserstein"""
    adversarial: float = 1.0
    """weight: the generator against the defect discriminator"""
    reference_adversarial: float = 1.0
    """weight: the generator against the reference discriminator"""
    discriminator_weight: float = 1.0
    """weight of the adversarial loss in what both discriminators pay, beside R1 and the other penalties"""
    discriminator_accuracy: float = 1.0
    """a discriminator that tells more than this share of a batch rightly learns nothing in that step (3D-GAN: 0.8); 1: it
    always learns"""
    share_step: bool = True
    """R1, R2, gradient penalty and path length are added to the losses; false: as in the thesis, each network takes an
    optimiser step for them after that for its losses"""
    paired: float = 4.0
    """weight: erased real defects drawn again, L1 round the mask"""
    patches: float = 0.0
    """weight: small patches of erased defects drawn again must be distributed as the real ones', wherever they lie (GPDM's
    distance), so that grain and edges are as crisp"""
    contrast: float = 0.0
    """weight: a defect's contrast must be the one that was told (model.contrast)"""
    smooth_l1: float = 0.0
    """weight: the thesis' smooth-masked L1 against the base"""
    perceptual_weight: float = 0.0
    """weight: the thesis' smooth-masked perceptual loss against the base"""
    perceptual_channels: str = "mean"
    """a layer's squared errors are averaged over its channels (mean), or added up as in the thesis (sum), which makes them 16
    to 2,048 times as large"""
    perceptual: str = "none"
    """features of the perceptual loss: resnet50, efficientnet_lite0 or none"""
    discriminator_perceptual: float = 0.0
    """weight: the same in the features of the reference discriminator (LaMa's DiscPL)"""
    smooth_kernel: int = 31
    """side of the box filter that smooths the masks of both losses, px, odd"""
    object_weight: float = 0.1
    """weight of both losses inside the masks"""
    background_weight: float = 1.0
    """weight of both losses outside the masks"""
    r1: float = 0.1
    """weight of R1 (E[|grad|^2] at real images, no 1/2), each discriminator"""
    r2: float = 0.0
    """weight of R2, the same at drawn images"""
    r1_every: int = 16
    """R1 and R2 are taken every so many steps and weighted up by it; 0 never"""
    gradient_penalty: float = 0.0
    """weight of the gradient penalty between real and drawn images (10 with wasserstein)"""
    mismatch: float = 0.0
    """weight: the discriminators must call real windows with wrong masks fake (clean, moved, of other classes)"""
    path_length: float = 0.0
    """weight of the path length regulariser"""
    path_length_per: str = "sample"
    """a length for each sample (the thesis' text) or for each column of it, averaged over channels (its code): the penalty
    of one is channels x columns times that of the other"""
    path_length_every: int = 4
    """path length is taken every so many steps and weighted up by it; 0 never"""
    translate: float = 0.125
    """the discriminators' inputs are shifted by up to this share of the window"""
    gain: float = 0.2
    """the discriminators' inputs are brightened by up to this factor, up or down"""
    precision: str = "auto"
    """of the convolutions: bfloat16, float32, or auto: the faster one on this machine"""
    workers: int = 0
    """processes that compose samples, for each training process; 0 composes in it"""
    threads: int = 0
    """CPU threads; 0 measures one against all and takes the faster"""

    def __post_init__(self) -> None:
        check(self, "batch", low=0, high=4096)
        check(self, "images", low=1)
        check(self, "learning_rate", "discriminator_learning_rate", low=1e-7, high=0.1)
        check(self, "weight_decay", "adversarial", "reference_adversarial", "paired", "smooth_l1", low=0.0)
        check(self, "perceptual_weight", "path_length", "object_weight", "background_weight", low=0.0)
        check(self, "r1", "r2", "gradient_penalty", low=0.0)
        check(self, "mismatch", "contrast", "patches", "patience", low=0.0)
        check(self, "discriminator_weight", "discriminator_perceptual", low=0.0)
        check(self, "discriminator_accuracy", low=0.5, high=1.0)
        choice(self, "start", ("bundled", "none"))
        choice(self, "loss", ADVERSARIAL)
        choice(self, "perceptual_channels", ("mean", "sum"))
        choice(self, "path_length_per", ("sample", "column"))
        check(self, "r1_every", "path_length_every", "workers", "threads", low=0)
        check(self, "ema", low=0.0, high=0.99999)
        check(self, "translate", low=0.0, high=0.5)
        check(self, "gain", low=0.0, high=0.9)
        choice(self, "perceptual", ("resnet50", "efficientnet_lite0", "none"))
        choice(self, "precision", ("auto", "bfloat16", "float32"))
        if self.smooth_kernel % 2 == 0:
            raise ConfigError(f"train.smooth_kernel is {self.smooth_kernel}; it must be odd.")
        if self.perceptual_weight > 0 and self.perceptual == "none":
            raise ConfigError(
                "train.perceptual_weight is above 0, but train.perceptual is none.",
                remedy="Set train.perceptual to efficientnet_lite0 or resnet50, or the weight to 0.",
            )
