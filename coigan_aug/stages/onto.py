"""Drawing on another line: what is drawn from, and by which engine where that is left open."""

from __future__ import annotations

import dataclasses
import shlex
import statistics
from pathlib import Path

from coigan_aug.data.joining import put_onto
from coigan_aug.data.lines import open_line
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.choosing import choose_translation
from coigan_aug.evaluation.result import list_results
from coigan_aug.folders import Folders
from coigan_aug.progress import Talk
from coigan_aug.stages.asks import SynthesizeAsk
from coigan_aug.stages.translate import digest_of
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import UNTRAINED
from coigan_aug.translation.lines import find_line

AUTO = "auto"
USUAL, STRETCHED = "transplant", "paste"
"""What draws where nothing was measured: defects in their own place, or, where that would stretch them, as they are."""
MOST_STRETCHED = 1.25


def check_on(ask: SynthesizeAsk) -> None:
    """Refuse to draw on another line's images what is to be drawn on a line's own.

    Raises:
        UsageError: names the other option.
    """
    if ask.on is not None and ask.bases not in (AUTO, "clean"):
        what = f"--bases {ask.bases} are a line's own training images; --on draws on another's defect-free ones."
        raise UsageError(what, remedy="Leave one of them out.")
    if ask.on is not None and ask.with_real:
        raise UsageError(
            "--with-real does not go with --on: real images are of two lines.", remedy="Leave one of them out."
        )


def drawn_from(workspace: Folders, ask: SynthesizeAsk) -> Dataset:
    """Return what is drawn from and on: the workspace's Dataset, or its training defects with another line's clean images.

    Raises:
        DataError: there is no such line, or no image of it is known to be free of defects.
    """
    own = Dataset(workspace.dataset)
    if ask.on is None:
        return own
    other = open_line(Path(ask.on), root=workspace.lines)
    if other.manifest["sha256"] == own.manifest["sha256"]:
        raise DataError(f"{ask.on} is the line itself.", remedy="Leave --on out to draw on its own images.")
    return put_onto(own, own.indices("train"), other, root=workspace.lines)


def settled(workspace: Folders, ask: SynthesizeAsk, dataset: Dataset, talk: Talk) -> SynthesizeAsk:
    """Return the request with the engine that "auto" stands for on another line.

    That is what `evaluate transfer` found best there of those that draw; where nothing was measured, USUAL or STRETCHED.

    Args:
        dataset: what is drawn from and on.
    """
    if ask.on is None or ask.engine != AUTO or ask.vary:
        return ask
    line = find_line(Path(ask.on))
    choice = choose_translation(
        list_results(workspace.results), source=Dataset(workspace.dataset).manifest["sha256"], target=digest_of(line),
        engines=UNTRAINED,
        otherwise=f"Train on your images as they are, or draw anyway with --engine {USUAL}",
    )  # fmt: skip
    if choice is not None:
        talk.say(f"engine  {choice.line}")
        return dataclasses.replace(ask, engine=choice.engine)
    name, why = USUAL, "nothing is measured yet"
    if _stretch(dataset) > MOST_STRETCHED:
        name, why = STRETCHED, f"the other line's images have other proportions; {why}"
    measure = (
        f": coigan-aug evaluate transfer --to {shlex.quote(str(ask.on))}{workspace.option}" if line.dataset else ""
    )
    talk.say(f"engine  {name} ({why}{measure})")
    return dataclasses.replace(ask, engine=name)


def _stretch(dataset: Dataset) -> float:
    """Return by how much the images that are drawn on have other proportions than those with defects: 1 or more."""
    proportions: dict[bool, list[float]] = {True: [], False: []}
    for record in dataset:
        proportions[bool(record.annotations)].append(record.width / record.height)
    ours, theirs = (statistics.median(values) if values else 1.0 for values in proportions.values())
    return max(theirs / ours, ours / theirs)
