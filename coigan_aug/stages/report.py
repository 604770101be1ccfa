"""The stage report: what a workspace holds as one HTML file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.report.contents import compose
from coigan_aug.report.gather import gather
from coigan_aug.report.html import render
from coigan_aug.report.missing import Missing, missing_of
from coigan_aug.stages.asks import ReportAsk
from coigan_aug.store.accepting import accept


@dataclass(frozen=True)
class Written:
    """Where a report lies, its size, and what has nothing to show yet."""

    path: Path
    bytes: int
    missing: tuple[Missing, ...]


def write_report(path: Path, workspace: Folders, *, command: str) -> Written:
    """Write what a workspace holds as one HTML file; any of its folders may be missing.

    Raises:
        DataError: a file in them is damaged.
    """
    contents = compose(gather(workspace), command=command)
    page = render(contents, made=datetime.now()).encode()
    write_bytes(path, page)
    return Written(path, len(page), tuple(missing_of(contents)))


def report(workspace: Folders, ask: ReportAsk, *, talk: Talk = SILENT, command: str = "") -> Written:
    """Write data, training, samples and measurements of a workspace to one HTML file that refers to nothing outside.

    Raises:
        DataError: there is no workspace, or a file in it is damaged.
    """
    if not workspace.root.is_dir():
        raise DataError(f"{workspace.root} is no folder.", remedy="Make a workspace with: coigan-aug import YOUR.csv")
    accept(None, workspace, talk, asked=ask.accept_changes)
    path = Path(ask.out) if ask.out is not None else workspace.root / "report.html"
    return write_report(path, workspace, command=command or ask.command())
