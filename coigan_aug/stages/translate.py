"""The stage translate: open the set and the other line, fit the engine, translate, judge, write the set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coigan_aug import __version__
from coigan_aug.asking import leave_out
from coigan_aug.config import detail_settings, load_settings, settings_file
from coigan_aug.errors import DataError, UsageError, meant
from coigan_aug.evaluation.choosing import choose_translation
from coigan_aug.evaluation.result import list_results
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.formats.detect import format_named
from coigan_aug.progress import SILENT, Talk
from coigan_aug.segmenter.real_only import is_kept, real_only_segmenter, segmenter_key
from coigan_aug.settings import Settings
from coigan_aug.stages.evaluate_quality import find_synthetic
from coigan_aug.stages.translate_asks import TranslateAsk
from coigan_aug.store.accepting import accept
from coigan_aug.store.card import Card
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import find_run, list_runs
from coigan_aug.translation.applying import Work, check_free, place_files, translate_all
from coigan_aug.translation.engine import UNTRAINED, Engine, fit
from coigan_aug.translation.finishing import Set, finish, remove_set
from coigan_aug.translation.judging import Judge
from coigan_aug.translation.lines import Line, find_line
from coigan_aug.translation.network import load_translator
from coigan_aug.translation.sight import Sight

AUTO = "auto"
_OF_MACHINE = ("--device", "--workspace")  # no picture depends on them


@dataclass(frozen=True, kw_only=True)
class TranslatedSet:
    """What a translation made in `out`; `records` is the folder of the Dataset that holds its records."""

    out: Path
    records: Path
    card: Card


def translate(workspace: Folders, ask: TranslateAsk, *, talk: Talk = SILENT, command: str = "") -> TranslatedSet:
    """Translate a labelled set to another line's look; the same request goes on where one was stopped.

    Raises:
        UsageError: no such engine or format; `ask.out` holds other work. DataError: there is no such set or line, or no
        image passed the screen. Stopped: Ctrl-C or SIGTERM; what is finished is kept.
    """
    check_engine(ask.engine)
    if ask.format != "source":
        format_named(ask.format)
    command = leave_out(command or ask.command(), options=_OF_MACHINE, alone=("--quiet", "--verbose", "--json"))
    device, out = choose_device(ask.device, gpus=None), Path(ask.out)
    if device.type == "cpu":
        torch.set_num_threads(1)
    accept(Path(ask.source) if find_dataset(Path(ask.source)) else None, workspace, talk, asked=ask.accept_changes)
    dataset, home = _open(workspace, str(ask.source))
    flags = {} if ask.seed is None else {"synthesize.seed": ask.seed}
    settings = load_settings(file=settings_file(ask.config), overrides=ask.overrides, flags=flags)
    detail_settings(settings)
    engine, target = _engine(workspace, ask, dataset, talk)
    positions = [position for position, record in enumerate(dataset) if not record.unknown]
    judge, key = _judge(workspace, home, settings, device, talk) if ask.screen else (Judge(on=False), "")
    form = _format(ask.format, dataset, home)
    place = format_named(form).place_of
    files = {position: place(name) for position, name in place_files(dataset, positions).items()}
    made = settings.synthesize
    work = Work(
        dataset=dataset, engine=engine, judge=judge, out=out, files=files, seed=made.seed, attempts=made.attempts
    )
    identity = identity_of(work) | {"format": form, "segmenter": key}
    about = Set(
        format=form, command=command, records=workspace.records_of(out), source=str(dataset.folder),
        target=target, unknown=len(dataset) - len(positions),
    )  # fmt: skip
    check_free(out, identity, overwrite=ask.overwrite)
    with folder_lock(out):
        check_free(out, identity, overwrite=ask.overwrite)  # another may have finished meanwhile
        if ask.overwrite:
            remove_set(out, files)
        with talk.step("translate") as report:
            rows = translate_all(work, identity, workers=made.workers, report=report)
        with talk.step("write the annotations"):
            card = finish(work, rows, about)
    return TranslatedSet(out=out, records=about.records, card=card)


def identity_of(work: Work) -> dict[str, Any]:
    """Return what the pictures of a translation depend on, as JSON values."""
    return {
        "program": __version__,
        "set": work.dataset.manifest["sha256"],
        "engine": dict(work.engine.about()),
        "seed": work.seed,
        "attempts": work.attempts,
        "screen": work.judge.on,
        "hard": work.judge.hard,
    }


def check_engine(name: str, *, others: Sequence[str] = (AUTO,)) -> None:
    """Refuse an engine that there is not.

    Raises:
        UsageError: it names those that there are.
    """
    known = (*others, *UNTRAINED)
    if name not in known:
        raise UsageError(f"There is no engine {name!r}.{meant(name, known)}", remedy=f"Engines: {', '.join(known)}.")


def _open(workspace: Folders, name: str) -> tuple[Dataset, Dataset]:
    """Return the set and the data set whose line it is of: its own, or that from which it was synthesized."""
    folder = find_dataset(Path(name))
    if folder is not None and not folder.resolve().is_relative_to(workspace.synthetic.resolve()):
        dataset = Dataset(folder)
        return dataset, dataset
    try:
        return find_synthetic(workspace, name), Dataset(workspace.dataset)
    except DataError as error:
        if folder is None and Path(name).exists():
            what = f"{name} is neither a workspace, nor a data set, nor a set that was synthesized here."
            raise DataError(what, remedy=f"Import it first: coigan-aug import {name}") from error
        raise


def _format(name: str, dataset: Dataset, home: Dataset) -> str:
    if name != "source":
        return name
    return str(next((made for d in (dataset, home) if (made := d.manifest["provenance"].get("format"))), "coco"))


def _engine(workspace: Folders, ask: TranslateAsk, dataset: Dataset, talk: Talk) -> tuple[Engine, str]:
    """Return the engine, and the folder or run whose look it gives: a run's network, one of a name, or what was found best."""
    if ask.run is not None:
        if ask.to is not None or ask.engine != AUTO:
            raise UsageError("--run has a look of its own.", remedy="Leave out --to and --engine, or leave out --run.")
        run = find_run(workspace.translators, ask.run)
        return load_translator(run.folder), str(run.folder)
    if ask.to is None:
        raise UsageError("Whose look is to be taken?", remedy="Name the other line: --to B , or a trained --run R")
    line, name = find_line(Path(ask.to)), ask.engine
    if digest_of(line) == dataset.manifest["sha256"]:
        raise UsageError(f"{ask.to} is the set that is translated.", remedy="Name another line with --to.")
    if name == AUTO:
        runs = {run.name: run for run in list_runs(workspace.translators)}
        choice = choose_translation(
            list_results(workspace.results), source=dataset.manifest["sha256"], target=digest_of(line),
            engines=[*UNTRAINED, *runs],
            otherwise="Train on them as they are, or translate anyway with --engine histogram",
        )  # fmt: skip
        name = choice.engine if choice else "histogram"
        measure = f"coigan-aug evaluate transfer --to {line.folder}"
        talk.say(f"engine  {choice.line}" if choice else f"engine  {name} (nothing is measured yet: {measure})")
        if name in runs:
            return load_translator(runs[name].folder), str(line.folder)
    with talk.step("look at the other line") as report:
        return fit(name, line.paths, root=line.root, report=report), str(line.folder)


def digest_of(line: Line) -> str:
    """Name a line in results: the checksum of its data set, else its folder."""
    return str(line.dataset.manifest["sha256"] if line.dataset is not None else line.folder.resolve())


def _judge(
    workspace: Folders, home: Dataset, settings: Settings, device: torch.device, talk: Talk
) -> tuple[Judge, str]:
    """Return the judge, with a segmenter of the line's training images where it has such, and what names that segmenter."""
    hard = settings.synthesize.hard == "reject"
    if not any(home[k].annotations for k in home.indices("train")):
        talk.say(f"{home.folder} has no training images with a defect: no segmenter is asked whether it finds them.")
        return Judge(), ""
    sight = sight_of(workspace, home, settings, device, talk)
    return Judge(finds=sight.finds, hard=hard), segmenter_key(home, settings, device)


def sight_of(workspace: Folders, home: Dataset, settings: Settings, device: torch.device, talk: Talk) -> Sight:
    """Return a segmenter of a line's training images; trained where it is not kept yet."""
    if not is_kept(home, settings, cache_root=workspace.cache, device=device):
        talk.say("To see whether defects are still found, a segmenter of your images is trained first, once.")
    with talk.step("train the segmenter of the set's own line") as report:
        network = real_only_segmenter(home, settings, cache_root=workspace.cache, device=device, report=report)
    return Sight(network, settings.data.scale, home.names, device)
