"""Inpainting as what the loop trains: a generator that draws defects, against two discriminators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from coigan_aug.checkpoint import State, save_generator
from coigan_aug.compose.composer import Stream
from coigan_aug.compose.noise import condition_channels
from coigan_aug.imaging import Pixels
from coigan_aug.models.build import build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.training.batches import Batch, batches
from coigan_aug.training.beginning import NETWORKS, init_from
from coigan_aug.training.device import choose_speed
from coigan_aug.training.distributed import rank, world
from coigan_aug.training.judging import Losses
from coigan_aug.training.loop import Speed
from coigan_aug.training.networks import Networks, Step, build_networks, update_ema
from coigan_aug.training.samples import sample_grid
from coigan_aug.training.steps import training_step
from coigan_aug.training.watch import Watch, begin_watch, distance

SAMPLE_ROWS = 8
_PARTS = (*NETWORKS, "generator_optimizer", "defect_optimizer", "reference_optimizer")


@dataclass(frozen=True)
class Inpainting:
    """The networks of a training of `train`, and the windows that they learn from."""

    prepared: Prepared
    settings: Settings
    device: torch.device
    networks: Networks
    command: str = "coigan-aug train"
    again: str = "coigan-aug train --resume"

    @property
    def learning(self) -> Sequence[nn.Module]:
        return (self.networks.generator, self.networks.defect, self.networks.reference)

    def _stream(self, more: int) -> Stream:
        return Stream(self.prepared, self.settings, self.settings.train.seed + more)

    def batches(self, *, start: int, batch: int, workers: int) -> Iterator[Batch]:
        source = batches(self._stream(0), start=start, batch=batch, rank=rank(), world=world(), workers=workers)
        return (found.to(self.device) for found in source)

    def step(self, batch: Batch, step: Step) -> Losses:
        return training_step(self.networks, batch, step)

    def average(self, number: int) -> None:
        update_ema(self.networks.average, self.networks.generator, decay=self.settings.train.ema, step=number)

    def samples(self) -> Pixels:
        classes = self.prepared.dataset.classes
        return sample_grid(
            self.networks.average, self._stream(1), rows=SAMPLE_ROWS, classes=classes, device=self.device
        )

    @cached_property
    def _watch(self) -> Watch:
        return begin_watch(self._stream(2), device=self.device)

    def distance(self) -> float:
        return distance(self._watch, self.networks.average)

    def state(self) -> State:
        state: State = {name: getattr(self.networks, name).state_dict() for name in _PARTS}
        return state | {"path_mean": self.networks.path_mean}

    def load(self, state: State) -> None:
        for name in _PARTS:
            getattr(self.networks, name).load_state_dict(state[name])
        self.networks.path_mean = state["path_mean"].to(self.networks.path_mean.device)

    def begin_from(self, path: Path) -> str:
        return init_from(self.networks, path, self.prepared.dataset.classes)

    def save(self, path: Path, *, images: int) -> None:
        classes = self.prepared.dataset.classes
        save_generator(path, self.networks.average, settings=self.settings, classes=classes, images=images)

    def summary(self, values: Mapping[str, float]) -> str:
        def total(prefix: str) -> float:
            return sum(
                value
                for name, value in values.items()
                if name.startswith(prefix) and not name.endswith(("r1", "r2", "accuracy"))
            )

        return f"G {total('generator'):.2f}  D {total('defect'):.2f} {total('reference'):.2f}"


def build_inpainting(
    prepared: Prepared, settings: Settings, device: torch.device, *, weights: Path | None = None
) -> Inpainting:
    """Build every network from the training's seed.

    Args:
        weights: the file of the perceptual loss's features, where not the usual one.
    """
    return Inpainting(prepared, settings, device, build_networks(prepared, settings, device, weights=weights))


def measure_speed(prepared: Prepared, settings: Settings, device: torch.device, *, here: int = 1) -> Speed:
    """Choose bfloat16 and threads: what the settings say, or what is measured to be faster with `here` processes."""
    generator = build_generator(settings.model, prepared.classes).to(device)
    extra = condition_channels(settings.model, prepared.classes)
    return Speed(*choose_speed(generator, settings, device, condition=extra, here=here))
