"""Which device trains, and how it is fastest: measured, not guessed."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from coigan_aug.compose.noise import latent_shape
from coigan_aug.errors import EnvironmentProblem, UsageError
from coigan_aug.processors import usable_processors
from coigan_aug.settings import Settings
from coigan_aug.training.place import Place

LARGE = 128
"""Side of the largest window that precision and threads are chosen with, px: what is faster there is in larger ones, too."""
ENOUGH = 3.0
"""Seconds after which a pass is not timed again."""
HOPELESS = 3.0
"""Times as long as the fastest that a precision takes with one thread where more threads are not tried."""


def choose_device(name: str | None, *, gpus: int | None, place: Place | None = None) -> torch.device:
    """Return the device to train on: `name` (cpu, cuda, cuda:1), or the first GPU where there is one.

    One process among several takes the GPU of its own number on its machine.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: processes that are already several are told how many GPUs to take.
    """
    present = torch.cuda.device_count()
    if place is not None:
        return _own_device(name, gpus, place, present)
    asked = gpus if gpus is not None else int(name is not None and name.startswith("cuda"))
    if asked > present:
        build = "a CPU build" if torch.version.cuda is None else f"built for CUDA {torch.version.cuda}"
        option = f"--device {name}" if gpus is None else f"--gpus {gpus}"
        raise EnvironmentProblem(
            f"{option}: {present or 'no'} GPU{'s' * (present > 1)} found; torch {torch.__version__} is {build}.",
            remedy=f"Leave out {option.split(maxsplit=1)[0]} to use the CPU, or see nvidia-smi for what the machine has.",
        )
    if name is not None:
        try:
            return torch.device(name)
        except RuntimeError as error:
            raise EnvironmentProblem(f"There is no device {name!r}.", remedy="Use cpu, cuda or cuda:0.") from error
    return torch.device("cuda" if present and gpus != 0 else "cpu")


def _own_device(name: str | None, gpus: int | None, place: Place, present: int) -> torch.device:
    if name == "cpu" or gpus == 0 or (name is None and not present):
        return torch.device("cpu")
    if gpus not in (None, place.here) or name not in (None, "cuda"):
        raise UsageError(
            f"This is process {place.rank} of {place.world} that were started together; each takes a GPU of its own.",
            remedy="Leave out --gpus and --device, or use --device cpu.",
        )
    number = 0 if place.slurm and present == 1 else place.local_rank  # Slurm may show each its own GPU as the only one
    if number >= present:
        raise EnvironmentProblem(
            f"Process {place.rank} of {place.world} needs GPU {place.local_rank} of its machine, {present} found.",
            remedy="Start no more processes on a machine than it has GPUs, or use --device cpu.",
        )
    return torch.device("cuda", number)


class Draws(Protocol):
    """A generator as its speed is measured: of a base, its condition and a latent it makes an image."""

    def generate(self, base: Tensor, condition: Tensor, latent: Tensor) -> Tensor: ...

    def to(self, *, memory_format: torch.memory_format) -> Any: ...


def choose_speed(
    generator: Draws, settings: Settings, device: torch.device, *, condition: int, here: int = 1
) -> tuple[bool, int]:
    """Return (bfloat16, threads): what the settings say, and where they say auto what is faster on this machine.

    Measured with a few passes of a copy of the generator; takes a second or two for small networks. Convolutions
    in bfloat16 count as faster from 10 % on, all threads from 10 % on. `here` processes share the
    processors that this one may use (`usable_processors`).
    """
    train = settings.train
    if device.type != "cpu":
        return train.precision == "bfloat16" or (train.precision == "auto" and torch.cuda.is_bf16_supported()), 1
    threads = [train.threads] if train.threads else sorted({1, max(usable_processors() // here, 1)})
    kinds = {"bfloat16": [True], "float32": [False], "auto": [False, True]}[train.precision]
    best = (kinds[0], threads[0])
    if len(threads) * len(kinds) == 1:
        return best
    copied = copy.deepcopy(generator).to(memory_format=torch.channels_last)
    if settings.data.window > LARGE:
        settings = replace(settings, data=replace(settings.data, window=LARGE), train=replace(train, batch=1))
    took: dict[tuple[bool, int], float] = {}
    for choice in [(kind, number) for kind in kinds for number in threads]:
        if took.get((choice[0], threads[0]), 0.0) > HOPELESS * took.get(best, float("inf")):
            continue  # a processor without bfloat16 takes many times as long, with more threads, too
        took[choice] = pass_seconds(copied, settings, condition, bfloat16=choice[0], threads=choice[1])
        if took[choice] < 0.9 * took.get(best, float("inf")) or choice == best:
            best = choice
    return best


def pass_seconds(generator: Draws, settings: Settings, condition: int, *, bfloat16: bool, threads: int) -> float:
    """Time a pass of a generator on the CPU, forward and back, with a batch of 4, or the settings' smaller one: seconds.

    The fastest of three passes, or of as many as begin within `ENOUGH`.
    """
    torch.set_num_threads(threads)
    side, batch = settings.data.window, min(settings.train.batch, 4)
    base, extra = torch.zeros(batch, 3, side, side), torch.zeros(batch, condition, side, side)
    latent = torch.zeros(batch, *latent_shape(settings.model))
    fastest, first = float("inf"), time.perf_counter()
    for _ in range(3):
        begun = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            out = generator.generate(base, extra, latent)
        out.sum().backward()
        fastest = min(fastest, time.perf_counter() - begun)
        if time.perf_counter() - first > ENOUGH:
            break
    return fastest
