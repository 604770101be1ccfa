"""What `coigan-aug train` does once torch is loaded: choose the run, train, say what was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coigan_aug.cli.erasing import erasing_of
from coigan_aug.cli.workspace import Workspace
from coigan_aug.compose.erased import with_erased
from coigan_aug.config import load_settings, settings_from_dict
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import progress, say
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.device import choose_device
from coigan_aug.training.loop import Speed, measure_speed, train
from coigan_aug.training.plan import measure_plan
from coigan_aug.training.run import Run, begin_run, check_same, list_runs, resolve, unfinished_run

FEW_OBJECTS = 20
GPU_WINDOW = 256


def train_here(
    workspace: Workspace, *, recipe: str, gpus: int | None, device_name: str | None, flags: Mapping[str, Any],
    minutes: float | None, resume: bool, dry_run: bool, perceptual_weights: Path | None, overrides: Sequence[str],
    config: Path | None, quiet: bool, command: str,
) -> None:  # fmt: skip
    """Train in a workspace, as the options of `coigan-aug train` say."""
    device = choose_device(device_name, gpus=gpus)
    dataset = Dataset(workspace.dataset)
    if resume:
        run, settings = _newest(workspace, dataset, flags)
    else:
        run, settings = None, load_settings(recipe=recipe, file=config, overrides=overrides, flags=flags)
    with progress("reading images", quiet=quiet) as report:
        prepared = prepare(dataset, settings.data, cache_root=workspace.cache, report=report)
    settings = resolve(settings, prepared)
    run = run or unfinished_run(workspace.runs, settings=settings, dataset=dataset)
    _warn(prepared, quiet)
    if device.type == "cpu" and settings.data.window >= GPU_WINDOW:
        say(
            f"Training {settings.data.window} px windows on the CPU takes weeks; --recipe tiny is made for it.",
            quiet=quiet,
        )
    if dry_run:
        speed = measure_speed(prepared, settings, device)
        say(measure_plan(prepared, settings, device, speed, recipe, weights=perceptual_weights), quiet=quiet)
        return
    if run is None:
        speed = measure_speed(prepared, settings, device)
        machine = {"device": str(device), "bfloat16": speed.bfloat16, "threads": speed.threads}
        run = begin_run(
            workspace.runs, recipe=recipe, settings=settings, dataset=dataset, machine=machine, command=command
        )
    if settings.data.erase == "learned":
        erasing = erasing_of(prepared, settings, cache_root=workspace.cache, scale=1.0, device=device, quiet=quiet)
        with progress("erase defects", quiet=quiet) as report:
            prepared = with_erased(prepared, erasing, cache_root=workspace.cache, report=report)
    begun = run.start()["machine"]
    speed = Speed(bfloat16=begun["bfloat16"], threads=begun["threads"])
    kind = "bfloat16" if speed.bfloat16 else "float32"
    say(
        f"run {run.name} -> {run.folder}   ({device}, {kind}, {speed.threads} thread(s); config, log, samples)",
        quiet=quiet,
    )
    with folder_lock(run.folder), progress("train", quiet=quiet) as report:
        images = train(
            prepared, settings, run, device=device, speed=speed, report=report, minutes=minutes,
            perceptual_weights=perceptual_weights,
        )  # fmt: skip
    say(f"{images:,} images seen. Samples: {run.samples}", quiet=quiet)
    say("Next: coigan-aug synthesize --per-class 20 --out synthetic/", quiet=quiet)


def _newest(workspace: Workspace, dataset: Dataset, flags: Mapping[str, Any]) -> tuple[Run, Settings]:
    """Return the newest run and its settings, made longer where --images-seen says so."""
    runs = list_runs(workspace.runs)
    if not runs:
        raise DataError(f"{workspace.runs} holds no run to continue.", remedy="Start one with: coigan-aug train")
    values = {section: dict(keys) for section, keys in runs[-1].start()["settings"].items()}
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
