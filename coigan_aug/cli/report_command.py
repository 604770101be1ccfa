"""coigan-aug report."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import AS_JSON, QUIET, WORKSPACE, Workspace, command_line


def report_command(
    out: Optional[Path] = typer.Option(None, "--out", help="File to write. Default: report.html in the workspace."),
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Put data, training, samples and measurements of the workspace into one HTML file that opens anywhere.

    It refers to nothing outside itself. A part that is not there yet says which command makes it.

    Example: coigan-aug report --out report.html
    """
    check_torch()
    from coigan_aug.cli.report_body import report_here

    report_here(Workspace(workspace), out=out, as_json=as_json, quiet=quiet, command=command_line())
