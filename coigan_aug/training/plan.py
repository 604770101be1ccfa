"""The dry run: three real steps, measured, and what they say of the whole training."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import torch

from coigan_aug.compose.composer import Stream
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import clock
from coigan_aug.settings import Settings
from coigan_aug.training.batches import batches
from coigan_aug.training.distributed import rank, world
from coigan_aug.training.loop import Speed, build_networks
from coigan_aug.training.steps import Step, training_step

STEPS = 3


def measure_plan(
    prepared: Prepared, settings: Settings, device: torch.device, speed: Speed, recipe: str, *, weights: Path | None
) -> str:
    """Train three steps on throw-away networks and describe the plan, its memory and its time in three lines.

    Several processes call it together; memory is that of one of them.
    """
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
    seconds = min(took) * settings.train.images / settings.train.batch
    side, train = settings.data.window, settings.train
    kind = "bfloat16" if speed.bfloat16 else "float32"
    batch = f"{train.batch} ({train.batch // world()} a process)" if world() > 1 else f"{train.batch}"
    plan = f"plan    {side} x {side} windows, batch {batch}, {train.images:,} images, {kind}, seed {train.seed}"
    each = " a process" if world() > 1 else ""
    use = f"memory  {_memory(device)}{each}      time  about {clock(seconds)}      (measured on {STEPS} real steps)"
    return f"{plan}, recipe {recipe}\n  {use}"


def _memory(device: torch.device) -> str:
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} of {total / 1e9:.0f} GB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB"
