"""What `coigan-aug report` does once its libraries are loaded: write, say what is missing."""

from __future__ import annotations

import json
from pathlib import Path

from coigan_aug.cli.workspace import Workspace
from coigan_aug.errors import DataError
from coigan_aug.progress import say
from coigan_aug.report.html import MISSING, SECTIONS
from coigan_aug.report.writing import write_report


def report_here(workspace: Workspace, *, out: Path | None, as_json: bool, quiet: bool, command: str) -> None:
    """Write the report of a workspace, as the options of `coigan-aug report` say.

    Raises:
        DataError: there is no workspace, or a file in it is damaged.
    """
    if not workspace.root.is_dir():
        raise DataError(f"{workspace.root} is no folder.", remedy="Make a workspace with: coigan-aug import YOUR.csv")
    made = write_report(
        out or workspace.root / "report.html", dataset=workspace.dataset, runs=workspace.runs,
        synthetic=workspace.synthetic, results=workspace.results, command=command,
    )  # fmt: skip
    say(f"report -> {made.path}   ({made.bytes / 1e6:.1f} MB, one file, opens in any browser)", quiet=quiet)
    for command_missing in dict.fromkeys(MISSING[name][1] for name in made.empty):
        names = ", ".join(SECTIONS[name] for name in made.empty if MISSING[name][1] == command_missing)
        say(f"  not there yet: {names}   {command_missing}", quiet=quiet)
    if as_json:
        missing = {name: MISSING[name][1] for name in made.empty}
        print(json.dumps({"report": str(made.path), "bytes": made.bytes, "empty": missing}, ensure_ascii=False))
