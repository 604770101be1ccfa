"""The dry run: real steps, measured, and what they say of the whole training."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn

from coigan_aug.compose.noise import condition_channels
from coigan_aug.errors import memory_ran_out
from coigan_aug.models.build import build_generator
from coigan_aug.progress import SILENT, Report, Talk, lasting, silent
from coigan_aug.settings import Settings
from coigan_aug.training.device import pass_seconds
from coigan_aug.training.distributed import largest, world
from coigan_aug.training.loop import Speed
from coigan_aug.training.networks import Step
from coigan_aug.training.trainable import B, Trainable

Build: TypeAlias = Callable[[Settings], Trainable[B]]
"""Makes what is to be trained, new, by its settings."""
STEPS = 3
SLOW = 20.0
"""Seconds that a step may take for `STEPS` of them to be measured; above it is one step with one sample a process."""
BUSY = 0.6
"""Share of its cores below which others are said to use the machine."""
SIZES = (64, 32, 16, 8, 4, 2, 1)
USUAL = 16


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured: seconds for each sample, on how many steps of how many samples, and memory, in words.

    The memory of whole steps is as measured, that of a step with one sample reckoned up to a whole batch. `cores` is how
    many of the machine's this process had meanwhile, on average.
    """

    seconds: float
    steps: int
    samples: int
    memory: str
    cores: float


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What a training would be: windows' side in px, batch (of all processes), samples, precision; memory and seconds.

    `measured` says on what that was measured, `note` what it leaves out, if anything.
    """

    recipe: str
    window: int
    batch: int
    processes: int
    images: int
    precision: str
    seed: int
    memory: str
    seconds: float
    measured: str
    note: str = ""

    def __str__(self) -> str:
        """Say it in two lines, after the word plan and the word memory, and the note in a third."""
        several = self.processes > 1
        batch = f"{self.batch} ({self.batch // self.processes} a process)" if several else f"{self.batch}"
        windows = f"{self.window} x {self.window} windows, batch {batch}, {self.images:,} images"
        use = f"memory  {self.memory}{' a process' if several else ''}      time  about {lasting(self.seconds)}"
        lines = [
            f"plan    {windows}, {self.precision}, seed {self.seed}, recipe {self.recipe}",
            f"  {use}      ({self.measured})",
        ]
        return "\n".join([*lines, *([f"  {self.note}"] if self.note else [])])


def measure_plan(
    build: Build[B], settings: Settings, device: torch.device, speed: Speed, recipe: str, *, talk: Talk = SILENT
) -> TrainingPlan:  # fmt: skip
    """Train some steps on throw-away networks and return the plan with its memory and its time.

    Several processes call it together; memory is that of one of them.
    """
    with talk.step("measuring steps, the first with one sample") as report:
        found = _measure(build, settings, device, speed, report=report)
    train = settings.train
    how, note = f"measured on {STEPS} real steps", ""
    if found.steps < STEPS:
        few = f"{found.samples} sample{'s' * (found.samples > 1)}"
        how = f"from one real step with {few}: a whole one takes about {found.seconds * train.batch:.0f} s"
    if device.type == "cpu" and found.cores < BUSY * speed.threads:
        note = f"Others use this machine: it had {found.cores:.1f} of {speed.threads} cores meanwhile, so times are too long."
    return TrainingPlan(
        recipe=recipe,
        window=settings.data.window,
        batch=train.batch,
        processes=world(),
        images=train.images,
        precision="bfloat16" if speed.bfloat16 else "float32",
        seed=train.seed,
        memory=found.memory,
        seconds=found.seconds * train.images,
        measured=how,
        note=note,
    )


def training_seconds(build: Build[B], settings: Settings, device: torch.device, speed: Speed) -> float:
    """Return how long the whole training would take, by some steps on throw-away networks."""
    return _measure(build, settings, device, speed).seconds * settings.train.images


def _measure(
    build: Build[B], settings: Settings, device: torch.device, speed: Speed, *, report: Report = silent
) -> Measured:
    """Train a step with one sample a process on throw-away networks, then, where whole steps are not too slow, `STEPS`."""
    report(0, STEPS)
    torch.set_num_threads(speed.threads)
    model, batch, few = build(settings), settings.train.batch, world()
    before = _resident()

    begun_all, spent = time.perf_counter(), time.process_time()

    def cores() -> float:
        return (time.process_time() - spent) / max(time.perf_counter() - begun_all, 1e-9)

    def seconds_of(number: int, samples: int) -> float:
        source = model.batches(start=0, batch=samples, workers=0)
        begun = time.perf_counter()
        generator = torch.Generator().manual_seed(number)
        model.step(next(source), Step(number, settings, generator, device, speed.bfloat16))
        return time.perf_counter() - begun

    probe = seconds_of(1, few) if device.type == "cpu" else 0.0  # without what falls due in step 0
    (slow,) = largest(int(probe * batch / few > SLOW))  # all processes take the same way
    if slow:
        report(STEPS, STEPS)
        memory = _reckoned(model.learning, before, samples=batch // few)
        return Measured(seconds=probe / few, steps=1, samples=few, memory=memory, cores=cores())
    took = []
    for number in range(STEPS):
        took.append(seconds_of(number, batch))
        report(number + 1, STEPS)
    return Measured(seconds=min(took) / batch, steps=STEPS, samples=batch, memory=_memory(device), cores=cores())


def times_as_long(settings: Settings, other: Settings, *, classes: int, speed: Speed) -> float:
    """Return how many times as long a training with other settings takes on the CPU, by a pass of either's generator."""
    each = []
    for own in (settings, other):
        generator = build_generator(own.model, classes).to(memory_format=torch.channels_last)
        extra = condition_channels(own.model, classes)
        alone = replace(own, train=replace(own.train, batch=1))
        took = pass_seconds(generator, alone, extra, bfloat16=speed.bfloat16, threads=speed.threads)
        each.append(took * own.train.images)
    return each[1] / each[0]


def choose_batch(build: Build[B], settings: Settings, device: torch.device, speed: Speed, *, world: int) -> int:
    """Return the batch that `auto` stands for: the largest of `SIZES` that a GPU holds, tried with a real step.

    On a CPU, where memory is not what limits it, 16; with several processes 16 for each.
    """
    if device.type == "cpu" or world > 1:
        return USUAL * world
    return next((size for size in SIZES if _fits(build, settings, device, speed, size)), 1)


def _fits(build: Build[B], settings: Settings, device: torch.device, speed: Speed, size: int) -> bool:
    """Try a step with every regulariser on throw-away networks."""
    settings = replace(settings, train=replace(settings.train, batch=size))
    try:
        model = build(settings)
        batch = next(model.batches(start=0, batch=size, workers=0))
        model.step(batch, Step(0, settings, torch.Generator().manual_seed(0), device, speed.bfloat16))
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not memory_ran_out(error):
            raise
        return False
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return True


def _reckoned(learning: Sequence[nn.Module], before: int, *, samples: int) -> str:
    """Reckon what a step with so many samples needs, from the peak of one with one sample and what there was `before` it.

    Gradients and both moments of Adam stay the same for any batch; the rest of what the step took goes with the samples.
    """
    kept = sum(3 * p.numel() * p.element_size() for net in learning for p in net.parameters() if p.requires_grad)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"about {(before + kept + max(peak - before - kept, 0) * samples) / 1e9:.0f} GB"


def _resident() -> int:
    """Return the bytes of memory that this process holds now; its peak where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _memory(device: torch.device) -> str:
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} of {total / 1e9:.0f} GB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB"
