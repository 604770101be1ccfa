"""The stage evaluate transfer: translate a line's images by each engine, hold them against another line's."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from msgspec import structs

from coigan_aug.config import detail_settings, load_settings, settings_file, settings_to_dict
from coigan_aug.data.shared_pieces import shared_pieces
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.arms import REAL, Arm, Bench, evaluated_at
from coigan_aug.evaluation.benefit import run_arms
from coigan_aug.evaluation.numbers import Benefit, Comparison, Images
from coigan_aug.evaluation.result import Result, begin_result, write_result
from coigan_aug.evaluation.summary import Question, summarise
from coigan_aug.evaluation.tally import Tally
from coigan_aug.evaluation.transfer import best_of, measure_distances, some, transfer_verdict
from coigan_aug.evaluation.transfer_numbers import AS_IT_IS, CONTROLS, EngineNumbers, Transfer
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.imaging import read_rgb
from coigan_aug.metrics.features import Lite0
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.progress import SILENT, Talk
from coigan_aug.sealed import read_sealed
from coigan_aug.segmenter.windows import Pool
from coigan_aug.settings import Settings
from coigan_aug.signals import StopRequest, stop_request
from coigan_aug.stages.benches import hold, short_hash
from coigan_aug.stages.transfer_sets import BESIDE, Lines, TransferSet, as_it_is, control, drawn, why_not
from coigan_aug.stages.translate import check_engine, digest_of, identity_of, sight_of
from coigan_aug.stages.translate_asks import TransferAsk
from coigan_aug.store.accepting import accept
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import UNTRAINED
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import find_run
from coigan_aug.translation.applying import START, Work, place_files, translate_all
from coigan_aug.translation.engine import Engine, fit
from coigan_aug.translation.finishing import keep_records, measured, remove_set
from coigan_aug.translation.judging import Judge
from coigan_aug.translation.lines import Line, find_line
from coigan_aug.translation.network import load_translator

TRAININGS = "trainings"
_SEEN = ("flip", "min_area")  # of the data settings: all trainings do
_FREE = ("seeds", "shares", "features", "per_class", "screen_steps")  # none that arms share depends on them


def evaluate_transfer(
    workspace: Folders, ask: TransferAsk, *, talk: Talk = SILENT, command: str = ""
) -> Result[Transfer]:
    """Translate A's images by each engine, say how near they come to B, and test what segmenters trained on them find there.

    Stopped, or asked for more engines or seeds, it does what is missing. What of A shows a piece that B's test images show
    serves nothing.

    Raises:
        UsageError: no such engine; both lines are one. DataError: there is no such line, or nothing is left of A.
        Stopped: Ctrl-C or SIGTERM; what is finished is kept.
    """
    begun, command = time.monotonic(), command or ask.command()
    names = list(dict.fromkeys(name.strip() for name in ask.engines.split(",") if name.strip()))
    for name in names:
        check_engine(name, others=BESIDE)
    flags = {"evaluate.seeds": ask.seeds} if ask.seeds is not None else {}
    settings = load_settings(file=settings_file(ask.config), overrides=ask.overrides, flags=flags)
    device = choose_device(ask.device, gpus=None)
    if device.type == "cpu":
        torch.set_num_threads(1)
    accept(None, workspace, talk, asked=ask.accept_changes)
    lines = _open(workspace, ask, talk)
    names = _possible(names, lines, talk)
    trained = _trained(workspace, ask.runs, lines)
    settings = _following(settings, lines, talk)
    detail_settings(settings)
    measured_on = {
        "from": lines.source.manifest["sha256"], "to": digest_of(lines.other), "from_folder": str(lines.source.folder),
        "to_folder": str(lines.other.folder),
    }  # fmt: skip
    root = workspace.results / TRAININGS / f"transfer-{_key(lines, settings)}"
    with folder_lock(root), stop_request() as stop:
        folder = begin_result(workspace.results, "transfer", measured_on | {"engines": [*names, *trained]})
        engines = {name: _fit(name, lines.other, talk) for name in names if name not in BESIDE} | trained
        judge = _judge(workspace, lines, settings, device, talk)
        sets = [as_it_is(lines)]
        for name in (*names, *trained):
            if name in CONTROLS:
                sets.append(control(name, lines, root=workspace.lines))
            elif name in BESIDE:
                where = root / "drawn"
                sets.append(
                    drawn(name, lines, workspace, settings, out=where, device=device, command=command, talk=talk)
                )
            else:
                sets.append(_translate(name, engines[name], lines, root / "sets" / name, judge, settings, talk))
        with talk.step("compare the images") as report:
            numbers = _compare(lines, sets, folder=root, device=device, report=report)
        if lines.labelled:
            benefit = _train(workspace, lines, sets, settings, root, device, ask.jobs, stop, talk)
            numbers = structs.replace(numbers, benefit=benefit)
        numbers = structs.replace(numbers, best=best_of(numbers), binary=settings.evaluate.binary)
        result = Result(
            kind="transfer",
            verdict=transfer_verdict(numbers),
            command=command,
            measured_on=measured_on,
            settings=settings_to_dict(settings),
            numbers=numbers,
            warnings=_warnings(numbers, trained=list(trained) if lines.learnt else []),
            seconds=time.monotonic() - begun,
        )
        write_result(folder, result)
    return dataclasses.replace(result, folder=folder)


def _open(workspace: Folders, ask: TransferAsk, talk: Talk) -> Lines:
    """Open both lines, and leave out what of A shows a piece that is tested on."""
    folder = workspace.root if ask.source is None else Path(ask.source)
    named = find_dataset(folder)
    if named is None:
        what = f"{folder} holds no data set."
        raise DataError(what, remedy="--from takes a workspace or a data set; make one with: coigan-aug import")
    source, other = Dataset(named), find_line(Path(ask.to))
    theirs = other.dataset
    if theirs is not None and theirs.manifest["sha256"] == source.manifest["sha256"]:
        raise UsageError(f"{ask.to} is the line that is translated.", remedy="Name another one with --to.")
    test = [] if theirs is None else theirs.indices("test")
    positions = sorted([*source.indices("train"), *source.indices("test")])
    shared: list[int] = []
    if theirs is not None and test:
        with talk.steps() as begin:
            shared = shared_pieces(source, positions, theirs, test, progress=begin)
        if shared:
            talk.say(f"{len(shared):,} of {len(positions):,} images show pieces on which is tested; they are left out.")
    gone = set(shared)
    lines = Lines(
        source=source, positions=[k for k in positions if k not in gone], other=other, test=test, left_out=len(shared),
        learnt=sum(source[k].split == "train" for k in shared),
    )  # fmt: skip
    if not any(source[k].annotations for k in lines.training):
        raise DataError(
            f"No training image of {source.folder} with a defect is left that shows other pieces than those tested on.",
            remedy="Import the other line with a smaller test set: --split 0.8 --overwrite",
        )
    return lines


def _following(settings: Settings, lines: Lines, talk: Talk) -> Settings:
    """Measure any defect only, where the lines name other classes."""
    theirs = lines.other.dataset
    if not lines.labelled or theirs is None or theirs.names == lines.source.names:
        return settings
    talk.say("Both lines name other classes: finding any defect is measured, not naming its class.")
    return dataclasses.replace(settings, evaluate=dataclasses.replace(settings.evaluate, binary=True))


def _possible(names: Sequence[str], lines: Lines, talk: Talk) -> list[str]:
    """Return the engines that can be tried, and say of which others why not."""
    reasons = {name: why_not(name, lines) for name in names if name in BESIDE}
    for name, reason in reasons.items():
        if reason:
            talk.say(f"{name} is left out: {reason}.")
    return [name for name in names if not reasons.get(name)]


def _key(lines: Lines, settings: Settings) -> str:
    """Name what all trainings and sets depend on beside their engine and seed."""
    values = settings_to_dict(settings)
    evaluate = {key: value for key, value in values["evaluate"].items() if key not in _FREE}
    seen = {key: values["data"][key] for key in _SEEN}
    sets = [lines.source.manifest["sha256"], digest_of(lines.other), lines.positions]
    return short_hash([evaluate, seen, sets, values["synthesize"]["seed"]])


def _fit(name: str, other: Line, talk: Talk) -> Engine:
    with talk.step(f"look at the other line ({name})") as report:
        return fit(name, other.paths, root=other.root, report=report)


def _trained(workspace: Folders, names: Sequence[str], lines: Lines) -> dict[str, Engine]:
    """Return the networks of runs by the runs' names.

    Raises:
        DataError: there is no such run, or it may have seen images that are tested on.
    """
    engines = {}
    for name in names:
        run = find_run(workspace.translators, name)
        theirs = lines.other.dataset
        seen = theirs and f"{lines.source.manifest['sha256']} {theirs.manifest['sha256']}"
        if lines.labelled and run.start().data != seen:
            what = f"{run.name} was trained on other data or another split; it may have seen images that are tested on."
            again = f"coigan-aug translate train --from {lines.source.folder} --to {lines.other.folder}"
            raise DataError(what, remedy=f"Train again with: {again}")
        engines[run.name] = load_translator(run.folder)
    return engines


def _judge(workspace: Folders, lines: Lines, settings: Settings, device: torch.device, talk: Talk) -> Judge:
    """Reject nothing; without labels of the other line, ask A's own segmenter about A's test images."""
    held = any(lines.source[k].annotations for k in lines.positions if lines.source[k].split == "test")
    if lines.labelled or not held:
        return Judge(on=False)
    return Judge(on=False, finds=sight_of(workspace, lines.source, settings, device, talk).finds, held_only=True)


def _translate(
    name: str, engine: Engine, lines: Lines, out: Path, judge: Judge, settings: Settings, talk: Talk
) -> TransferSet:
    """Translate A's images, as far as they are not kept from before."""
    files = place_files(lines.source, lines.positions)
    work = Work(dataset=lines.source, engine=engine, judge=judge, out=out, files=files, seed=settings.synthesize.seed)
    identity = identity_of(work)
    if (out / START).exists() and read_sealed(out / START) != identity:
        remove_set(out, files)
    with talk.step(f"translate by {name}") as report:
        rows = translate_all(work, identity, workers=settings.synthesize.workers, report=report)
    dataset = keep_records(work, rows, out / "dataset")
    place = {row.position: k for k, row in enumerate(rows)}
    training = [place[k] for k in lines.training]
    return TransferSet(
        name=name, dataset=dataset, training=training, measured=measured(rows), mark=short_hash(identity)
    )


def _compare(lines: Lines, sets: Sequence[TransferSet], *, folder: Path, device: torch.device, report: Any) -> Transfer:
    """Say how near each set comes to the other line: to its test images where it has such, else to all of them."""
    theirs = lines.other.dataset
    if theirs is not None and lines.test:
        chosen = some(lines.test)
        other = (map(theirs.image, chosen), [_piece(theirs, k) for k in chosen])
    else:
        paths = [lines.other.paths[k] for k in some(range(len(lines.other.paths)))]
        other = (map(read_rgb, paths), [str(path) for path in paths])
    shown = {item.name: some(item.training) for item in sets}
    images = {
        item.name: (map(item.dataset.image, shown[item.name]), [_piece(item.dataset, k) for k in shown[item.name]])
        for item in sets
    }
    distances, floor = measure_distances(images, other, folder=folder, device=device, report=report)
    return Transfer(
        engines=[_numbers(item, distances[item.name]) for item in sets],
        best=AS_IT_IS,  # until it is known
        features=Lite0.name,
        floor=floor.kid,
        images=len(shown[AS_IT_IS]),
        other_images=len(other[1]),
        left_out=lines.left_out,
        labelled=lines.labelled,
    )


def _numbers(item: TransferSet, distance: Comparison) -> EngineNumbers:
    return EngineNumbers(
        name=item.name, draws=item.name in UNTRAINED, kid=distance.kid, kid_error=distance.kid_error, **item.measured
    )


def _piece(dataset: Dataset, position: int) -> str:
    record = dataset[position]
    return record.group or record.file


def _train(
    workspace: Folders, lines: Lines, sets: Sequence[TransferSet], settings: Settings, root: Path, device: torch.device,
    jobs: int, stop: StopRequest, talk: Talk,
) -> Benefit:  # fmt: skip
    """Train a segmenter on each set with each seed, and test it on the other line's held-out pieces."""
    theirs, evaluate = lines.other.dataset, settings.evaluate
    assert theirs is not None  # it is labelled
    seen = evaluated_at(settings.data, evaluate)
    test = load_examples(theirs, lines.test, seen, cache_root=workspace.cache)
    seeds = tuple(evaluate.seed + k for k in range(evaluate.seeds))
    arms: list[Arm] = []
    tallies: dict[tuple[str, int, int], Tally] = {}
    for item in sets:
        examples = load_examples(item.dataset, item.training, seen, cache_root=workspace.cache)
        arm = Arm((REAL if item.name == AS_IT_IS else item.name,), 0.0, item.name)
        bench = _bench(examples, test, lines.test, arm, item.mark, settings, root)
        with talk.step(f"train on the images {_by(item.name)}") as report:
            tallies |= run_arms([bench], [arm], seeds, device=device, jobs=jobs, stop=stop, report=report)
        arms.append(arm)
    names = ("defect",) if evaluate.binary else theirs.names
    question = Question(arms=tuple(arms), seeds=seeds, folds=1, names=tuple(names), seed=evaluate.seed)
    defective = sum(bool(theirs[k].annotations) for k in lines.test)
    images = Images(train=len(lines.training), test_defective=defective, test_clean=len(lines.test) - defective)
    numbers = summarise(question, tallies, about=arms[-1].sources[0])
    return structs.replace(numbers, steps=evaluate.steps, images=images)


def _by(name: str) -> str:
    return "as they are" if name == AS_IT_IS else f"by {name}"


def _bench(
    examples: Examples, test: Examples, held_out: Sequence[int], arm: Arm, mark: str, settings: Settings, root: Path
) -> Bench:
    """Return what one arm needs: all its windows are of its own images."""
    evaluate, name = settings.evaluate, arm.sources[0]
    return Bench(
        real=examples,
        held=hold(examples, test, held_out, binary=evaluate.binary),
        added={} if name == REAL else {name: Pool(examples=examples, jitter=evaluate.jitter)},
        settings=settings,
        folder=root,
        marks={name: mark},
    )


def _warnings(numbers: Transfer, *, trained: Sequence[str]) -> tuple[str, ...]:
    """Return what to mind; `trained` are the networks that saw, in training, pieces which are tested on."""
    warnings = []
    if trained:
        what = f"{', '.join(trained)} saw images of the first line (without masks of the other) that show pieces tested on."
        warnings.append(what)
    if numbers.benefit is not None:
        count = len(numbers.benefit.seeds)
        tried = sum(item.name not in (AS_IT_IS, *CONTROLS) for item in numbers.engines)
        if count < 3:
            warnings.append(f"{count} seed{'s' * (count > 1)} only; use 3 or more before you believe a difference.")
        if tried > 1:
            warnings.append(f"The best of {tried} engines was chosen on these very test pieces.")
    moved = [item.name for item in numbers.engines if (item.edges_moved or 0.0) >= 0.5]
    if moved:
        warnings.append(f"Edges of defects moved by half a pixel or more: {', '.join(moved)}.")
    return tuple(warnings)
