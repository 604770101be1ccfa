"""What a training changes, how it is built, and where in the training a step is."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from coigan_aug import rng
from coigan_aug.losses.perceptual import load_features
from coigan_aug.models.build import Inpainter, build_discriminators, build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings, TrainSettings


@dataclass
class Networks:
    """What a training changes, and the optimisers that change it.

    Beside the weights the mean path length carries over from step to step.
    """

    generator: Inpainter
    average: Inpainter
    defect: nn.Module
    reference: nn.Module
    generator_optimizer: torch.optim.Optimizer
    defect_optimizer: torch.optim.Optimizer
    reference_optimizer: torch.optim.Optimizer
    path_mean: Tensor
    features: nn.Module | None


@dataclass(frozen=True)
class Step:
    """Where the training is: the step's number, the settings, its randomness, whether convolutions are bfloat16.

    `parts` is how many parts a batch goes through the networks in, one after the other, where memory is short.
    """

    number: int
    settings: Settings
    rng: torch.Generator
    device: torch.device
    bfloat16: bool
    parts: int = 1

    def autocast(self) -> torch.autocast:
        """Return the mixed-precision context for the networks' own passes."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16)

    def due(self, every: int) -> bool:
        """Tell whether a lazy regulariser falls due in this step."""
        return every > 0 and self.number % every == 0


def build_networks(prepared: Prepared, settings: Settings, device: torch.device, *, weights: Path | None) -> Networks:
    """Build every network and optimiser from the training's seed."""
    train = settings.train
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.torch_seed(train.seed, "weights"))
        generator = build_generator(settings.model, prepared.classes)
        defect, reference = build_discriminators(settings.model, prepared.classes, window=prepared.window)
    average = copy.deepcopy(generator).requires_grad_(False)
    for network in (generator, average, defect, reference):
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    features = load_features(train.perceptual if train.perceptual_weight > 0 else "none", weights=weights)
    return Networks(
        generator=generator,
        average=average,
        defect=defect,
        reference=reference,
        generator_optimizer=_adam(generator, train, train.learning_rate),
        defect_optimizer=_adam(defect, train, train.discriminator_learning_rate),
        reference_optimizer=_adam(reference, train, train.discriminator_learning_rate),
        path_mean=torch.zeros((), device=device),
        features=features.to(device) if features is not None else None,
    )


def _adam(network: torch.nn.Module, train: TrainSettings, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=rate, betas=train.betas, weight_decay=train.weight_decay)


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, *, decay: float, step: int) -> None:
    """Move the average towards the model: decay * average + (1 - decay) * model; buffers are copied.

    Early on the average follows faster (decay at most (1 + step) / (10 + step)), so that it does not
    remember the random start.
    """
    kept = min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - kept)
    for copied, buffer in zip(average.buffers(), model.buffers(), strict=True):
        copied.copy_(buffer)
