"""The stage report: what a workspace holds as one HTML file."""

from __future__ import annotations

from pathlib import Path

from coigan_aug.errors import DataError
from coigan_aug.folders import Folders
from coigan_aug.report.writing import Written, write_report
from coigan_aug.stages.asks import ReportAsk


def report(workspace: Folders, ask: ReportAsk, *, command: str = "") -> Written:
    """Write data, training, samples and measurements of a workspace to one HTML file that refers to nothing outside.

    Raises:
        DataError: there is no workspace, or a file in it is damaged.
    """
    if not workspace.root.is_dir():
        raise DataError(f"{workspace.root} is no folder.", remedy="Make a workspace with: coigan-aug import YOUR.csv")
    return write_report(
        Path(ask.out) if ask.out is not None else workspace.root / "report.html", dataset=workspace.dataset,
        runs=workspace.runs, synthetic=workspace.synthetic, results=workspace.results, command=command or ask.command(),
    )  # fmt: skip
