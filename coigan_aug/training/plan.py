"""The dry run: three real steps, measured, and what they say of the whole training."""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from pathlib import Path

import torch

from coigan_aug.compose.composer import Stream
from coigan_aug.compose.noise import condition_channels
from coigan_aug.errors import memory_ran_out
from coigan_aug.models.build import build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import lasting
from coigan_aug.settings import Settings
from coigan_aug.training.batches import batches
from coigan_aug.training.device import pass_seconds
from coigan_aug.training.distributed import rank, world
from coigan_aug.training.loop import Speed
from coigan_aug.training.networks import Step, build_networks
from coigan_aug.training.steps import training_step

STEPS = 3
SIZES = (64, 32, 16, 8, 4, 2, 1)
USUAL = 16


def measure_plan(
    prepared: Prepared, settings: Settings, device: torch.device, speed: Speed, recipe: str, *, weights: Path | None
) -> str:
    """Train three steps on throw-away networks and describe the plan, its memory and its time in three lines.

    Several processes call it together; memory is that of one of them.
    """
    seconds = training_seconds(prepared, settings, device, speed, weights=weights)
    side, train = settings.data.window, settings.train
    kind = "bfloat16" if speed.bfloat16 else "float32"
    batch = f"{train.batch} ({train.batch // world()} a process)" if world() > 1 else f"{train.batch}"
    plan = f"plan    {side} x {side} windows, batch {batch}, {train.images:,} images, {kind}, seed {train.seed}"
    each = " a process" if world() > 1 else ""
    use = f"memory  {_memory(device)}{each}      time  about {lasting(seconds)}      (measured on {STEPS} real steps)"
    return f"{plan}, recipe {recipe}\n  {use}"


def training_seconds(
    prepared: Prepared, settings: Settings, device: torch.device, speed: Speed, *, weights: Path | None = None
) -> float:
    """Return how long the whole training would take, by three steps on throw-away networks."""
    torch.set_num_threads(speed.threads)
    networks = build_networks(prepared, settings, device, weights=weights)
    stream = Stream(prepared, settings, settings.train.seed)
    source = batches(stream, start=0, batch=settings.train.batch, rank=rank(), world=world(), workers=0)
    took = []
    for number in range(STEPS):
        begun = time.perf_counter()
        generator = torch.Generator().manual_seed(number)
        training_step(networks, next(source).to(device), Step(number, settings, generator, device, speed.bfloat16))
        took.append(time.perf_counter() - begun)
    return min(took) * settings.train.images / settings.train.batch


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


def choose_batch(prepared: Prepared, settings: Settings, device: torch.device, speed: Speed, *, world: int) -> int:
    """Return the batch that `auto` stands for: the largest of `SIZES` that a GPU holds, tried with a real step.

    On a CPU, where memory is not what limits it, 16; with several processes 16 for each.
    """
    if device.type == "cpu" or world > 1:
        return USUAL * world
    return next((size for size in SIZES if _fits(prepared, settings, device, speed, size)), 1)


def _fits(prepared: Prepared, settings: Settings, device: torch.device, speed: Speed, size: int) -> bool:
    """Try a step with every regulariser on throw-away networks."""
    settings = replace(settings, train=replace(settings.train, batch=size))
    try:
        networks = build_networks(prepared, settings, device, weights=None)
        stream = Stream(prepared, settings, settings.train.seed)
        batch = next(batches(stream, start=0, batch=size, rank=0, world=1, workers=0)).to(device)
        training_step(networks, batch, Step(0, settings, torch.Generator().manual_seed(0), device, speed.bfloat16))
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not memory_ran_out(error):
            raise
        return False
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return True


def _memory(device: torch.device) -> str:
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} of {total / 1e9:.0f} GB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB"
