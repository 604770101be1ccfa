"""coigan-aug evaluate quality."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import AS_JSON, CONFIG, QUIET, SETTINGS, WORKSPACE, Workspace, command_line, settings_file


def evaluate_quality_command(
    synthetic: Optional[str] = typer.Option(
        None, metavar="NAME|FOLDER", help="Synthetic set: its name, or the folder given as --out. Default: the newest."
    ),
    features: Optional[str] = typer.Option(
        None,
        help="Feature spaces: efficientnet_lite0 (no download), inception (papers' figures), or both with a comma."
        " Default: efficientnet_lite0; for the thesis' protocol inception.",
    ),
    inception_weights: Optional[Path] = typer.Option(
        None, help="Weight file of Inception. Default: downloaded, 96 MB."
    ),
    protocol: str = typer.Option("default", help="default, or thesis: FID of tiles only, as its section 4.5."),
    images: Optional[int] = typer.Option(
        None, min=2, help="Tiles a side, for the thesis' protocol. Default: 40,000, as it has."
    ),
    device: Optional[str] = typer.Option(None, help="cpu, cuda or cuda:N. Default: the GPU where there is one."),
    overrides: list[str] = SETTINGS,
    config: Optional[Path] = CONFIG,
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Measure how far synthetic images are from real ones, beside how far real train and test images are apart.

    Example: coigan-aug evaluate quality
    """
    check_torch()
    from coigan_aug.cli.evaluate_quality_body import evaluate_quality_here

    evaluate_quality_here(
        Workspace(workspace),
        synthetic_name=synthetic,
        features=features,
        inception_weights=inception_weights,
        protocol=protocol,
        images=images,
        device_name=device,
        overrides=overrides,
        config=settings_file(config),
        as_json=as_json,
        quiet=quiet,
        command=command_line(),
    )
