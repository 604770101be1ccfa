"""Every setting, as frozen dataclasses: a default, a range and one line each. Free of torch, so the CLI can show them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from coigan_aug.errors import ConfigError

GENERATORS = ("unet", "style_unet", "ffc")
ADVERSARIAL = ("logistic", "relativistic", "hinge", "least_squares", "wasserstein")
SEGMENTERS = ("lite0_unet", "unet", "lraspp", "deeplabv3", "fcn_resnet50")
SHAPES = ("real", "warped", "recombined", "learned")
FEATURE_SPACES = ("efficientnet_lite0", "inception")

OrAuto = Annotated[int, "auto"]  # a whole number, or the word auto, which is 0 in memory


def _check(owner: Any, *names: str, low: float | None = None, high: float | None = None) -> None:
    for name in names:
        value = getattr(owner, name)
        if value is None or ((low is None or value >= low) and (high is None or value <= high)):
            continue
        allowed = f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
        raise ConfigError(f"{_section(owner)}.{name} is {value}; allowed: {allowed}.")


def _choice(owner: Any, name: str, choices: Collection[str]) -> None:
    value = getattr(owner, name)
    several = isinstance(value, tuple)
    if not value or any(one not in choices for one in (value if several else (value,))):
        said = f"{list(value)}; choose among" if several else f"{value!r}; choose one of"
        raise ConfigError(f"{_section(owner)}.{name} is {said}: {', '.join(choices)}.")


def _section(owner: Any) -> str:
    return type(owner).__name__.removesuffix("Settings").lower()


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Windows and what is put on them."""

    window: int = 256
    """side of the square training window, px after scaling"""
    scale: float = 1.0
    """images are resized by this factor before windows are cut; results are brought back to full size"""
    overlap: float = 0.5
    """share of a window that neighbouring windows share"""
    max_blank: float = 0.1
    """largest share of nearly black pixels in a usable window"""
    fit: float = 0.0
    """an object takes at most this share of a window's side: windows round larger ones show more, smaller; 0: no limit"""
    min_area: int = 16
    """smaller objects (full-size px) serve neither as shapes nor as examples; they stay in the masks"""
    blank_level: int = 10
    """grey level below which a pixel counts as black, 0-255"""
    defects: tuple[float, ...] = (0.4, 0.475, 0.1, 0.025)
    """probability of 0, 1, 2, ... defects of each class in a training sample"""
    rotate: float = 180.0
    """largest rotation of a pasted object, degrees"""
    scale_range: tuple[float, float] = (0.7, 1.2)
    """smallest and largest rescaling of a pasted object"""
    augment: float = 0.5
    """probability that a pasted object is rotated and rescaled; flips come besides"""
    flip: bool = True
    """mirror windows, objects and shapes at random, both ways; false where the light has a direction"""
    erase: str = "telea"
    """how defects are erased: telea (classical, no training) or learned (a network trained first; measured no better)"""
    groups_per_class: int = 0
    """train on so many groups of images of each class (and all defect-free images); 0: on all"""
    subset_seed: int = 0
    """which groups those are"""

    def __post_init__(self) -> None:
        _check(self, "window", low=16, high=2048)
        _check(self, "scale", low=0.05, high=1.0)
        _check(self, "overlap", low=0.0, high=0.9)
        _check(self, "max_blank", low=0.0, high=1.0)
        if self.fit:
            _check(self, "fit", low=0.25, high=1.0)
        _check(self, "blank_level", low=0, high=255)
        _check(self, "min_area", low=1)
        _check(self, "rotate", low=0.0, high=180.0)
        _check(self, "augment", low=0.0, high=1.0)
        _check(self, "groups_per_class", low=0)
        _choice(self, "erase", ("telea", "learned"))
        if self.window % 8:
            raise ConfigError(f"data.window is {self.window}; it must be a multiple of 8.")
        if min(self.defects, default=-1) < 0 or not 0.99 < sum(self.defects) < 1.01 or self.defects[0] >= 1:
            raise ConfigError(
                f"data.defects is {list(self.defects)}; probabilities that add up to 1, not all on 0 defects."
            )
        if len(self.scale_range) != 2 or not 0.1 <= self.scale_range[0] <= self.scale_range[1] <= 5:
            raise ConfigError(f"data.scale_range is {list(self.scale_range)}; smallest and largest, within 0.1 to 5.")


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
    colour: str = "auto"
    """grey (one value for the three channels), rgb, or auto: grey where all training images are"""
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
        _choice(self, "generator", GENERATORS)
        _choice(self, "noise", ("channels", "replace"))
        _choice(self, "colour", ("auto", "grey", "rgb"))
        _choice(self, "discriminator", ("patch", "wavelet"))
        _choice(self, "reference_discriminator", ("same", "patch", "wavelet", "projected"))
        _check(self, "width", "discriminator_width", low=4, high=512)
        _check(self, "depth", "discriminator_layers", low=1, high=6)
        _check(self, "grow", "soften", low=0, high=64)
        _check(self, "blocks", low=1, high=32)
        _check(self, "latent", low=2, high=1024)
        _check(self, "multiplier", low=1, high=4)
        _check(self, "noise_std", low=0.0, high=2.0)
        _check(self, "noise_blur", low=0, high=101)
        if self.noise_blur and self.noise_blur % 2 == 0:
            raise ConfigError(f"model.noise_blur is {self.noise_blur}; it must be 0 or odd.")
        if not self.noise_scales or min(self.noise_scales) < 1:
            raise ConfigError(f"model.noise_scales is {list(self.noise_scales)}; whole numbers from 1.")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Optimisation, losses and length."""

    seed: int = 7
    """seed of everything random"""
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
    decay: float = 0.0
    """the learning rates fall to nothing over this last share of the training"""
    patience: int = 0
    """end after so many measurements (log.watch_every) in a row that were not better; 0: never"""
    pretrain: int = 0
    """samples at the start that teach the generator to fill blanked clean windows, before it sees a defect"""
    loss: str = "logistic"
    """adversarial loss: logistic, relativistic, hinge, least_squares or wasserstein"""
    adversarial: float = 1.0
    """weight: the generator against the defect discriminator"""
    reference_adversarial: float = 1.0
    """weight: the generator against the reference discriminator"""
    paired: float = 4.0
    """weight: erased real defects drawn again, L1 round the mask"""
    contrast: float = 0.0
    """weight: a defect's contrast must be the one that was told (model.contrast)"""
    paired_grow: int = 2
    """the paired loss looks this far round the mask, px"""
    smooth_l1: float = 0.0
    """weight: the thesis' smooth-masked L1 against the base"""
    perceptual_weight: float = 0.0
    """weight: the thesis' smooth-masked perceptual loss against the base"""
    perceptual: str = "none"
    """features of the perceptual loss: resnet50, efficientnet_lite0 or none"""
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
    lecam: float = 0.0
    """weight of LeCam's pull of the discriminators towards their own past"""
    mismatch: float = 0.0
    """weight: the discriminators must call real windows with wrong masks fake (clean, moved, of other classes)"""
    mode_seeking: float = 0.0
    """weight: two latents must give two defects (style_unet)"""
    mixing: float = 0.5
    """probability that coarse and fine levels get different latents (style_unet)"""
    path_length: float = 0.0
    """weight of the path length regulariser"""
    path_length_every: int = 4
    """path length is taken every so many steps and weighted up by it; 0 never"""
    translate: float = 0.125
    """the discriminators' inputs are shifted by up to this share of the window"""
    gain: float = 0.2
    """the discriminators' inputs are brightened by up to this factor, up or down"""
    cutout: float = 0.0
    """a square of up to this share of the window's side is blanked in the discriminators' inputs, masks included"""
    turn: bool = False
    """the discriminators' inputs are mirrored and turned by quarters"""
    augment_target: float = 0.0
    """share of real windows called real above which these are done more often, below less (0.6); 0: always done"""
    augment_images: int = 20_000
    """samples over which their probability can go from 0 to 1"""
    precision: str = "auto"
    """of the convolutions: bfloat16, float32, or auto: the faster one on this machine"""
    workers: int = 0
    """processes that compose samples, for each training process; 0 composes in it"""
    threads: int = 0
    """CPU threads; 0 measures one against all and takes the faster"""

    def __post_init__(self) -> None:
        _check(self, "batch", low=0, high=4096)
        _check(self, "images", low=1)
        _check(self, "learning_rate", "discriminator_learning_rate", low=1e-7, high=0.1)
        _check(self, "weight_decay", "adversarial", "reference_adversarial", "paired", "smooth_l1", low=0.0)
        _check(self, "perceptual_weight", "path_length", "object_weight", "background_weight", low=0.0)
        _check(self, "r1", "r2", "gradient_penalty", "lecam", low=0.0)
        _check(self, "mismatch", "mode_seeking", "pretrain", "contrast", "patience", low=0.0)
        _check(self, "decay", "mixing", "augment_target", low=0.0, high=1.0)
        _check(self, "cutout", low=0.0, high=0.9)
        _check(self, "augment_images", low=1)
        _choice(self, "loss", ADVERSARIAL)
        _check(self, "r1_every", "path_length_every", "workers", "threads", "paired_grow", low=0)
        _check(self, "ema", low=0.0, high=0.99999)
        _check(self, "translate", low=0.0, high=0.5)
        _check(self, "gain", low=0.0, high=0.9)
        _choice(self, "perceptual", ("resnet50", "efficientnet_lite0", "none"))
        _choice(self, "precision", ("auto", "bfloat16", "float32"))
        if self.smooth_kernel % 2 == 0:
            raise ConfigError(f"train.smooth_kernel is {self.smooth_kernel}; it must be odd.")
        if self.perceptual_weight > 0 and self.perceptual == "none":
            raise ConfigError(
                "train.perceptual_weight is above 0, but train.perceptual is none.",
                remedy="Set train.perceptual to efficientnet_lite0 or resnet50, or the weight to 0.",
            )


@dataclass(frozen=True, kw_only=True)
class SynthesizeSettings:
    """What is made, and how it is written."""

    seed: int = 1
    """seed of the plan and of the noise"""
    batch: int = 8
    """windows that go through the network together (on a CPU one by one, so that bits do not depend on it)"""
    defects: tuple[float, ...] = ()
    """probability of 0, 1, 2, ... defects on one image, all classes together; []: as in the training images"""
    workers: int = 2
    """threads that read, plan and write beside the network; 0: everything in one"""
    shapes: tuple[str, ...] = ("real",)
    """kinds of shapes, each as often: real, warped (within what the class shows), recombined, learned"""
    attempts: int = 6
    """tries at an image before it is given up, where the screen rejects it"""
    least_shown: float = 0.3
    """screen: the share of a mask's pixels that must change visibly"""
    most_seam: float = 2.5
    """screen: how much steeper than the base a picture may be where a defect's margin ends"""
    synthetic_share: float = 0.35
    """the largest share of synthetic images, among those with defects, in a set made with --with-real"""

    def __post_init__(self) -> None:
        for name, high in (("batch", 1024), ("attempts", 100)):
            _check(self, name, low=1, high=high)
        _check(self, "workers", low=0, high=64)
        _check(self, "least_shown", low=0.0, high=1.0)
        _check(self, "synthetic_share", low=0.01, high=0.99)
        _check(self, "most_seam", low=1.0)
        shares = self.defects
        if shares and (min(shares) < 0 or not 0.99 < sum(shares) < 1.01 or sum(shares[1:]) <= 0):
            raise ConfigError(f"synthesize.defects is {list(shares)}; probabilities that add up to 1, or [].")
        _choice(self, "shapes", SHAPES)


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """How quality and benefit are measured."""

    seed: int = 0
    """the first seed; the others follow it"""
    seeds: int = 3
    """trainings of the segmenter for each arm of the benefit test, and for each fold"""
    segmenter: str = "lite0_unet"
    """lite0_unet (pretrained, no download), unet (small, from nothing), lraspp, deeplabv3, fcn_resnet50, smp:NAME"""
    width: int = 16
    """channels of the first stage of unet and lite0_unet"""
    depth: int = 3
    """downsamplings of the unet"""
    stride: int = 2
    """px a side that lite0_unet gives one answer for, before it is enlarged; 1 takes half as long again"""
    scale: float = 1.0
    """the segmenter of the benefit test sees images resized by this factor; it is scored on full-size pixels"""
    window: int = 192
    """side of its training windows, px after scaling"""
    binary: bool = False
    """all classes together as one, as the successor of the thesis measures"""
    steps: int = 2_400
    """optimiser steps of one training, the same for every arm"""
    batch: int = 8
    """windows in a step, half of them round real defects"""
    learning_rate: float = 2e-3
    """AdamW's largest step; it warms up and falls to nothing by a cosine"""
    encoder_rate: float = 0.3
    """a pretrained encoder learns at this share of the rate"""
    average: float = 0.998
    """share of the averaged weights, which are tested, that is kept at each step; 0: the last weights are tested"""
    precision: str = "auto"
    """of the convolutions: float32, bfloat16, or auto: bfloat16 on a GPU, float32 on a CPU"""
    jitter: tuple[float, float] = (0.7, 1.4)
    """windows are shown at a size between these factors of the images' own"""
    photometric: float = 0.2
    """brightness, contrast and gamma vary by up to this share"""
    shares: tuple[float, ...] = (0.25,)
    """shares of added windows in a step; each is an arm of its own"""
    slots: str = "clean"
    """added windows take the place of clean ones (clean), then of defects, too (any), or come on top of all (extra)"""
    fade: bool = False
    """the shares fall from twice as much to nothing over a training, so that real windows come last"""
    per_class: int = 200
    """drawn defects of each class that an arm draws from; copies are made anew for every window"""
    screen_steps: int = 1_000
    """optimiser steps of the small segmenter that judges drawn defects (in synthesize, and in evaluate quality)"""
    features: tuple[str, ...] = ("efficientnet_lite0",)
    """feature spaces of the quality measures: efficientnet_lite0, inception"""
    crop: float = 1.5
    """side of an object's crop, in sides of its box"""

    def __post_init__(self) -> None:
        for name, low, high in (("seeds", 1, 100), ("width", 4, 256), ("depth", 1, 6), ("batch", 2, 1024)):
            _check(self, name, low=low, high=high)
        _check(self, "steps", "per_class", "screen_steps", low=1)
        _check(self, "learning_rate", low=1e-7, high=0.1)
        _check(self, "photometric", low=0.0, high=0.9)
        _check(self, "encoder_rate", low=0.0, high=1.0)
        _check(self, "average", low=0.0, high=0.99999)
        _check(self, "crop", low=1.0, high=10.0)
        _check(self, "scale", low=0.05, high=1.0)
        _check(self, "window", low=16, high=2048)
        _check(self, "stride", low=1, high=2)
        if self.segmenter not in SEGMENTERS and not self.segmenter.startswith("smp:"):
            _choice(self, "segmenter", (*SEGMENTERS, "smp:NAME"))
        _choice(self, "precision", ("auto", "bfloat16", "float32"))
        _choice(self, "slots", ("clean", "any", "extra"))
        if len(self.jitter) != 2 or not 0.2 <= self.jitter[0] <= self.jitter[1] <= 5:
            raise ConfigError(f"evaluate.jitter is {list(self.jitter)}; smallest and largest, within 0.2 to 5.")
        most = {"clean": 0.5, "any": 0.99, "extra": 1.0}[self.slots] * (
            0.5 if self.fade else 1
        )  # half of a batch; twice as many at first
        if not self.shares or not all(0 < share <= most for share in self.shares):
            raise ConfigError(
                f"evaluate.shares is {list(self.shares)}; shares above 0, at most {most}, one at least.",
                remedy="Half of each batch stays real defects; --set evaluate.slots=extra adds up to as many again.",
            )
        _choice(self, "features", FEATURE_SPACES)


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What a run leaves behind while it goes."""

    metrics_every: int = 20
    """steps between lines of metrics.jsonl"""
    samples_every: int = 20_000
    """samples seen between sample grids"""
    checkpoint_every: int = 10_000
    """samples seen between checkpoints"""
    keep: int = 3
    """checkpoints kept"""
    tensorboard: bool = True
    """event files for TensorBoard too, where it is installed (pip install tensorboard)"""
    watch_every: int = 0
    """samples seen between measurements of how far drawn defects are from real ones (KID in the masks); 0: none"""

    def __post_init__(self) -> None:
        for item in fields(self):
            if item.name != "tensorboard":
                _check(self, item.name, low=0 if item.name == "watch_every" else 1)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All sections of `coigan.yaml`."""

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    synthesize: SynthesizeSettings = field(default_factory=SynthesizeSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    log: LogSettings = field(default_factory=LogSettings)
