"""coigan-aug inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.workspace import AS_JSON, QUIET, WORKSPACE, Workspace


def inspect_command(
    path: Optional[Path] = typer.Argument(None, help="A data set's folder. Default: the workspace's."),
    strict: bool = typer.Option(
        False, "--strict", help="Exit with 6 where the split leaks. Default: say so, exit with 0."
    ),
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Show what a data set holds, and look in the pixels whether test images have siblings in train.

    Example: coigan-aug inspect
    """
    from coigan_aug.cli.inspect_body import inspect_here

    inspect_here(path or Workspace(workspace).dataset, strict=strict, as_json=as_json, quiet=quiet)
