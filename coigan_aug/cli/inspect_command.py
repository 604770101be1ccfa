"""coigan-aug inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.workspace import AS_JSON, QUIET, WORKSPACE, Workspace


def inspect_command(
    path: Optional[Path] = typer.Argument(
        None, help="A data set's folder, or annotations in any format that import reads. Default: the workspace's."
    ),
    images: Optional[Path] = typer.Option(None, help="Folder of the images. Default: found beside PATH."),
    format: Optional[str] = typer.Option(None, help="Format of PATH, as for import. Default: looked up."),
    classes: Optional[str] = typer.Option(None, help="Class names, as for import. Default: PATH's own."),
    min_area: int = typer.Option(16, help="Objects of fewer px are called too small."),
    html: Optional[Path] = typer.Option(
        None, help="Page to write. Default: inspect.html in the workspace; none for another PATH."
    ),
    strict: bool = typer.Option(
        False, "--strict", help="Exit with 6 where something is wrong or the split leaks. Default: say so, exit with 0."
    ),
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Show what a data set holds and what is wrong or odd in it, in the terminal and as one HTML page.

    Any annotations can be inspected before they are imported. Whether test images have siblings in train is looked up
    in the pixels.

    Example: coigan-aug inspect
    """
    from coigan_aug.cli.inspect_body import inspect_here

    inspect_here(
        path,
        Workspace(workspace),
        images=images,
        format=format,
        classes=classes,
        min_area=min_area,
        html=html,
        strict=strict,
        as_json=as_json,
        quiet=quiet,
    )
