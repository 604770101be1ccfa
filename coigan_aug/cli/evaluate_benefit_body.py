"""What `coigan-aug evaluate benefit` does once torch is loaded: make the arms' images, train, compare, say what came out."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from coigan_aug.checkpoint import GeneratorFile, load_generator
from coigan_aug.cli.screening import screen_of
from coigan_aug.cli.workspace import Workspace
from coigan_aug.config import load_settings, settings_to_dict
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.arms import Arm, Bench, list_arms
from coigan_aug.evaluation.benefit import run_arms, summarise
from coigan_aug.evaluation.leaks import check_split, check_synthetic
from coigan_aug.evaluation.looks import where_it_looks
from coigan_aug.evaluation.protocol import PROTOCOLS, SYNTHETIC_TILES, counted, follow, tiles_of
from coigan_aug.evaluation.result import Result, begin_result, write_result
from coigan_aug.evaluation.speed import Speed, measure_speed, steps_within
from coigan_aug.files import folder_lock, read_json, write_json
from coigan_aug.formats.names import CARD
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import progress, say
from coigan_aug.settings import Settings
from coigan_aug.signals import stop_request
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import ENGINES, Engine, copying_engine, gan_engine
from coigan_aug.synthesis.run import Request, synthesize_counts
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import Run, find_run

SPEED = "speed.json"


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the person asked for, resolved."""

    workspace: Workspace
    settings: Settings
    run: Run
    generator: GeneratorFile
    engines: tuple[str, ...]
    given: Mapping[str, Path]
    protocol: str
    screen: bool
    device: torch.device
    command: str
    quiet: bool


def benefit_here(
    workspace: Workspace, *, engines: Sequence[str], arms: Sequence[str], run_name: str | None, minutes: float | None,
    jobs: int, groups_per_class: int | None, protocol: str, screen: bool, flags: Mapping[str, Any], device_name: str | None,
    overrides: Sequence[str], config: Path | None, as_json: bool, quiet: bool, command: str,
) -> None:  # fmt: skip
    """Measure the benefit in a workspace, as the options of `coigan-aug evaluate benefit` say."""
    begun = time.monotonic()
    dataset = Dataset(workspace.dataset)
    check_split(dataset)
    run = find_run(workspace.runs, run_name)
    generator = load_generator(run.generator)
    _check_run(run, generator, dataset, groups_per_class)
    made = load_settings(file=config, overrides=overrides, flags=flags)
    settings = dataclasses.replace(generator.settings, synthesize=made.synthesize, evaluate=made.evaluate)
    asked = _Asked(
        workspace=workspace, settings=follow(protocol, settings), run=run, generator=generator,
        engines=_known(engines), given=_given(arms), protocol=protocol, screen=screen,
        device=choose_device(device_name, gpus=None), command=command, quiet=quiet,
    )  # fmt: skip
    if asked.device.type == "cpu":
        torch.set_num_threads(1)
    with progress("reading images", quiet=quiet) as report:
        prepared = prepare(dataset, settings.data, cache_root=workspace.cache, report=report)
    folder = begin_result(workspace.results, "benefit", _start(asked, dataset, minutes))
    with folder_lock(folder), stop_request() as stop:
        bench, plan = _bench(asked, prepared, folder)
        settings = bench.settings
        bench, speed = _timed(asked, bench, plan, minutes=minutes, jobs=jobs)
        say(
            f"{len(plan)} arms x {settings.evaluate.seeds} seeds, {bench.settings.evaluate.steps:,} steps each",
            quiet=quiet,
        )
        seeds = [settings.evaluate.seed + k for k in range(settings.evaluate.seeds)]
        with progress("trainings", quiet=quiet) as report:
            scores = run_arms(
                bench, plan, seeds, device=asked.device, bfloat16=speed.bfloat16, jobs=jobs, stop=stop, report=report
            )
        about = "gan" if "gan" in bench.synthetic else next(iter(bench.synthetic), "none")
        numbers = summarise(bench, plan, seeds, scores, about=about)
        result = Result(
            kind="benefit",
            verdict=numbers["verdict"],
            command=command,
            measured_on=_measured_on(asked, dataset),
            settings=settings_to_dict(bench.settings),
            numbers=numbers,
            warnings=_warnings(numbers),
            pictures=where_it_looks(bench, plan, seeds[0], about=about, device=asked.device),
            seconds=time.monotonic() - begun,
        )
        path = write_result(folder, result)
    _show(result, path, quiet=quiet)
    if as_json:
        print(json.dumps(read_json(path), ensure_ascii=False))


def _check_run(run: Run, generator: GeneratorFile, dataset: Dataset, groups_per_class: int | None) -> None:
    """Refuse a generator that may have seen test images, or other training images than the segmenters are to see."""
    if run.start()["data"] != dataset.manifest["sha256"]:
        raise DataError(
            f"{run.name} was trained on another data set or split than {dataset.folder} holds; it may have seen test images.",
            remedy="Train again with: coigan-aug train",
        )
    seen, asked = generator.settings.data.groups_per_class, groups_per_class
    if asked is not None and asked != seen:
        what = f"{seen} groups of each class" if seen else "all training groups"
        raise DataError(
            f"{run.name} was trained on {what}, so segmenters with {asked} groups of each class would be compared unfairly.",
            remedy=f"Train on as many: coigan-aug train --set data.groups_per_class={asked}",
        )


def _known(engines: Sequence[str]) -> tuple[str, ...]:
    for name in engines:
        if name not in ENGINES:
            raise UsageError(f"There is no engine {name!r}.", remedy=f"Engines: {', '.join(ENGINES)}.")
    return tuple(engines)


def _given(arms: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in arms:
        name, equals, folder = text.partition("=")
        if not equals or not name or not folder:
            raise UsageError(f"--arm {text}: write  --arm NAME=FOLDER .", remedy="FOLDER is one of coigan/synthetic/.")
        if name in (*ENGINES, "real", "duplicates"):
            raise UsageError(f"--arm {text}: {name} is an arm's name already.", remedy="Give it another name.")
        found[name] = Path(folder)
    return found


def _start(asked: _Asked, dataset: Dataset, minutes: float | None) -> dict[str, Any]:
    """What must be equal for a stopped measurement to go on."""
    return _measured_on(asked, dataset) | {
        "settings": settings_to_dict(asked.settings),
        "engines": list(asked.engines),
        "minutes": minutes,
        "protocol": asked.protocol,
        "screen": asked.screen,
    }


def _measured_on(asked: _Asked, dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.manifest["sha256"],
        "run": asked.run.name,
        "generator": asked.generator.sha256,
        "images_seen": asked.generator.images,
        "given": {name: Dataset(folder).manifest["sha256"] for name, folder in asked.given.items()},
    }


def _bench(asked: _Asked, prepared: Prepared, folder: Path) -> tuple[Bench, list[Arm]]:
    """Make the synthetic images that are missing, open everything, and list the arms."""
    dataset, data, protocol = prepared.dataset, asked.settings.data, PROTOCOLS[asked.protocol]
    sets = {name: _synthesized(asked, prepared, name, folder) for name in asked.engines}
    sets |= {name: Dataset(path) for name, path in asked.given.items()}
    opened: dict[str, Examples] = {}
    for name, synthetic in sets.items():
        check_synthetic(synthetic, dataset, prepared.positions)
        opened[name] = load_examples(synthetic, range(len(synthetic)), data, cache_root=asked.workspace.cache)
    held_out = dataset.indices("test")
    test = load_examples(dataset, held_out, data, cache_root=asked.workspace.cache)
    settings = asked.settings
    if protocol.epochs:
        added = [tiles_of(examples) for examples in opened.values()]
        settings = counted(settings, real=tiles_of(prepared), synthetic=min([*added, SYNTHETIC_TILES]))
    bench = Bench(
        real=prepared,
        test=test,
        synthetic=opened,
        defective=tuple(p for p in held_out if dataset[p].annotations),
        clean=tuple(p for p in held_out if not dataset[p].annotations),
        settings=settings,
        folder=folder,
        tiles=protocol.tiles,
    )
    if not bench.defective:
        raise DataError("No test image has a defect; nothing can be measured.", remedy="Import again with --split 0.7.")
    return bench, list_arms(tuple(opened), settings.evaluate.shares)


def _synthesized(asked: _Asked, prepared: Prepared, engine: str, folder: Path) -> Dataset:
    out, records = folder / "images" / engine, folder / "synthetic" / engine
    if not (out / CARD).exists():
        tiles = PROTOCOLS[asked.protocol].tiles
        each = -(-SYNTHETIC_TILES // prepared.classes) if tiles else asked.settings.evaluate.per_class
        request = Request(format="coco", command=asked.command)
        screen = screen_of(
            prepared, asked.settings, on=asked.screen, copies=engine == "gan", cache_root=asked.workspace.cache,
            device=asked.device, quiet=asked.quiet,
        )  # fmt: skip
        with progress(f"synthesize ({engine})", quiet=asked.quiet) as report:
            synthesize_counts(
                prepared, _engine(asked, prepared, engine), screen, asked.settings, [each] * prepared.classes, request,
                windows=tiles, out=out, records=records, cache_root=asked.workspace.cache, report=report,
            )  # fmt: skip
    return Dataset(records)


def _engine(asked: _Asked, prepared: Prepared, name: str) -> Engine:
    if name != "gan":
        return copying_engine(name, prepared, asked.settings)
    return gan_engine(prepared, asked.generator, run=asked.run.name, device=asked.device)


def _timed(
    asked: _Asked, bench: Bench, plan: Sequence[Arm], *, minutes: float | None, jobs: int
) -> tuple[Bench, Speed]:
    """Measure the machine once for a result, and turn a budget of minutes into steps."""
    path = bench.folder / SPEED
    if not path.exists():
        write_json(path, dataclasses.asdict(measure_speed(bench, device=asked.device)))
    speed, evaluate = Speed(**read_json(path)), bench.settings.evaluate
    if minutes is not None:
        steps = steps_within(minutes, speed, trainings=len(plan) * evaluate.seeds, jobs=jobs)
        evaluate = dataclasses.replace(evaluate, steps=steps)
    return dataclasses.replace(bench, settings=dataclasses.replace(bench.settings, evaluate=evaluate)), speed


def _warnings(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    if len(numbers["seeds"]) < 5:
        found.append(f"{len(numbers['seeds'])} seeds only; use 5 or more before you believe a difference.")
    if numbers["groups"]["test_defective"] < 20:
        found.append(f"{numbers['groups']['test_defective']} test groups with a defect only: the intervals are wide.")
    return tuple(found)


def _show(result: Result, path: Path, *, quiet: bool) -> None:
    if quiet:
        return
    numbers = result.numbers
    table = Table("test IoU")
    for arm in numbers["arms"]:
        table.add_column(arm["name"], justify="right")
    for name in numbers["classes"]:
        table.add_row(name, *(_percent(arm["iou"][name]) for arm in numbers["arms"]))
    table.add_section()
    table.add_row("mean", *(_percent(arm["mean_iou"]["mean"]) for arm in numbers["arms"]))
    bounds = [f"{100 * arm['mean_iou']['low']:.1f}-{100 * arm['mean_iou']['high']:.1f}" for arm in numbers["arms"]]
    table.add_row("95 %", *bounds)
    table.add_row("mean Dice", *(_percent(arm["mean_dice"]) for arm in numbers["arms"]))
    clean = (100 * (arm["clean_false_positives"] or 0) for arm in numbers["arms"])
    table.add_row("false on clean, %", *(f"{share:.2f}" for share in clean))
    Console(stderr=True).print(table)
    for line in (result.verdict, *result.warnings, f"-> {path}", "Next: coigan-aug report"):
        say(line)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
