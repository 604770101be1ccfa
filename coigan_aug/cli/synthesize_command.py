"""coigan-aug synthesize."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import AS_JSON, CONFIG, QUIET, SETTINGS, WORKSPACE, Workspace, command_line, settings_file


def synthesize_command(
    out: Path = typer.Option(..., "--out", help="Folder for images, annotations, preview.png and card.json."),
    per_class: int = typer.Option(..., "--per-class", min=1, help="Defects of each class to make."),
    engine: str = typer.Option(
        "gan",
        help="gan; or copies of training objects in the same places: paste (brightness matched), poisson (cloned).",
    ),
    run: Optional[str] = typer.Option(None, help="Run to draw with: its name or number. Default: the newest."),
    format_: str = typer.Option(
        "coco", "--format", help="coco, severstal, line-json, mask-folder, or source (as imported)."
    ),
    windows: bool = typer.Option(False, "--windows", help="Make windows of the training size instead of whole images."),
    bases: str = typer.Option(
        "clean",
        help="What is drawn on: clean (defect-free images), erased (training images whose defects are erased) or both.",
    ),
    seed: Optional[int] = typer.Option(None, help="Seed of plan and noise. Default: 1."),
    device: Optional[str] = typer.Option(None, help="cpu, cuda or cuda:N. Default: the GPU where there is one."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace what --out holds."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Plan only: say how many images and defects would be made."),
    overrides: list[str] = SETTINGS,
    config: Optional[Path] = CONFIG,
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Make synthetic defect images with exact masks.

    The same command continues one that was killed. Outside the masks' margin every byte is the base image's.

    Example: coigan-aug synthesize --per-class 500 --out coco/
    """
    check_torch()
    from coigan_aug.cli.synthesize_body import synthesize_here

    synthesize_here(
        Workspace(workspace),
        out=out,
        per_class=per_class,
        engine_name=engine,
        run_name=run,
        format_name=format_,
        windows=windows,
        bases=bases,
        flags={} if seed is None else {"synthesize.seed": seed},
        device_name=device,
        overwrite=overwrite,
        dry_run=dry_run,
        overrides=overrides,
        config=settings_file(config),
        as_json=as_json,
        quiet=quiet,
        command=command_line(),
    )
