"""The training, top to bottom."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import torch

from coigan_aug import rng
from coigan_aug.compose.composer import Stream
from coigan_aug.compose.noise import condition_channels
from coigan_aug.errors import ResourceError, Stopped, memory_ran_out
from coigan_aug.imaging import write_image
from coigan_aug.models.build import build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, say
from coigan_aug.sealed import append_line, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.signals import stop_request
from coigan_aug.training.batches import Batch, batches
from coigan_aug.training.beginning import init_from
from coigan_aug.training.board import Board, board
from coigan_aug.training.device import choose_speed
from coigan_aug.training.distributed import across, largest, only_first, rank, said_once, world
from coigan_aug.training.judging import Losses
from coigan_aug.training.networks import Networks, Step, build_networks, update_ema
from coigan_aug.training.pace import Pace
from coigan_aug.training.run import Best, Run, RunEnd
from coigan_aug.training.samples import sample_grid
from coigan_aug.training.state import Progress, resume_together, save_best, save_training
from coigan_aug.training.steps import training_step
from coigan_aug.training.watch import Watch, begin_watch, distance

SAMPLE_ROWS = 8


@dataclass(frozen=True)
class Speed:
    """How the machine computes: bfloat16 convolutions or not, and the number of CPU threads."""

    bfloat16: bool
    threads: int


def train(
    prepared: Prepared, settings: Settings, run: Run, *, device: torch.device, speed: Speed, report: Report,
    minutes: float | None = None, perceptual_weights: Path | None = None,
) -> int:  # fmt: skip
    """Train until `settings.train.images` samples are seen or `minutes` have gone; return the samples seen.

    The position in the training is one number, the samples seen: sample n is the same whoever composes it and
    whenever, everything scheduled depends on it, so a killed training continues as if it had not been.

    Of several processes each calls this with the same arguments and sees its part of each batch; process 0 alone
    writes. They stop at the same step, whichever of them is asked to.

    Raises:
        Stopped: Ctrl-C or SIGTERM; the state is saved.
        ResourceError: the device's memory is not enough.
    """
    torch.set_num_threads(speed.threads)
    networks = build_networks(prepared, settings, device, weights=perceptual_weights)
    images, measured, best = resume_together(networks, run)
    if images == 0 and (given := run.start().init_from):
        say(init_from(networks, Path(given.path), prepared.dataset.classes), quiet=rank() > 0)
    stream = Stream(prepared, settings, settings.train.seed)
    shown = Stream(prepared, settings, settings.train.seed + 1)
    watched = settings.log.watch_every > 0 and rank() == 0
    watch = begin_watch(Stream(prepared, settings, settings.train.seed + 2), device=device) if watched else None
    source = batches(
        stream, start=images, batch=settings.train.batch, rank=rank(), world=world(), workers=settings.train.workers
    )
    pace = Pace(speed.threads if device.type == "cpu" else 1)
    begun, ends = _clock(run, minutes)
    signal_number, parts = 0, 1
    metrics_file = run.metrics if rank() == 0 else Path(os.devnull)
    with (
        stop_request(patient=world() > 1) as stop,
        metrics_file.open("ab") as metrics,
        board(run.folder / "tensorboard", begun_at=images, on=rank() == 0) as show,
    ):
        while images < settings.train.images and not best.given_up(settings.train.patience):
            late = rank() == 0 and time.monotonic() >= ends
            signal_number, stopping = largest(stop.signal_number, int(late))
            if signal_number or stopping:
                break
            number = images // settings.train.batch
            step = _begin_step(number, settings, device, speed, parts)
            losses, parts = _step(networks, next(source).to(device), step)
            update_ema(networks.average, networks.generator, decay=settings.train.ema, step=number)
            if slower := pace.step():
                say(slower, quiet=rank() > 0)
            before, images = images, images + settings.train.batch
            if number % settings.log.metrics_every == 0:
                values = {name: float(across(value)) for name, value in losses.items()}
                append_line(metrics, {"images": images, **{name: round(value, 5) for name, value in values.items()}})
                show(values, images)
                report(images, settings.train.images, _note(values, best))
            if settings.log.watch_every and _passed(before, images, settings.log.watch_every):
                measured, best = images, _measure(watch, networks, prepared, settings, run, best, images, metrics, show)
            if _passed(before, images, settings.log.samples_every):
                _write_samples(networks, shown, run, images, device)
            if _passed(before, images, settings.log.checkpoint_every):
                _save(networks, prepared, settings, run, Progress(images, measured, best), begun=begun)
            pace.rest()
        if settings.log.watch_every and measured < images and not signal_number:
            measured, best = images, _measure(watch, networks, prepared, settings, run, best, images, metrics, show)
    _save(networks, prepared, settings, run, Progress(images, measured, best), begun=begun)
    if signal_number:
        raise said_once(_stopped(run, images, signal_number))
    _write_samples(networks, shown, run, images, device)
    if rank() == 0:
        end = RunEnd(images=images, generator=run.generator.name, best=best if best.images else None)
        write_sealed(run.folder / "run.json", end)
    report(images, settings.train.images)
    return images


def _clock(run: Run, minutes: float | None) -> tuple[float, float]:
    """Return on the monotonic clock when the training began, as if its sessions were one, and when it is to end."""
    now = time.monotonic()
    return now - (run.seconds() or 0.0), now + 60 * minutes if minutes else math.inf


def _save(
    networks: Networks, prepared: Prepared, settings: Settings, run: Run, progress: Progress, *, begun: float
) -> None:
    """Write a checkpoint, and how long the training took up to it."""
    save_training(networks, prepared, settings, run, progress)
    if rank() == 0:
        run.note_seconds(time.monotonic() - begun)


def _measure(
    watch: Watch | None, networks: Networks, prepared: Prepared, settings: Settings, run: Run, best: Best, images: int,
    metrics: BinaryIO, show: Board,
) -> Best:  # fmt: skip
    """Measure how far drawn defects are from real ones, log it, and keep the generator where it is the best so far."""
    value = only_first(lambda: distance(watch, networks.average) if watch else math.inf)
    append_line(metrics, {"images": images, "kid": round(value, 5)})
    show({"kid": value}, images)
    latest = best.after(value, images)
    if latest.images == images:
        save_best(networks, prepared, settings, run, images=images)
    return latest


def measure_speed(prepared: Prepared, settings: Settings, device: torch.device, *, here: int = 1) -> Speed:
    """Choose bfloat16 and threads: what the settings say, or what is measured to be faster with `here` processes."""
    generator = build_generator(settings.model, prepared.classes).to(device)
    extra = condition_channels(settings.model, prepared.classes)
    return Speed(*choose_speed(generator, settings, device, condition=extra, here=here))


def _stopped(run: Run, images: int, signal_number: int) -> Stopped:
    message = f"Stopped; saved at {images:,} images in {run.folder}."
    return Stopped(message, signal_number=signal_number, remedy="Continue: coigan-aug train --resume")


def _begin_step(number: int, settings: Settings, device: torch.device, speed: Speed, parts: int) -> Step:
    seed = rng.torch_seed(settings.train.seed, "step0", number)  # the same in all processes
    return Step(number, settings, torch.Generator().manual_seed(seed), device, speed.bfloat16, parts)


def _step(networks: Networks, batch: Batch, step: Step) -> tuple[Losses, int]:
    """Take a step and return its losses and in how many parts: in twice as many where memory runs out, as often as needed.

    A discriminator that was stepped before memory ran out takes this step a second time, which does no harm.
    """
    while True:
        try:
            return training_step(networks, batch, step), step.parts
        except RuntimeError as error:  # torch's of a GPU's memory is one, too
            if not memory_ran_out(error):
                raise
            count, side = batch.base.shape[0], batch.base.shape[2]
            if world() > 1 or 2 * step.parts > count:
                raise ResourceError(
                    f"Out of memory at step {step.number} with {-(-count // step.parts)} windows of {side} px at a time.",
                    remedy=f"Start a new run with half of it: coigan-aug train --set train.batch={max(count // 2, 1)}",
                ) from error
        if step.device.type == "cuda":
            torch.cuda.empty_cache()
        step = replace(step, parts=2 * step.parts, rng=step.rng.manual_seed(step.rng.initial_seed()))
        say(
            f"Out of memory with {count} windows of {side} px; going on with {count // step.parts} at a time, same batch."
        )


def _write_samples(networks: Networks, shown: Stream, run: Run, images: int, device: torch.device) -> None:
    if rank() > 0:
        return
    classes = shown.prepared.dataset.classes
    grid = sample_grid(networks.average, shown, rows=SAMPLE_ROWS, classes=classes, device=device)
    write_image(run.samples / f"{images:012d}.png", grid)


def _passed(before: int, now: int, every: int) -> bool:
    return before // every != now // every


def _note(values: dict[str, float], best: Best) -> str:
    def total(prefix: str) -> float:
        return sum(
            value
            for name, value in values.items()
            if name.startswith(prefix) and not name.endswith(("r1", "r2", "accuracy"))
        )

    losses = f"G {total('generator'):.2f}  D {total('defect'):.2f} {total('reference'):.2f}"
    return losses + (f"  best KID {best.distance:.3f} at {best.images:,}" if best.images else "")
