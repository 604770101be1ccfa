"""coigan-aug demo."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.train_command import count_of
from coigan_aug.cli.workspace import QUIET, command_line


def demo_command(
    out: Path = typer.Option(Path("coigan-demo"), "--out", help="Folder to make. Default: ./coigan-demo"),
    train: bool = typer.Option(False, "--train", help="Train the model here first; about four minutes on two cores."),
    images_seen: Optional[str] = typer.Option(None, help="With --train: length in samples. Default: 5k."),
    per_class: int = typer.Option(6, min=1, help="Defects of each class to make. Default: 6."),
    quiet: bool = QUIET,
) -> None:
    """Show the whole job on made-up steel strips: make them, import, synthesize, write COCO.

    Example: coigan-aug demo --train
    """
    check_torch()
    from coigan_aug.demo.demo import run_demo

    run_demo(
        out, train_here=train, images=count_of(images_seen), per_class=per_class, quiet=quiet, command=command_line()
    )
