"""The section evaluate."""

from __future__ import annotations

from dataclasses import dataclass

from coigan_aug.errors import ConfigError
from coigan_aug.settings.ranges import check, choice

SEGMENTERS = ("lite0_unet", "unet", "lraspp", "deeplabv3", "fcn_resnet50")
FEATURE_SPACES = ("efficientnet_lite0", "inception")


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """How quality and benefit are measured."""

    seed: int = 0
    """the first seed; the others follow it. Another one repeats a measurement with trainings of its own"""
    seeds: int = 3
    """trainings of the segmenter for each arm of the benefit test, and for each fold; more make the intervals narrower"""
    segmenter: str = "lite0_unet"
    """lite0_unet (pretrained, no download), unet (small, from nothing), lraspp, deeplabv3, fcn_resnet50, smp:NAME"""
    width: int = 16
    """channels of the first stage of unet and lite0_unet; set width and depth as in the segmenter that you use"""
    depth: int = 3
    """downsamplings of the unet; more see further, for larger defects"""
    stride: int = 2
    """px a side that lite0_unet gives one answer for, before it is enlarged; 1 takes half as long again"""
    scale: float = 1.0
    """the segmenter of the benefit test sees images resized by this factor; it is scored on full-size pixels"""
    window: int = 192
    """side of its training windows, px after scaling"""
    binary: bool = False
    """all classes together as one, as the successor of the thesis measures: where finding matters and naming does not"""
    steps: int = 2_400
    """optimiser steps of one training, the same for every arm"""
    batch: int = 8
    """windows in a step, half of them round real defects"""
    learning_rate: float = 2e-3
    """AdamW's largest step; it warms up and falls to nothing by a cosine. Lower it where the loss is not finite"""
    encoder_rate: float = 0.3
    """a pretrained encoder learns at this share of the rate; raise it where images look nothing like photographs"""
    average: float = 0.998
    """share of the averaged weights, which are tested, that is kept at each step; 0: the last weights are tested. Lower it
    where steps are few"""
    precision: str = "auto"
    """of the convolutions: float32, bfloat16, or auto: bfloat16 on a GPU, float32 on a CPU; say it where measurements of
    two machines are compared"""
    jitter: tuple[float, float] = (0.7, 1.4)
    """windows are shown at a size between these factors of the images' own"""
    photometric: float = 0.2
    """brightness, contrast and gamma vary by up to this share; lower it where brightness is what tells a defect"""
    shares: tuple[float, ...] = (0.25,)
    """shares of added windows in a step; each is an arm of its own"""
    slots: str = "clean"
    """added windows take the place of clean ones (clean), then of defects, too (any), or come on top of all (extra)"""
    fade: bool = False
    """the shares fall from twice as much to nothing over a training, so that real windows come last"""
    ring: int = 0
    """px each side of an added mask's border that added windows teach nothing about; for drawn defects whose edge is soft"""
    per_class: int = 200
    """drawn defects of each class that an arm draws from; copies are made anew for every window"""
    screen_steps: int = 1_000
    """optimiser steps of the small segmenter that judges drawn defects (in synthesize, and in evaluate quality); raise it
    where it finds few of the real ones"""
    features: tuple[str, ...] = ("efficientnet_lite0",)
    """feature spaces of the quality measures: efficientnet_lite0, inception (a download; to compare with papers)"""

    def __post_init__(self) -> None:
        for name, low, high in (("seeds", 1, 100), ("width", 4, 256), ("depth", 1, 6), ("batch", 2, 1024)):
            check(self, name, low=low, high=high)
        check(self, "steps", "per_class", "screen_steps", low=1)
        check(self, "learning_rate", low=1e-7, high=0.1)
        check(self, "photometric", low=0.0, high=0.9)
        check(self, "encoder_rate", low=0.0, high=1.0)
        check(self, "average", low=0.0, high=0.99999)
        check(self, "scale", low=0.05, high=1.0)
        check(self, "window", low=16, high=2048)
        check(self, "stride", low=1, high=2)
        check(self, "ring", low=0, high=16)
        if self.segmenter not in SEGMENTERS and not self.segmenter.startswith("smp:"):
            choice(self, "segmenter", (*SEGMENTERS, "smp:NAME"))
        choice(self, "precision", ("auto", "bfloat16", "float32"))
        choice(self, "slots", ("clean", "any", "extra"))
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
        choice(self, "features", FEATURE_SPACES)
