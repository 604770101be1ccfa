"""A change of look as what the loop trains: two generators there and back, against a discriminator of either look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from coigan_aug.annotations.records import DefectClass, colour_of
from coigan_aug.checkpoint import State, load_latest
from coigan_aug.compose.unpaired import Lines, Unpaired, UnpairedStream
from coigan_aug.errors import DataError
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.features import Lite0, Rows
from coigan_aug.metrics.kernel import kernel_distance
from coigan_aug.models.translator import Translator, restyled
from coigan_aug.pictures import contact_sheet, mark
from coigan_aug.settings import Settings
from coigan_aug.training.batches import positions_of, shared_out
from coigan_aug.training.device import choose_speed
from coigan_aug.training.distributed import rank, world
from coigan_aug.training.judging import Losses
from coigan_aug.training.loop import Speed
from coigan_aug.training.networks import Step, update_ema
from coigan_aug.training.translation_steps import (
    TranslationNetworks,
    UnpairedBatch,
    build_translation,
    translation_step,
)
from coigan_aug.translator_file import new_translator, save_translator

COLUMNS = ("A", "its masks", "A as B", "and back", "B", "B as A")
SAMPLE_ROWS = 8
WATCHED = 96
_AT_ONCE = 16
_ANY = DefectClass(name="mask", colour=colour_of(0), source_id=1)
_NETWORKS = ("translators", "average", "discriminators")
_PARTS = (*_NETWORKS, "translators_optimizer", "discriminators_optimizer")


@dataclass(frozen=True)
class Translation:
    """The networks of a training of `translate train`, and the windows of both lines that they learn from."""

    lines: Lines
    settings: Settings
    device: torch.device
    networks: TranslationNetworks
    again: str
    command: str = "coigan-aug translate train"

    @property
    def learning(self) -> Sequence[nn.Module]:
        return (self.networks.translators, self.networks.discriminators)

    def _stream(self, more: int) -> UnpairedStream:
        return UnpairedStream(self.lines, self.settings, self.settings.train.seed + more)

    def batches(self, *, start: int, batch: int, workers: int) -> Iterator[UnpairedBatch]:
        positions = positions_of(start=start, batch=batch, rank=rank(), world=world())
        source = shared_out(self._stream(0), positions, stack=stack, workers=workers)
        return (found.to(self.device) for found in source)

    def step(self, batch: UnpairedBatch, step: Step) -> Losses:
        return translation_step(self.networks, batch, step)

    def average(self, number: int) -> None:
        update_ema(self.networks.average, self.networks.translators, decay=self.settings.train.ema, step=number)

    def samples(self) -> Pixels:
        stream, networks = self._stream(1), self.networks.average
        shown = stack([stream[index] for index in range(SAMPLE_ROWS)]).to(self.device)
        to_b = restyled(networks.to_b, shown.a)
        columns = (shown.a, shown.a, to_b, restyled(networks.to_a, to_b), shown.b, restyled(networks.to_a, shown.b))
        rows = [[_bytes(image) for image in row] for row in zip(*columns, strict=True)]
        masks = shown.masks.cpu().numpy().astype(np.uint8)
        for row, mask in zip(rows, masks, strict=True):
            row[1] = mark(row[1], mask, [_ANY])
        return contact_sheet(rows, headings=COLUMNS)

    @cached_property
    def _watch(self) -> tuple[tuple[UnpairedBatch, ...], Rows, Lite0]:
        """Fixed windows of both lines, and what those of B look like in the feature space."""
        stream, features = self._stream(2), Lite0().to(self.device)
        taken = [stream[index] for index in range(WATCHED)]
        batches = tuple(stack(taken[k : k + _AT_ONCE]) for k in range(0, WATCHED, _AT_ONCE))
        return batches, _rows(features, [batch.b for batch in batches]), features

    def distance(self) -> float:
        """Return the KID between restyled windows of A and windows of B: near 0 is best; it can be a little below."""
        batches, real, features = self._watch
        to_b = self.networks.average.to_b
        made = [restyled(to_b, batch.a.to(self.device)).cpu() for batch in batches]
        return kernel_distance(_rows(features, made), real).value

    def state(self) -> State:
        return {name: getattr(self.networks, name).state_dict() for name in _PARTS}

    def load(self, state: State) -> None:
        for name in _PARTS:
            getattr(self.networks, name).load_state_dict(state[name])

    def begin_from(self, path: Path) -> str:
        """Begin with the weights of another run's newest state, which must fit.

        Raises:
            DataError: there is none, or it does not fit.
        """
        state, _ = load_latest(path / "checkpoints")
        if state is None:
            raise DataError(f"{path} holds no state to begin from.", remedy="Name the folder of a run.")
        try:
            for name in _NETWORKS:
                getattr(self.networks, name).load_state_dict(state[name])
        except (RuntimeError, KeyError) as error:
            raise DataError(f"The weights of {path} do not fit this model.", remedy="Begin without them.") from error
        return f"begins with the weights of {path}"

    def save(self, path: Path, *, images: int) -> None:
        save_translator(path, self.networks.average.to_b, settings=self.settings, images=images)

    def summary(self, values: Mapping[str, float]) -> str:
        def total(prefix: str) -> float:
            return sum(value for name, value in values.items() if name.startswith(prefix))

        return f"G {total('generator'):.2f}  D {total('discriminator'):.2f}"


def build(lines: Lines, settings: Settings, device: torch.device, *, again: str) -> Translation:
    """Build every network from the training's seed; `again` is the command line that continues it."""
    return Translation(lines, settings, device, build_translation(settings, device), again)


class _Timed(nn.Module):
    """A generator of one direction as what is timed: it takes an image alone."""

    def __init__(self, network: Translator) -> None:
        super().__init__()
        self.network = network

    def generate(self, base: Tensor, condition: Tensor, latent: Tensor) -> Tensor:
        made: Tensor = self.network(base)
        return made


def measure_speed(settings: Settings, device: torch.device, *, here: int = 1) -> Speed:
    """Choose bfloat16 and threads: what the settings say, or what is measured to be faster with `here` processes."""
    timed = _Timed(new_translator(settings)).to(device)
    return Speed(*choose_speed(timed, settings, device, condition=0, here=here))


def stack(samples: Sequence[Unpaired]) -> UnpairedBatch:
    """Stack samples to a batch."""
    return UnpairedBatch(
        *(torch.from_numpy(np.stack([getattr(s, name) for s in samples])) for name in ("a", "masks", "b"))
    )


def _rows(features: Lite0, batches: Sequence[Tensor]) -> Rows:
    return np.concatenate([features([_bytes(image) for image in batch]).cpu().numpy() for batch in batches])


def _bytes(image: Tensor) -> Pixels:
    """Turn float [3, H, W] in 0..1 into uint8 [H, W, 3]."""
    return (image.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
