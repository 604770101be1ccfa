"""The stage evaluate benefit: make the arms' images, train a segmenter with each, compare on held-out images."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from msgspec import structs

from coigan_aug.checkpoint import load_generator
from coigan_aug.config import detail_settings, load_settings, settings_file, settings_to_dict
from coigan_aug.data.folds import hold_out, read_folds
from coigan_aug.errors import DataError, UsageError, meant
from coigan_aug.evaluation.arms import CONTROLS, REAL, Arm, Bench, engine_of, list_arms
from coigan_aug.evaluation.benefit import Speed, measure_speed, run_arms, steps_within
from coigan_aug.evaluation.curves import draw_confusions, draw_curve
from coigan_aug.evaluation.leaks import check_split
from coigan_aug.evaluation.looks import where_it_looks
from coigan_aug.evaluation.numbers import FEW_PIECES, Benefit, Images
from coigan_aug.evaluation.protocol import PROTOCOLS, SYNTHETIC_TILES, counted, follow, tiles_of
from coigan_aug.evaluation.result import Result, begin_result, write_result
from coigan_aug.evaluation.summary import Question, summarise
from coigan_aug.evaluation.worst import ten_worst
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.sealed import read_struct, write_sealed
from coigan_aug.segmenter.windows import Pool
from coigan_aug.settings import Settings
from coigan_aug.signals import stop_request
from coigan_aug.stages.benches import Fold, make_bench, short_hash
from coigan_aug.stages.evaluate_asks import BenefitAsk
from coigan_aug.stages.evaluate_quality import find_synthetic
from coigan_aug.store.accepting import accept
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import ENGINES
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import Run, find_run, why_taken

SPEED = "speed.json"
TRAININGS = "trainings"
_FREE = ("seeds", "shares", "features", "per_class", "screen_steps", "ring")  # none that arms share depends on them
_SEEN = ("flip", "min_area", "groups_per_class", "subset_seed")  # of the data settings: all trainings do


def evaluate_benefit(workspace: Folders, ask: BenefitAsk, *, talk: Talk = SILENT, command: str = "") -> Result[Benefit]:
    """Train segmenters with and without what is added and compare them on held-out images of the workspace, or its folds.

    Stopped, or asked for more arms or seeds, it trains what is missing.

    Raises:
        UsageError: no such arm. DataError: the split leaks, there is no run, or one that saw other images.
        Stopped: Ctrl-C or SIGTERM; trainings that were finished are kept.
    """
    begun, command = time.monotonic(), command or ask.command()
    given = _given(ask.arms)
    flags = {"evaluate.seeds": ask.seeds} if ask.seeds is not None else {}
    made = load_settings(file=settings_file(ask.config), overrides=ask.overrides, flags=flags)
    arms = _arms(ask.engines, given, made.evaluate.shares)
    accept(None, workspace, talk, asked=ask.accept_changes)
    arms = _arms(ask.engines, given, made.evaluate.shares, names=Dataset(workspace.dataset).names)
    workspaces = _workspaces(workspace, folds=ask.folds)
    opened = [
        _open(fold, number, arms, given, ask, made, of=len(workspaces))
        for number, fold in enumerate(workspaces, start=1)
    ]
    for fold in opened if ask.run is None else ():
        if fold.run is not None and (why := why_taken(fold.workspace.runs)):
            talk.say(why)
    device = choose_device(ask.device, gpus=None)
    if device.type == "cpu":
        torch.set_num_threads(1)
    measured_on = _measured_on(opened, workspace)
    trainings = workspace.results / TRAININGS / _key(opened, ask, arms)
    with folder_lock(trainings), stop_request() as stop:
        result_folder = begin_result(workspace.results, "benefit", measured_on | {"arms": [arm.name for arm in arms]})
        folds = [
            dataclasses.replace(fold, folder=trainings / f"fold-{number}")
            for number, fold in enumerate(opened, start=1)
        ]
        benches = [
            make_bench(fold, arms, protocol=ask.protocol, screen=ask.screen, device=device, command=command, talk=talk)
            for fold in folds
        ]
        benches, arms = _counted(benches, arms, ask)
        benches = _timed(benches, arms, ask, trainings, device)
        detail_settings(benches[0].settings)
        evaluate = benches[0].settings.evaluate
        seeds = tuple(evaluate.seed + k for k in range(evaluate.seeds))
        many = f" x {len(benches)} folds" if len(benches) > 1 else ""
        talk.say(f"{len(arms)} arms x {len(seeds)} seeds{many}, {evaluate.steps:,} steps each")
        with talk.step("train the segmenters") as report:
            tallies = run_arms(benches, arms, seeds, device=device, jobs=ask.jobs, stop=stop, report=report)
        names = ("defect",) if evaluate.binary else tuple(benches[0].real.dataset.names)
        question = Question(arms=tuple(arms), seeds=seeds, folds=len(benches), names=names, seed=evaluate.seed)
        about = _about(arms)
        images = Images(
            train=[len(bench.real.positions) for bench in benches],
            test_defective=sum(len(bench.held.defective) for bench in benches),
            test_clean=sum(len(bench.held.clean) for bench in benches),
        )
        numbers = structs.replace(summarise(question, tallies, about=about), steps=evaluate.steps, images=images)
        pictures = (
            draw_curve(result_folder, numbers.arms),
            draw_confusions(result_folder, numbers.arms, numbers.classes, about=numbers.about),
            *ten_worst(benches[0], arms, seeds[0], folder=result_folder, device=device),
            *where_it_looks(benches[0], arms, seeds[0], about=about, folder=result_folder, device=device),
        )
        result = Result(
            kind="benefit",
            verdict=numbers.verdict,
            command=command,
            measured_on=measured_on,
            settings=settings_to_dict(benches[0].settings),
            numbers=numbers,
            warnings=_warnings(numbers),
            pictures=pictures,
            seconds=time.monotonic() - begun,
        )
        write_result(result_folder, result)
    return dataclasses.replace(result, folder=result_folder)


def _arms(
    engines: str, given: Mapping[str, str], shares: Sequence[float], *, names: Sequence[str] | None = None
) -> list[Arm]:
    """Return the arms: real alone, those named, and each given set that none of them names."""
    asked = [name.strip() for name in engines.split(",") if name.strip()]
    named = {engine_of(part) for text in asked for part in text.split("/")[0].split("+")}
    arms = list_arms([*asked, *(name for name in given if name not in named)], shares, names=names)
    known = (REAL, *CONTROLS, *ENGINES, *given)
    for name in (name for arm in arms for name in map(engine_of, arm.sources) if name not in known):
        remedy = f"Engines: {', '.join(ENGINES)}. Controls: {', '.join(CONTROLS)}."
        raise UsageError(f"There is no engine {name!r}.{meant(name, known)}", remedy=remedy)
    return arms


def _given(arms: Sequence[str]) -> dict[str, str]:
    folders = {}
    for text in arms:
        name, equals, folder = text.partition("=")
        if not equals or not name or not folder or set(name) & set("+/: "):
            raise UsageError(
                f"--arm {text}: write  --arm NAME=FOLDER .", remedy="FOLDER is what synthesize --out made."
            )
        if name in (*ENGINES, REAL, *CONTROLS):
            raise UsageError(f"--arm {text}: {name} is an arm's name already.", remedy="Give it another name.")
        folders[name] = folder
    return folders


def _workspaces(workspace: Folders, *, folds: bool) -> list[Folders]:
    """Return the workspace of each fold, its data set made; the workspace itself without folds."""
    if not folds:
        return [workspace]
    dataset = Dataset(workspace.dataset)
    known = read_folds(dataset.folder)
    count = len(known.files) if known else 1
    workspaces = [workspace.fold(number) for number in range(1, count + 1)]
    for number, fold in enumerate(workspaces, start=1):
        hold_out(dataset, number, fold.dataset)
    return workspaces


def _open(
    workspace: Folders, number: int, arms: Sequence[Arm], given: Mapping[str, str], ask: BenefitAsk,
    made: Settings, *, of: int,
) -> Fold:  # fmt: skip
    """Open a fold: its data set, its run where one is needed, and the settings that hold for it.

    Raises:
        DataError: there is no run, or one that saw other images.
    """
    dataset = Dataset(workspace.dataset)
    check_split(dataset)
    run, generator, settings = None, None, made
    if ask.groups_per_class is not None:
        few = dataclasses.replace(made.data, groups_per_class=ask.groups_per_class)
        settings = dataclasses.replace(made, data=few)
    if ask.run or any("gan" in map(engine_of, arm.sources) for arm in arms):
        run = _find_run(workspace, ask.run, dataset, folds=of > 1)
        generator = load_generator(run.generator)
        _check_groups(run, generator.settings, ask.groups_per_class)
        settings = dataclasses.replace(generator.settings, synthesize=made.synthesize, evaluate=made.evaluate)
    folders = {name: folder.replace("{fold}", str(number)) for name, folder in given.items()}
    if of > 1 and any("{fold}" not in folder for folder in given.values()):
        raise UsageError(
            "--folds: a set that --arm gives must be one for each fold.", remedy="Write  --arm NAME=sets/{fold}"
        )
    return Fold(
        workspace=workspace,
        dataset=dataset,
        run=run.name if run else None,
        generator=generator,
        given={name: find_synthetic(workspace, folder) for name, folder in folders.items()},
        settings=follow(ask.protocol, settings),
        folder=Path(),
    )


def _find_run(workspace: Folders, name: str | None, dataset: Dataset, *, folds: bool) -> Run:
    """Return the run to draw with.

    Raises:
        DataError: there is none, or it may have seen test images.
    """
    train = f"coigan-aug train{f' --workspace {workspace.root}' if folds else ''}"
    try:
        run = find_run(workspace.runs, name)
    except DataError as error:
        if name is not None:
            raise
        raise DataError(
            f"{workspace.root} has no trained run, and the arm gan draws with one.",
            remedy=f"Train one with: {train}    or leave it out: --engines duplicates,transplant,patch",
        ) from error
    if run.start().data != dataset.manifest["sha256"]:
        raise DataError(
            f"{run.name} was trained on another data set or split than {dataset.folder} holds; it may have seen test images.",
            remedy=f"Train again with: {train}",
        )
    return run


def _check_groups(run: Run, settings: Settings, asked: int | None) -> None:
    """Refuse a generator that saw other training images than the segmenters are to see."""
    seen = settings.data.groups_per_class
    if asked is not None and asked != seen:
        what = f"{seen} groups of each class" if seen else "all training groups"
        raise DataError(
            f"{run.name} was trained on {what}, so segmenters with {asked} groups of each class would be compared unfairly.",
            remedy=f"Train on as many: coigan-aug train --set data.groups_per_class={asked}",
        )


def _key(folds: Sequence[Fold], ask: BenefitAsk, arms: Sequence[Arm]) -> str:
    """Name what every training depends on beside its arm and seed; measurements with the same share their trainings.

    What only some arms depend on (the generator, how copies are set in) is in `Bench.marks`. A budget of minutes gives the
    fewer steps the more trainings share it.
    """
    values = settings_to_dict(folds[0].settings)
    evaluate = {key: value for key, value in values["evaluate"].items() if key not in _FREE}
    # The fade is in the names of the arms that it changes, as the ring is; it stays here for trainings that are kept.
    evaluate["fade"] = False
    data = {key: values["data"][key] for key in _SEEN}
    datasets = [fold.dataset.manifest["sha256"] for fold in folds]
    shared = [ask.minutes, [arm.name for arm in arms], values["evaluate"]["seeds"]] if ask.minutes else None
    if evaluate["slots"] == "extra":  # the real arm gets as many windows as the largest share adds
        shared = [shared, max(values["evaluate"]["shares"])]
    return short_hash([evaluate, data, datasets, shared, ask.protocol])


def _measured_on(folds: Sequence[Fold], workspace: Folders) -> dict[str, Any]:
    """Say what was measured on, with checksums; a list for each fold where there are several."""
    rows = [
        {
            "dataset": fold.dataset.manifest["sha256"],
            "run": fold.run,
            "generator": fold.generator.sha256 if fold.generator else None,
            "images_seen": fold.generator.images if fold.generator else None,
            "given": {name: dataset.manifest["sha256"] for name, dataset in fold.given.items()},
        }
        for fold in folds
    ]
    if len(folds) == 1:
        return rows[0]
    return {"dataset": Dataset(workspace.dataset).manifest["sha256"], "folds": rows}


def _counted(benches: Sequence[Bench], arms: Sequence[Arm], ask: BenefitAsk) -> tuple[list[Bench], list[Arm]]:
    """Take the share and the steps that follow from the numbers of tiles, where the protocol counts in epochs."""
    if not PROTOCOLS[ask.protocol].epochs:
        return list(benches), list(arms)
    added = [tiles_of(source.examples) for source in benches[0].added.values() if isinstance(source, Pool)]
    synthetic = min([*added, SYNTHETIC_TILES])
    settings = counted(benches[0].settings, real=tiles_of(benches[0].real), synthetic=synthetic)
    share = settings.evaluate.shares[0]
    shared = [dataclasses.replace(arm, share=share) if arm.share else arm for arm in arms]
    return [dataclasses.replace(bench, settings=settings) for bench in benches], shared


def _timed(
    benches: Sequence[Bench], arms: Sequence[Arm], ask: BenefitAsk, folder: Path, device: torch.device
) -> list[Bench]:
    """Turn a budget of minutes into steps, by a speed that is measured once for a result."""
    if ask.minutes is None:
        return list(benches)
    path = folder / SPEED
    if not path.exists():
        write_sealed(path, dataclasses.asdict(measure_speed(benches[0], device=device)))
    evaluate = benches[0].settings.evaluate
    trainings = len(arms) * evaluate.seeds * len(benches)
    steps = steps_within(
        ask.minutes,
        read_struct(path, Speed, remedy=f"Delete {path}; it is measured anew."),
        trainings=trainings,
        jobs=ask.jobs,
    )
    settings = dataclasses.replace(benches[0].settings, evaluate=dataclasses.replace(evaluate, steps=steps))
    return [dataclasses.replace(bench, settings=settings) for bench in benches]


def _about(arms: Sequence[Arm]) -> str:
    """Return what the verdict is about: the GAN, else the first that is drawn or given."""
    drawn = [source for arm in arms for source in arm.sources if engine_of(source) not in (REAL, *CONTROLS)]
    return next((source for source in drawn if engine_of(source) == "gan"), next(iter(drawn), "none"))


def _warnings(numbers: Benefit) -> tuple[str, ...]:
    warnings, count = [], len(numbers.seeds)
    if count < 3:
        warnings.append(f"{count} seed{'s' * (count > 1)} only; use 3 or more before you believe a difference.")
    few = [f"{name} ({count})" for name, count in numbers.pieces.items() if count < FEW_PIECES]
    if few:
        few_pieces = f"Fewer than {FEW_PIECES} test pieces: {', '.join(few)}"
        warnings.append(f"{few_pieces}; little can be told of these classes alone.")
    return tuple(warnings)
