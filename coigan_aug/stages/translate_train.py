"""The stage translate train: open both lines, choose the run, train, alone or as one of several processes."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from coigan_aug.compose.unpaired import Lines
from coigan_aug.config import detail_settings, load_settings, settings_file
from coigan_aug.data.lines import TwoLines, open_line
from coigan_aug.errors import ConfigError, DataError, UsageError
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.progress import SILENT, Talk
from coigan_aug.settings import Settings
from coigan_aug.stages.train import GPU_WINDOW, ON_CPU, ON_GPU, Trained, count_of
from coigan_aug.stages.translate_train_ask import TranslateTrainAsk
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.device import choose_device
from coigan_aug.training.distributed import joined, only_first, rank, world
from coigan_aug.training.loop import Speed
from coigan_aug.training.loop import train as train_network
from coigan_aug.training.place import Place, find_place
from coigan_aug.training.plan import measure_plan
from coigan_aug.training.run import Machine, Run, begin_run, newest_run, unfinished_run
from coigan_aug.training.translation import build, measure_speed

AUTO_BATCH = 4
"""Samples of a step where the settings leave it open; CycleGAN's networks learn with few."""


@dataclass(frozen=True)
class _Start:
    """What process 0 decides for all: both lines, settings, how the machine computes, and the run; none for a dry run."""

    lines: Lines
    settings: Settings
    speed: Speed
    run: Run | None


def translate_train(
    workspace: Folders, ask: TranslateTrainAsk, *, talk: Talk = SILENT, command: str = ""
) -> Trained | None:
    """Learn to give images of line A the look of line B; the loop, its checkpoints and its processes are those of `train`.

    The same request continues a run that was stopped.

    Args:
        command: the command line that the run names; the request's own where none is given.

    Returns:
        None where several processes were started (`gpus`), or in another of them than the first.

    Raises:
        DataError: a line can't be read, or holds nothing, or is another than the run to be resumed was begun with.
        UsageError: both lines are one. ConfigError: a setting is wrong. Stopped: Ctrl-C or SIGTERM, at a checkpoint.
    """
    place = find_place(os.environ)
    device = choose_device(ask.device, gpus=ask.gpus, place=place)
    command = command or ask.command()
    settings = None if ask.resume else _settings(ask, device)
    if place is None and ask.gpus is not None and ask.gpus > 1:
        from coigan_aug.training.launch import start_several  # loads torch's launcher, which others do without

        again = f"Continue from the last checkpoint: {command}"
        start_several(command, root=workspace.root, quiet=talk.quiet, count=ask.gpus, again=again)
        return None
    with joined(place, device, again=command), ExitStack() as held:
        talk = Talk(quiet=talk.quiet or rank() > 0)
        start = only_first(lambda: _begin(workspace, ask, settings, device, held, place, talk, command))
        detail_settings(start.settings)
        make = partial(_build, start.lines, device, command)
        if start.run is None:
            plan = measure_plan(make, start.settings, device, start.speed, _recipe(ask, device), talk=talk)
            return Trained(plan=plan) if rank() == 0 else None
        talk.say(f"run {start.run.name} -> {start.run.folder}   ({device}; config, log, samples)")
        with talk.step("train", most=60 * ask.minutes if ask.minutes else None) as report:
            images = train_network(
                make(start.settings), start.settings, start.run, device=device, speed=start.speed, report=report,
                minutes=ask.minutes,
            )  # fmt: skip
        if rank():
            return None
        end, train = start.run.end(), start.settings.train
        best = end.best if end else None
        early = ask.minutes is not None and images < train.images and not (best and best.given_up(train.patience))
        return Trained(run=start.run, images=images, planned=train.images, ended_early=early, best=best)


def _build(lines: Lines, device: torch.device, command: str, settings: Settings) -> Any:
    return build(lines, settings, device, again=command)


def _recipe(ask: TranslateTrainAsk, device: torch.device) -> str:
    return ask.recipe or (ON_GPU if device.type == "cuda" else ON_CPU)


def _flags(ask: TranslateTrainAsk) -> dict[str, Any]:
    flags = {"train.seed": ask.seed, "train.images": count_of(ask.images_seen), "translate.attention": ask.attention}
    return {name: value for name, value in flags.items() if value is not None}


def _settings(ask: TranslateTrainAsk, device: torch.device) -> Settings:
    return load_settings(
        recipe=_recipe(ask, device), file=settings_file(ask.config), overrides=ask.overrides, flags=_flags(ask),
        translation=True,
    )  # fmt: skip


def _begin(
    workspace: Folders, ask: TranslateTrainAsk, settings: Settings | None, device: torch.device, held: ExitStack,
    place: Place | None, talk: Talk, command: str,
) -> _Start:  # fmt: skip
    """Decode both lines, choose or make the run and hold its folder, and see how the machine is fastest."""
    if ask.source is None and find_dataset(workspace.root) is None:
        what = f"{workspace.root} holds no data set whose look could be changed."
        raise DataError(what, remedy="Name line A with --from, or make a data set first: coigan-aug import")
    source = Path(ask.source) if ask.source is not None else workspace.root
    both = TwoLines(*(open_line(path, root=workspace.lines) for path in (source, Path(ask.to))))
    if both.a.manifest["sha256"] == both.b.manifest["sha256"]:
        raise UsageError(f"{ask.to} is the line whose look is to be changed.", remedy="Name another one with --to.")
    run = None
    if settings is None:
        again = "coigan-aug translate train --to FOLDER"
        run, settings = newest_run(workspace.translators, both, _flags(ask), command=again)
    with talk.steps() as begin:
        lines = Lines(*(_examples(data, settings, workspace, begin) for data in (both.a, both.b)))
    settings = _resolved(settings, lines)
    talk.say(_about(lines))
    if device.type == "cpu" and settings.data.window >= GPU_WINDOW:
        talk.say(f"Training {settings.data.window} px windows on the CPU takes weeks; --recipe tiny is made for it.")
    here = max(place.here, 1) if place else 1
    if ask.dry_run:
        with talk.step("measuring this machine"):
            return _Start(lines, settings, measure_speed(settings, device, here=here), None)
    with folder_lock(workspace.translators, wait=True):  # two that begin at once get a run each, or one is refused
        run = run or unfinished_run(workspace.translators, settings=settings, dataset=both)
        if run is None:
            with talk.step("measuring this machine"):
                speed = measure_speed(settings, device, here=here)
            machine = Machine(device=str(device), bfloat16=speed.bfloat16, threads=speed.threads, processes=world())
            run = begin_run(
                workspace.translators, recipe=_recipe(ask, device), settings=settings, dataset=both, machine=machine,
                command=command,
            )  # fmt: skip
        held.enter_context(folder_lock(run.folder))
    begun = run.start().machine
    assert begun is not None  # noted for every run
    return _Start(lines, settings, Speed(bfloat16=begun.bfloat16, threads=begun.threads), run)


def _examples(dataset: Dataset, settings: Settings, workspace: Folders, begin: Any) -> Examples:
    positions = dataset.indices("train")
    if not positions:
        raise DataError(
            f"{dataset.folder} has no training images.", remedy="Name another folder, or import with --split 0.8."
        )
    return load_examples(dataset, positions, settings.data, cache_root=workspace.cache, progress=begin)


def _resolved(settings: Settings, lines: Lines) -> Settings:
    """Decide what the settings leave to the data: colour and batch.

    Raises:
        ConfigError: the masks are to count and there are none, or the processes can't share a batch evenly.
    """
    if settings.translate.attention == "mask" and not lines.masked:
        raise ConfigError(
            f"{lines.a.dataset.folder} has no masks, so none can count more.",
            remedy="Name a data set or workspace with --from, or use --attention gradcam.",
        )
    batch = settings.train.batch or AUTO_BATCH * world()
    if batch % world():
        raise ConfigError(
            f"train.batch is {batch}, which {world()} processes can't share evenly.",
            remedy=f"Use --set train.batch={batch // world() * world() + world()}, or another number of processes.",
        )
    settings = replace(settings, train=replace(settings.train, batch=batch))
    if settings.model.colour != "auto":
        return settings
    return replace(settings, model=replace(settings.model, colour="grey" if lines.grey else "rgb"))


def _about(lines: Lines) -> str:
    count, masked = len(lines.a.positions), len(lines.a.by_record)
    return f"A: {count:,} images, {masked:,} of them with masks. B: {len(lines.b.positions):,} images."
