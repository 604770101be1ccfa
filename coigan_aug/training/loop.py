"""The training, top to bottom."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coigan_aug import rng
from coigan_aug.checkpoint import State, load_latest, save_generator, save_state
from coigan_aug.compose.composer import Stream
from coigan_aug.compose.noise import condition_channels
from coigan_aug.errors import DataError, ResourceError, Stopped
from coigan_aug.files import append_line, read_lines, write_bytes, write_json
from coigan_aug.imaging import write_image
from coigan_aug.losses.perceptual import load_features
from coigan_aug.models.build import build_discriminators, build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, say
from coigan_aug.settings import Settings, TrainSettings
from coigan_aug.signals import stop_request
from coigan_aug.training.batches import batches
from coigan_aug.training.device import choose_speed
from coigan_aug.training.distributed import rank, world
from coigan_aug.training.ema import update_ema
from coigan_aug.training.run import Run
from coigan_aug.training.samples import sample_grid
from coigan_aug.training.steps import Losses, Networks, Step, training_step

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

    Raises:
        Stopped: Ctrl-C or SIGTERM; the state is saved.
        ResourceError: the device's memory is not enough.
    """
    torch.set_num_threads(speed.threads)
    networks = build_networks(prepared, settings, device, weights=perceptual_weights)
    images = _resume(networks, run)
    stream = Stream(prepared, settings, settings.train.seed)
    shown = Stream(prepared, settings, settings.train.seed + 1)
    source = batches(
        stream, start=images, batch=settings.train.batch, rank=rank(), world=world(), workers=settings.train.workers
    )
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    with stop_request() as stop, (run.folder / "metrics.jsonl").open("ab") as metrics:
        while images < settings.train.images and time.monotonic() < ends and not stop.signal_number:
            number = images // settings.train.batch
            seed = rng.torch_seed(settings.train.seed, f"step{rank()}", number)
            generator = torch.Generator().manual_seed(seed)
            step = Step(number, settings, generator, device, speed.bfloat16)
            _set_rates(networks, settings.train, done=images / settings.train.images)
            losses = _step(networks, next(source).to(device), step)
            update_ema(networks.average, networks.generator, decay=settings.train.ema, step=number)
            before, images = images, images + settings.train.batch
            if number % settings.log.metrics_every == 0:
                values = {name: float(value) for name, value in losses.items()}
                append_line(metrics, {"images": images, **{name: round(value, 5) for name, value in values.items()}})
                report(images, settings.train.images, _note(values))
            if _passed(before, images, settings.log.samples_every):
                _write_samples(networks, shown, run, images, device)
            if _passed(before, images, settings.log.checkpoint_every):
                _save(networks, prepared, settings, run, images)
    if stop.signal_number:
        _save(networks, prepared, settings, run, images)
        message = f"Stopped; saved at {images:,} images in {run.folder}."
        raise Stopped(message, signal_number=stop.signal_number, remedy="Continue: coigan-aug train --resume")
    _save(networks, prepared, settings, run, images)
    _write_samples(networks, shown, run, images, device)
    write_json(run.folder / "run.json", {"images": images, "generator": run.generator.name})
    report(images, settings.train.images)
    return images


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
        strength=torch.zeros((), device=device),
        scores=torch.zeros(2, 2, device=device),
        features=features.to(device) if features is not None else None,
    )


def measure_speed(prepared: Prepared, settings: Settings, device: torch.device) -> Speed:
    """Choose bfloat16 and threads: what the settings say, or what is measured to be faster."""
    generator = build_generator(settings.model, prepared.classes).to(device)
    extra = condition_channels(settings.model, prepared.classes)
    return Speed(*choose_speed(generator, settings, device, condition=extra))


def _adam(network: torch.nn.Module, train: TrainSettings, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=rate, betas=train.betas, weight_decay=train.weight_decay)


def _set_rates(networks: Networks, train: TrainSettings, *, done: float) -> None:
    """Set the learning rates of this place in the training: full, then falling to nothing over the last `decay`."""
    share = 1.0 if train.decay == 0 else min(1.0, (1 - done) / train.decay)
    for optimizer, rate in (
        (networks.generator_optimizer, train.learning_rate),
        (networks.defect_optimizer, train.discriminator_learning_rate),
        (networks.reference_optimizer, train.discriminator_learning_rate),
    ):
        for group in optimizer.param_groups:
            group["lr"] = rate * share


def _step(networks: Networks, batch: Any, step: Step) -> Losses:
    try:
        return training_step(networks, batch, step)
    except torch.OutOfMemoryError as error:
        size, side = batch.base.shape[0], batch.base.shape[2]
        raise ResourceError(
            f"Out of GPU memory at step {step.number} with a batch of {size} windows of {side} px.",
            remedy=f"Continue with half of it in a new run: coigan-aug train --set train.batch={max(size // 2, 1)}",
        ) from error


_PARTS = (
    "generator",
    "average",
    "defect",
    "reference",
    "generator_optimizer",
    "defect_optimizer",
    "reference_optimizer",
)
_CARRIED = ("path_mean", "strength", "scores")


def _save(networks: Networks, prepared: Prepared, settings: Settings, run: Run, images: int) -> None:
    if rank() > 0:
        return
    state: State = {name: getattr(networks, name).state_dict() for name in _PARTS}
    state |= {"images": images, **{name: getattr(networks, name) for name in _CARRIED}}
    save_state(run.checkpoints, state, images=images, keep=settings.log.keep)
    save_generator(run.generator, networks.average, settings=settings, classes=prepared.dataset.classes, images=images)


def _resume(networks: Networks, run: Run) -> int:
    """Load the newest whole state, cut the metrics back to it, and return its position; 0 where there is none."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    state, damaged = load_latest(run.checkpoints)
    for name in damaged:
        say(f"checkpoint {name} is damaged; using the one before it")
    images = int(state["images"]) if state else 0
    kept = [line for line in read_lines(run.metrics) if line["images"] <= images]
    write_bytes(run.metrics, "".join(json.dumps(line) + "\n" for line in kept).encode())
    if state is None:
        return 0
    try:
        for name in _PARTS:
            getattr(networks, name).load_state_dict(state[name])
        for name in _CARRIED:
            setattr(networks, name, state[name].to(getattr(networks, name).device))
    except (RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"The checkpoint in {run.checkpoints} does not fit this model: {error}") from error
    say(f"continuing {run.name} at {images:,} images")
    return images


def _write_samples(networks: Networks, shown: Stream, run: Run, images: int, device: torch.device) -> None:
    if rank() > 0:
        return
    classes = shown.prepared.dataset.classes
    grid = sample_grid(networks.average, shown, rows=SAMPLE_ROWS, classes=classes, device=device)
    write_image(run.samples / f"{images:012d}.png", grid)


def _passed(before: int, now: int, every: int) -> bool:
    return before // every != now // every


def _note(values: dict[str, float]) -> str:
    def total(prefix: str) -> float:
        return sum(
            value for name, value in values.items() if name.startswith(prefix) and not name.endswith(("r1", "r2"))
        )

    return f"G {total('generator'):.2f}  D {total('defect'):.2f} {total('reference'):.2f}"
