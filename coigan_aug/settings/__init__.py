"""Every setting, as frozen dataclasses: a default, a range and a sentence each. Free of torch, so the CLI can show them."""

from __future__ import annotations

from dataclasses import dataclass, field

from coigan_aug.settings.data import DataSettings
from coigan_aug.settings.evaluate import FEATURE_SPACES, SEGMENTERS, EvaluateSettings
from coigan_aug.settings.log import LogSettings
from coigan_aug.settings.model import GENERATORS, ModelSettings
from coigan_aug.settings.synthesize import SHAPES, SynthesizeSettings
from coigan_aug.settings.train import ADVERSARIAL, TrainSettings
from coigan_aug.settings.translate import ATTENTION, TranslateSettings

__all__ = [
    "ADVERSARIAL",
    "ATTENTION",
    "FEATURE_SPACES",
    "GENERATORS",
    "SEGMENTERS",
    "SHAPES",
    "DataSettings",
    "EvaluateSettings",
    "LogSettings",
    "ModelSettings",
    "Settings",
    "SynthesizeSettings",
    "TrainSettings",
    "TranslateSettings",
]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All sections of `coigan.yaml`."""

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    synthesize: SynthesizeSettings = field(default_factory=SynthesizeSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    log: LogSettings = field(default_factory=LogSettings)
    translate: TranslateSettings = field(default_factory=TranslateSettings)
