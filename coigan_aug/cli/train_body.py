"""What `coigan-aug train` does once torch is loaded: choose the run, train, say what was made."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from coigan_aug.cli.erasing import erasing_of
from coigan_aug.cli.workspace import AGAIN, Workspace
from coigan_aug.compose.erased import with_erased
from coigan_aug.config import load_settings, settings_from_dict
from coigan_aug.errors import ConfigError, DataError
from coigan_aug.files import folder_lock
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import progress, say
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.device import choose_device
from coigan_aug.training.distributed import joined, only_first, rank, world
from coigan_aug.training.loop import Speed, measure_speed, train
from coigan_aug.training.place import find_place
from coigan_aug.training.plan import choose_batch, measure_plan
from coigan_aug.training.run import (
    Machine,
    Run,
    begin_run,
    check_same,
    find_weights,
    list_runs,
    resolve,
    unfinished_run,
)

FEW_OBJECTS = 20
GPU_WINDOW = 256


@dataclass(frozen=True)
class _Start:
    """What process 0 decides for all: data, settings, how the machine computes, and the run; none for a dry run."""

    prepared: Prepared
    settings: Settings
    speed: Speed
    run: Run | None


def train_here(
    workspace: Workspace, *, recipe: str, gpus: int | None, device_name: str | None, flags: Mapping[str, Any],
    minutes: float | None, resume: bool, init_from: str | None, dry_run: bool, perceptual_weights: Path | None,
    overrides: Sequence[str], config: Path | None, quiet: bool, command: str,
) -> None:  # fmt: skip
    """Train in a workspace, as the options of `coigan-aug train` say: alone, or as one of several processes."""
    place = find_place(os.environ)
    device = choose_device(device_name, gpus=gpus, place=place)
    if place is None and gpus is not None and gpus > 1:
        from coigan_aug.training.launch import launch  # loads the launcher of torch, which others do without

        again = "Continue from the last checkpoint: coigan-aug train --resume"
        raise SystemExit(launch([sys.executable, "-c", AGAIN, *sys.argv[1:]], count=gpus, again=again))
    with joined(place, device), ExitStack() as held:
        quiet = quiet or rank() > 0
        start = only_first(
            lambda: _begin(
                workspace, device, held, recipe=recipe, flags=flags, resume=resume, init_from=init_from, dry_run=dry_run,
                overrides=overrides, config=config, here=max(place.here, 1) if place else 1, quiet=quiet,
                command=command,
            )
        )  # fmt: skip
        if start.run is None:
            weights = perceptual_weights
            say(measure_plan(start.prepared, start.settings, device, start.speed, recipe, weights=weights), quiet=quiet)
            return
        say(_about(start.run, start.speed, device), quiet=quiet)
        with progress("train", quiet=quiet) as report:
            images = train(
                start.prepared, start.settings, start.run, device=device, speed=start.speed, report=report,
                minutes=minutes, perceptual_weights=perceptual_weights,
            )  # fmt: skip
        say(f"{images:,} images seen{_best(start.run)}. Samples: {start.run.samples}", quiet=quiet)
        say("Next: coigan-aug synthesize --per-class 20 --out synthetic/", quiet=quiet)


def _begin(
    workspace: Workspace, device: torch.device, held: ExitStack, *, recipe: str, flags: Mapping[str, Any],
    resume: bool, init_from: str | None, dry_run: bool, overrides: Sequence[str], config: Path | None, here: int,
    quiet: bool, command: str,
) -> _Start:  # fmt: skip
    """Decode the data, choose or make the run and hold its folder, and see how the machine is fastest."""
    dataset = Dataset(workspace.dataset)
    if resume:
        run, settings = _newest(workspace, dataset, flags)
    else:
        run, settings = None, load_settings(recipe=recipe, file=config, overrides=overrides, flags=flags)
    with progress("reading images", quiet=quiet) as report:
        prepared = prepare(dataset, settings.data, cache_root=workspace.cache, report=report)
    settings = _with_batch(resolve(settings, prepared), prepared, device, quiet=quiet)
    _check_share(settings.train.batch)
    weights = find_weights(workspace.runs, init_from) if init_from else None
    run = run or unfinished_run(workspace.runs, settings=settings, dataset=dataset, init_from=weights)
    _warn(prepared, quiet)
    if device.type == "cpu" and settings.data.window >= GPU_WINDOW:
        say(
            f"Training {settings.data.window} px windows on the CPU takes weeks; --recipe tiny is made for it.",
            quiet=quiet,
        )
    if dry_run:
        return _Start(prepared, settings, measure_speed(prepared, settings, device, here=here), None)
    if run is None:
        speed = measure_speed(prepared, settings, device, here=here)
        machine = Machine(device=str(device), bfloat16=speed.bfloat16, threads=speed.threads, processes=world())
        run = begin_run(
            workspace.runs, recipe=recipe, settings=settings, dataset=dataset, machine=machine, command=command,
            init_from=weights,
        )  # fmt: skip
    held.enter_context(folder_lock(run.folder))
    if settings.data.erase == "learned":
        erasing = erasing_of(prepared, settings, cache_root=workspace.cache, scale=1.0, device=device, quiet=quiet)
        with progress("erase defects", quiet=quiet) as report:
            prepared = with_erased(prepared, erasing, cache_root=workspace.cache, report=report)
    begun = run.start().machine
    assert begun is not None  # noted for every run
    return _Start(prepared, settings, Speed(bfloat16=begun.bfloat16, threads=begun.threads), run)


def _with_batch(settings: Settings, prepared: Prepared, device: torch.device, *, quiet: bool) -> Settings:
    """Put a number where the settings say `batch: auto`."""
    if settings.train.batch > 0:
        return settings
    tried = Speed(bfloat16=device.type == "cuda" and settings.train.precision != "float32", threads=1)
    batch = choose_batch(prepared, settings, device, tried, world=world())
    say(f"batch: auto is {batch} here", quiet=quiet)
    return replace(settings, train=replace(settings.train, batch=batch))


def _check_share(batch: int) -> None:
    """Refuse a batch that the processes can't share evenly."""
    if batch % world():
        below = batch // world() * world()
        fit = " or ".join(str(value) for value in (below, below + world()) if value)
        raise ConfigError(
            f"train.batch is {batch}, which {world()} processes can't share evenly.",
            remedy=f"Use --set train.batch={fit}, or another number of processes.",
        )


def _about(run: Run, speed: Speed, device: torch.device) -> str:
    kind = "bfloat16" if speed.bfloat16 else "float32"
    several = f"{world()} processes, " if world() > 1 else ""
    return (
        f"run {run.name} -> {run.folder}   ({several}{device}, {kind}, {speed.threads} thread(s); config, log, samples)"
    )


def _best(run: Run) -> str:
    """Say which generator is kept to draw with, where the training was watched."""
    end = run.end()
    best = end.best if end else None
    return f"; kept is the generator at {best.images:,} (KID {best.distance:.3f})" if best else ""


def _newest(workspace: Workspace, dataset: Dataset, flags: Mapping[str, Any]) -> tuple[Run, Settings]:
    """Return the newest run and its settings, made longer where --images-seen says so."""
    runs = list_runs(workspace.runs)
    if not runs:
        raise DataError(f"{workspace.runs} holds no run to continue.", remedy="Start one with: coigan-aug train")
    values = {section: dict(keys) for section, keys in runs[-1].start().settings.items()}
    for name, value in flags.items():
        section, key = name.split(".")
        values[section][key] = value
    settings = settings_from_dict(values, where=str(runs[-1].folder / "start.json"))
    check_same(runs[-1], settings, dataset)
    return runs[-1], settings


def _warn(prepared: Prepared, quiet: bool) -> None:
    for name, members in zip(prepared.dataset.names, prepared.by_class, strict=True):
        if len(members) < FEW_OBJECTS:
            say(f"{name} has {len(members)} training objects; below {FEW_OBJECTS} expect copies of them.", quiet=quiet)
