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
from coigan_aug.errors import ResourceError, Stopped, memory_ran_out
from coigan_aug.imaging import write_image
from coigan_aug.progress import Report, say
from coigan_aug.sealed import append_line, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.signals import stop_request
from coigan_aug.training.board import Board, board
from coigan_aug.training.distributed import across, largest, only_first, rank, said_once, world
from coigan_aug.training.judging import Losses
from coigan_aug.training.networks import Step
from coigan_aug.training.pace import Pace
from coigan_aug.training.run import Best, Run, RunEnd
from coigan_aug.training.state import Progress, resume_together, save_best, save_training
from coigan_aug.training.trainable import B, Trainable


@dataclass(frozen=True)
class Speed:
    """How the machine computes: bfloat16 convolutions or not, and the number of CPU threads."""

    bfloat16: bool
    threads: int


def train(
    model: Trainable[B], settings: Settings, run: Run, *, device: torch.device, speed: Speed, report: Report,
    minutes: float | None = None,
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
    images, measured, best = resume_together(model, run)
    if images == 0 and (given := run.start().init_from):
        say(model.begin_from(Path(given.path)), quiet=rank() > 0)
    source = model.batches(start=images, batch=settings.train.batch, workers=settings.train.workers)
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
            losses, parts = _step(model, next(source), step)
            model.average(number)
            if slower := pace.step():
                say(slower, quiet=rank() > 0)
            before, images = images, images + settings.train.batch
            if number % settings.log.metrics_every == 0:
                values = {name: float(across(value)) for name, value in losses.items()}
                append_line(metrics, {"images": images, **{name: round(value, 5) for name, value in values.items()}})
                show(values, images)
                report(images, settings.train.images, model.summary(values) + _so_far(best))
            if settings.log.watch_every and _passed(before, images, settings.log.watch_every):
                measured, best = images, _measure(model, run, best, images, metrics, show)
            if _passed(before, images, settings.log.samples_every):
                _write_samples(model, run, images)
            if _passed(before, images, settings.log.checkpoint_every):
                _save(model, settings, run, Progress(images, measured, best), begun=begun)
            pace.rest()
        if settings.log.watch_every and measured < images and not signal_number:
            measured, best = images, _measure(model, run, best, images, metrics, show)
    _save(model, settings, run, Progress(images, measured, best), begun=begun)
    if signal_number:
        raise said_once(_stopped(model, run, images, signal_number))
    _write_samples(model, run, images)
    if rank() == 0:
        end = RunEnd(images=images, generator=run.generator.name, best=best if best.images else None)
        write_sealed(run.folder / "run.json", end)
    report(images, settings.train.images)
    return images


def _clock(run: Run, minutes: float | None) -> tuple[float, float]:
    """Return on the monotonic clock when the training began, as if its sessions were one, and when it is to end."""
    now = time.monotonic()
    return now - (run.seconds() or 0.0), now + 60 * minutes if minutes else math.inf


def _save(model: Trainable[B], settings: Settings, run: Run, progress: Progress, *, begun: float) -> None:
    """Write a checkpoint, and how long the training took up to it."""
    save_training(model, run, progress, keep=settings.log.keep)
    if rank() == 0:
        run.note_seconds(time.monotonic() - begun)


def _measure(model: Trainable[B], run: Run, best: Best, images: int, metrics: BinaryIO, show: Board) -> Best:
    """Measure how far what is made is from what is real, log it, and keep the network where it is the best so far."""
    value = only_first(model.distance)
    append_line(metrics, {"images": images, "kid": round(value, 5)})
    show({"kid": value}, images)
    latest = best.after(value, images)
    if latest.images == images:
        save_best(model, run, images=images)
    return latest


def _stopped(model: Trainable[B], run: Run, images: int, signal_number: int) -> Stopped:
    message = f"Stopped; saved at {images:,} images in {run.folder}."
    return Stopped(message, signal_number=signal_number, remedy=f"Continue: {model.again}")


def _begin_step(number: int, settings: Settings, device: torch.device, speed: Speed, parts: int) -> Step:
    seed = rng.torch_seed(settings.train.seed, "step0", number)  # the same in all processes
    return Step(number, settings, torch.Generator().manual_seed(seed), device, speed.bfloat16, parts)


def _step(model: Trainable[B], batch: B, step: Step) -> tuple[Losses, int]:
    """Take a step and return its losses and in how many parts: in twice as many where memory runs out, as often as needed.

    A discriminator that was stepped before memory ran out takes this step a second time, which does no harm.
    """
    while True:
        try:
            return model.step(batch, step), step.parts
        except RuntimeError as error:  # torch's of a GPU's memory is one, too
            if not memory_ran_out(error):
                raise
            count, side = step.settings.train.batch // world(), step.settings.data.window
            if world() > 1 or 2 * step.parts > count:
                raise ResourceError(
                    f"Out of memory at step {step.number} with {-(-count // step.parts)} windows of {side} px at a time.",
                    remedy=f"Start a new run with half of it: {model.command} --set train.batch={max(count // 2, 1)}",
                ) from error
        if step.device.type == "cuda":
            torch.cuda.empty_cache()
        step = replace(step, parts=2 * step.parts, rng=step.rng.manual_seed(step.rng.initial_seed()))
        say(
            f"Out of memory with {count} windows of {side} px; going on with {count // step.parts} at a time, same batch."
        )


def _write_samples(model: Trainable[B], run: Run, images: int) -> None:
    if rank() == 0:
        write_image(run.samples / f"{images:012d}.png", model.samples())


def _passed(before: int, now: int, every: int) -> bool:
    return before // every != now // every


def _so_far(best: Best) -> str:
    return f"  best KID {best.distance:.3f} at {best.images:,}" if best.images else ""
