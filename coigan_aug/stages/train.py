"""The stage train: choose the run, train, alone or as one of several processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from coigan_aug.compose.erase import with_erased, with_surface
from coigan_aug.config import detail_settings, load_settings, settings_file
from coigan_aug.eraser.erasing import erasing_of
from coigan_aug.errors import ConfigError, UsageError
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.losses.perceptual import load_features
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import SILENT, Talk, roughly
from coigan_aug.settings import Settings
from coigan_aug.stages.asks import TrainAsk
from coigan_aug.store.accepting import accept
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.batches import Batch
from coigan_aug.training.beginning import BUNDLED, bundled_fits, find_weights
from coigan_aug.training.device import choose_device
from coigan_aug.training.distributed import joined, only_first, rank, world
from coigan_aug.training.inpainting import Inpainting, build_inpainting, measure_speed
from coigan_aug.training.loop import Speed
from coigan_aug.training.loop import train as train_network
from coigan_aug.training.place import Place, find_place
from coigan_aug.training.plan import Build, TrainingPlan, choose_batch, measure_plan, times_as_long, training_seconds
from coigan_aug.training.run import (
    Best,
    Machine,
    Run,
    begin_run,
    list_runs,
    newest_run,
    resolve,
    same_as,
    unfinished_run,
)

ON_GPU, ON_CPU = "default", "tiny"
"""The recipes where none is named."""
FEW_OBJECTS = 20
GPU_WINDOW = 256


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training left: its run, samples seen, and where it was watched the samples seen and KID of the generator kept.

    `planned` are the samples that it was to see, `ended_early` says that its minutes were over before.
    For a dry run `plan` says what it would be, and there is no run.
    """

    run: Run | None = None
    images: int = 0
    planned: int = 0
    ended_early: bool = False
    best: Best | None = None
    plan: TrainingPlan | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values: the plan of a dry run, or what was trained."""
        if self.run is None:
            return {"plan": None if self.plan is None else asdict(self.plan)}
        numbers = {"images": self.images, "planned": self.planned, "best": self.best and asdict(self.best)}
        paths = {"generator": str(self.run.generator), "samples": str(self.run.samples)}
        return {"run": self.run.name, "folder": str(self.run.folder)} | numbers | paths


@dataclass(frozen=True)
class _Start:
    """What process 0 decides for all: data, settings, how the machine computes, and the run; none for a dry run."""

    prepared: Prepared
    settings: Settings
    speed: Speed
    run: Run | None

    def build(self, device: torch.device, weights: Path | None = None) -> Build[Batch]:
        """Return what makes new networks by their settings."""
        return partial(_built, self.prepared, device, weights)


def _built(prepared: Prepared, device: torch.device, weights: Path | None, settings: Settings) -> Inpainting:
    return build_inpainting(prepared, settings, device, weights=weights)


def train(
    workspace: Folders, ask: TrainAsk, *, talk: Talk = SILENT, command: str = "", settings: Settings | None = None
) -> Trained | None:
    """Train a generator on the workspace's data set, alone or as one of several processes.

    The same request continues a run that was stopped.

    Args:
        command: the command line that the run names; the request's own where none is given.
        settings: those to train with; by default the recipe's, with what `ask` and the settings file override.

    Returns:
        None where several processes were started (`gpus`), or in another of them than the first.

    Raises:
        DataError: there is no data set, or it is another than the run to be resumed was begun with.
        ConfigError: a setting is wrong. Stopped: Ctrl-C or SIGTERM, at a checkpoint.
    """
    place = find_place(os.environ)
    device = choose_device(ask.device, gpus=ask.gpus, place=place)
    command = command or ask.command()
    flags = _flags(ask)
    recipe = ask.recipe or (ON_GPU if device.type == "cuda" else ON_CPU)
    other = None
    if settings is None and not ask.resume:
        file = settings_file(ask.config)
        load = partial(load_settings, file=file, overrides=ask.overrides, flags=flags)
        settings = load(recipe=recipe)
        other = load(recipe=ON_GPU) if ask.recipe is None and recipe == ON_CPU else None
    if place is None and ask.gpus is not None and ask.gpus > 1:
        from coigan_aug.training.launch import start_several  # loads torch's launcher, which others do without

        again = "Continue from the last checkpoint: coigan-aug train --resume"
        start_several(command, root=workspace.root, quiet=talk.quiet, count=ask.gpus, again=again)
        return None
    with joined(place, device), ExitStack() as held:
        talk = Talk(quiet=talk.quiet or rank() > 0)
        start = only_first(lambda: _begin(workspace, ask, recipe, settings, device, held, place, talk, command))
        if other is not None:
            with talk.step("measuring this machine"):
                instead = _instead(start, other, device)
            talk.say(instead)
        detail_settings(start.settings)
        weights = Path(ask.perceptual_weights) if ask.perceptual_weights else None
        if start.run is None:
            plan = measure_plan(start.build(device, weights), start.settings, device, start.speed, recipe, talk=talk)
            return Trained(plan=plan) if rank() == 0 else None
        talk.say(_about(start.run, start.speed, device))
        with talk.step("train", most=60 * ask.minutes if ask.minutes else None) as report:
            model = build_inpainting(start.prepared, start.settings, device, weights=weights)
            images = train_network(
                model, start.settings, start.run, device=device, speed=start.speed, report=report, minutes=ask.minutes
            )
        if rank():
            return None
        end = start.run.end()
        best, train = end.best if end else None, start.settings.train
        early = ask.minutes is not None and images < train.images and not (best and best.given_up(train.patience))
        return Trained(run=start.run, images=images, planned=train.images, ended_early=early, best=best)


def count_of(text: int | str | None) -> int | None:
    """Read a count such as 16000, 200k or 1.5M.

    Raises:
        UsageError: it is not a count above 0.
    """
    if text is None:
        return None
    written = str(text)
    factor = {"k": 1_000, "m": 1_000_000}.get(written[-1:].lower(), 1)
    try:
        value = round(float(written[:-1] if factor > 1 else written) * factor)
    except ValueError:
        value = 0
    if value < 1:
        raise UsageError(f"--images-seen {written} is not a count.", remedy="Write it as 16000, 200k or 1.5M.")
    return value


def _flags(ask: TrainAsk) -> dict[str, Any]:
    flags = {"train.seed": ask.seed, "train.images": count_of(ask.images_seen)}
    return {name: value for name, value in flags.items() if value is not None}


def _begin(
    workspace: Folders, ask: TrainAsk, recipe: str, settings: Settings | None, device: torch.device, held: ExitStack,
    place: Place | None, talk: Talk, command: str,
) -> _Start:  # fmt: skip
    """Decode the data, choose or make the run and hold its folder, and see how the machine is fastest."""
    here = max(place.here, 1) if place else 1
    accept(None, workspace, talk, asked=ask.accept_changes)
    dataset = Dataset(workspace.dataset)
    run = None
    if settings is None:
        run, settings = newest_run(workspace.runs, dataset, _flags(ask))
    weights = _weights(workspace, ask, settings)
    features = Path(ask.perceptual_weights) if ask.perceptual_weights else None
    _look_for_features(settings, features, talk)
    with talk.steps() as begin:
        prepared = prepare(dataset, settings.data, cache_root=workspace.cache, progress=begin)
    settings = _with_batch(resolve(settings, prepared), prepared, device, talk, features=features)
    for line in _about_objects(prepared, settings.data.min_area):
        talk.say(line)
    if not prepared.clean:
        talk.say("No training window is free of defects: surface to draw on is what has its own defects erased.")
        with talk.step("erase defects") as report:
            prepared = with_surface(prepared, cache_root=workspace.cache, report=report)
    if device.type == "cpu" and settings.data.window >= GPU_WINDOW:
        talk.say(f"Training {settings.data.window} px windows on the CPU takes weeks; --recipe tiny is made for it.")
    if ask.dry_run:
        with talk.step("measuring this machine"):
            return _Start(prepared, settings, measure_speed(prepared, settings, device, here=here), None)
    with folder_lock(workspace.runs, wait=True):  # two that begin at once get a run each, or one is refused
        run = run or unfinished_run(workspace.runs, settings=settings, dataset=dataset, init_from=weights)
        if run is None:
            for line in _not_continued(workspace, settings, dataset):
                talk.say(line)
            with talk.step("measuring this machine"):
                speed = measure_speed(prepared, settings, device, here=here)
            machine = Machine(device=str(device), bfloat16=speed.bfloat16, threads=speed.threads, processes=world())
            run = begin_run(
                workspace.runs, recipe=recipe, settings=settings, dataset=dataset, machine=machine, command=command,
                init_from=weights,
            )  # fmt: skip
        held.enter_context(folder_lock(run.folder))
    if settings.data.erase == "learned":
        erasing = erasing_of(prepared, settings, cache_root=workspace.cache, scale=1.0, device=device, talk=talk)
        with talk.step("erase defects") as report:
            prepared = with_erased(prepared, erasing, cache_root=workspace.cache, report=report)
    begun = run.start().machine
    assert begun is not None  # noted for every run
    return _Start(prepared, settings, Speed(bfloat16=begun.bfloat16, threads=begun.threads), run)


def _weights(workspace: Folders, ask: TrainAsk, settings: Settings) -> Path | None:
    """Return whose weights the training begins with: the named ones, else the bundled model's where they are wanted and fit."""
    if ask.init_from:
        return find_weights(workspace.runs, ask.init_from)
    return BUNDLED if settings.train.start == "bundled" and bundled_fits(settings.model) else None


def _not_continued(workspace: Folders, settings: Settings, dataset: Dataset) -> Iterator[str]:
    """Say that the newest run, begun with the same settings, ended before its plan, and that this is another one."""
    for run in list_runs(workspace.runs)[-1:]:
        end, planned = run.end(), settings.train.images
        if end is not None and end.images < planned and same_as(run, settings, dataset):
            share = f"{end.images / planned:.0%}"
            yield f"This begins a new run. {run.name} ended at {share} of its plan: coigan-aug train --resume continues it."


def _look_for_features(settings: Settings, weights: Path | None, talk: Talk) -> None:
    """Load the weights of the perceptual loss once, before anything that takes long: they may be missing.

    Raises:
        EnvironmentProblem: they are.
    """
    train = settings.train
    if train.perceptual_weight > 0 and train.perceptual != "none":
        if train.perceptual == "resnet50" and weights is None:
            talk.say("looking for the weights of the perceptual loss (98 MB, fetched where they are not here yet)")
        load_features(train.perceptual, weights=weights)


def _about_objects(prepared: Prepared, least: int) -> Iterator[str]:
    """Say of which classes there is little to learn from, and which objects are left out for their size."""
    rows = zip(prepared.dataset.names, prepared.by_class, prepared.too_small, strict=True)
    for name, members, small in rows:
        if small:
            what = f"{small:,} of {small + len(members):,} training objects have fewer than {least} px and are left out"
            yield f"{name}: {what} (--set data.min_area=1 takes them)."
        if len(members) < FEW_OBJECTS:
            yield f"{name} has {len(members)} training objects; below {FEW_OBJECTS} expect copies of them."


def _instead(start: _Start, other: Settings, device: torch.device) -> str:
    """Return that there is no GPU, and what the recipe for one would take; all processes measure it together."""
    settings, data, train = start.settings, other.data, other.train
    seconds = training_seconds(start.build(device), settings, device, start.speed)
    seconds *= times_as_long(settings, other, classes=start.prepared.classes, speed=start.speed)
    return (
        f"No GPU is used: recipe {ON_CPU}, {settings.data.window} px windows. Recipe {ON_GPU} ({data.window} px,"
        f" {train.images:,} samples) would take about {roughly(seconds)} here."
    )


def _with_batch(
    settings: Settings, prepared: Prepared, device: torch.device, talk: Talk, *, features: Path | None
) -> Settings:
    """Put a number where the settings say `batch: auto`, and refuse a batch that the processes can't share evenly."""
    batch = settings.train.batch
    if batch <= 0:
        speed = Speed(bfloat16=device.type == "cuda" and settings.train.precision != "float32", threads=1)
        build = partial(_built, prepared, device, features)
        batch = choose_batch(build, settings, device, speed, world=world())
        talk.say(f"batch: auto is {batch} here")
    if batch % world():
        below = batch // world() * world()
        fit = " or ".join(str(value) for value in (below, below + world()) if value)
        raise ConfigError(
            f"train.batch is {batch}, which {world()} processes can't share evenly.",
            remedy=f"Use --set train.batch={fit}, or another number of processes.",
        )
    return replace(settings, train=replace(settings.train, batch=batch))


def _about(run: Run, speed: Speed, device: torch.device) -> str:
    kind = "bfloat16" if speed.bfloat16 else "float32"
    several = f"{world()} processes, " if world() > 1 else ""
    return (
        f"run {run.name} -> {run.folder}   ({several}{device}, {kind}, {speed.threads} thread(s); config, log, samples)"
    )
