"""The stage inspect: what a data set holds and what is wrong or odd in it, and the page that shows it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from coigan_aug.data.inspecting import Inspection, inspect_subject
from coigan_aug.data.opening import opened
from coigan_aug.errors import GateError
from coigan_aug.folders import Folders
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.progress import SILENT, Talk
from coigan_aug.report.inspection import write_inspection
from coigan_aug.stages.asks import InspectAsk
from coigan_aug.stages.reading import read_options
from coigan_aug.store.accepting import accept
from coigan_aug.store.dataset import Dataset

PAGE = "inspect.html"
_ANEW = "Import again without --group-by none, or with --group-by REGEX: coigan-aug import ... --overwrite"


def without_leak(path: Path | None) -> str:
    """Return what keeps images of one piece on one side: of a source that is not imported yet, or of a data set (None)."""
    if path is None or find_dataset(path) is not None:
        return _ANEW
    return f"Import it with: coigan-aug import {shlex.quote(str(path))}   (without --split source: pieces stay together then)"


def inspect(
    workspace: Folders, ask: InspectAsk, *, talk: Talk = SILENT, show: Callable[[Inspection], None] | None = None
) -> Inspection:
    """Inspect the workspace's data set, another Dataset, or a team's annotations, and write the page that shows it.

    Args:
        show: called with what was found before the page is drawn.

    Raises:
        DataError: nothing can be read. GateError: something is wrong or the split leaks, with `ask.strict`.
    """
    options = read_options(ask)
    accept(None if ask.path is None else Path(ask.path), workspace, talk, asked=ask.accept_changes)
    page = Path(ask.html) if ask.html is not None else workspace.root / PAGE if ask.path is None else None
    path = Path(ask.path) if ask.path is not None else Dataset(workspace.dataset).folder
    with ExitStack() as steps, ExitStack() as held:
        begin = steps.enter_context(talk.steps())
        subject = held.enter_context(opened(path, options=options, format=ask.format, progress=begin("reading")))
        cache = workspace.cache if workspace.root.is_dir() else None
        inspection = inspect_subject(subject, least_area=ask.min_area, cache=cache, progress=begin)
        steps.close()
        if show is not None:
            show(inspection)
        if page is not None:
            with talk.step("drawing the page"):
                write_inspection(page, inspection, subject.dataset)
            talk.say(f"page -> {page}   (one file, opens in any browser)")
    if ask.strict and (inspection.errors or inspection.leakage > 0):
        what = f"{inspection.errors:,} {'thing is' if inspection.errors == 1 else 'things are'} wrong"
        leak = f"; {inspection.leakage:.1%} of the test images have a sibling in train" if inspection.leakage else ""
        raise GateError(f"{what}{leak}.", remedy=without_leak(path) if talk.quiet and inspection.leakage else "")
    return inspection
