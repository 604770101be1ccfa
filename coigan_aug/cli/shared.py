"""The options that commands have beside their request's own, and the log that some of them keep."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from coigan_aug.asking import Ask
from coigan_aug.errors import UsageError
from coigan_aug.folders import DEFAULT, Folders
from coigan_aug.log import begin_log, detail, note
from coigan_aug.progress import tell

Parameters = dict[str, tuple[Any, Any]]  # name -> type, typer's option

_HELP = "Folder that holds data set and runs. Default: ./coigan"
_WORKSPACE = typer.Option(DEFAULT, "--workspace", envvar="COIGAN_WORKSPACE", help=_HELP)
_MORE = "Say more: files, what was kept, settings, seconds of each step. A log in the workspace's logs/ has it always."
WORKSPACE: Parameters = {"workspace": (Path, _WORKSPACE)}
AS_JSON: Parameters = {
    "as_json": (bool, typer.Option(False, "--json", help="One JSON document on stdout; everything else on stderr."))
}
QUIET: Parameters = {"quiet": (bool, typer.Option(False, "--quiet", help="Say nothing but errors."))}
VERBOSE: Parameters = {"verbose": (bool, typer.Option(False, "--verbose", help=_MORE))}
SHORT: Parameters = WORKSPACE | AS_JSON | QUIET
LONG: Parameters = SHORT | VERBOSE
"""Of a command that takes long: it keeps a log."""


def keep_log(name: str, workspace: Folders, typed: Mapping[str, Any]) -> None:
    """Begin the log of a command that keeps one; of several processes the first keeps it.

    Raises:
        UsageError: the command is to say nothing and to say more.
    """
    if "verbose" not in typed or os.environ.get("RANK", "0") != "0":
        return
    if typed["verbose"] and typed["quiet"]:
        raise UsageError("--quiet and --verbose exclude each other.", remedy="Leave one of them out.")
    from coigan_aug import __version__
    from coigan_aug.processors import usable_processors

    begin_log(workspace.logs, name, show=tell if typed["verbose"] else None)
    note(f"coigan-aug {__version__}, Python {sys.version}, {sys.platform}, {usable_processors()} processors")
    note(f"{command_line()}, in {Path.cwd()}")


def detail_request(ask: Ask) -> None:
    """Say in detail what is asked for, defaults as well, but for what is off."""
    values = {field.name: getattr(ask, field.name) for field in fields(ask)}
    off = (None, False, ())
    asked = (f"{name}={value}" for name, value in values.items() if not any(value is nothing for nothing in off))
    detail("request: " + ", ".join(asked))


def command_line() -> str:
    """Return the command as it was typed."""
    return shlex.join(["coigan-aug", *sys.argv[1:]])
