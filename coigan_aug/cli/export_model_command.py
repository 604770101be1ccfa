"""coigan-aug export-model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import AS_JSON, QUIET, WORKSPACE, Workspace
from coigan_aug.errors import UsageError


def size_of(text: str | None) -> tuple[int, int] | None:
    """Read height and width such as 256 or 256x1600, px.

    >>> size_of("256x1600")
    (256, 1600)

    Raises:
        UsageError: it is no size.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text.strip().lower(), re.ASCII)
    if match is None:
        raise UsageError(f"--size {text} is no size.", remedy="Write it as 256, or height x width as 256x1600.")
    return int(match[1]), int(match[2] or match[1])


def export_model_command(
    to: str = typer.Option(
        "onnx",
        help="onnx (for most programs; needs the extra onnx), torchscript (for libtorch; torch calls it outdated, prefer onnx)"
        " or safetensors (weights alone, for coigan-aug and networks of your own). Default: onnx.",
    ),
    out: Optional[Path] = typer.Option(
        None, "--out", help="File to write. Default: export/generator.onnx (.pt, .safetensors) in the run's folder."
    ),
    run: Optional[str] = typer.Option(None, help="Run whose generator: its name or number. Default: the newest."),
    size: Optional[str] = typer.Option(
        None, help="Height x width of the images it will draw on, px: 256 or 256x1600. Default: the training window."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace the file if there is one."),
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Write a trained generator as a file that other programs can load; nothing in it is executed as code.

    The file is read back and compared with the original on random inputs. The meaning of its inputs stands in it.

    Example: coigan-aug export-model --to onnx --out generator.onnx
    """
    check_torch()
    from coigan_aug.cli.export_model_body import export_model_here

    export_model_here(
        Workspace(workspace),
        form=to,
        out=out,
        run_name=run,
        size=size_of(size),
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
    )
