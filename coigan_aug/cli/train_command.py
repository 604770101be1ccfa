"""coigan-aug train."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import CONFIG, QUIET, SETTINGS, WORKSPACE, Workspace, command_line, settings_file
from coigan_aug.errors import UsageError


def count_of(text: str | None) -> int | None:
    """Read a count such as 16000, 200k or 1.5M.

    >>> count_of("200k")
    200000

    Raises:
        UsageError: it is not a count above 0.
    """
    if text is None:
        return None
    factor = {"k": 1_000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    try:
        value = round(float(text[:-1] if factor > 1 else text) * factor)
    except ValueError:
        value = 0
    if value < 1:
        raise UsageError(f"--images-seen {text} is not a count.", remedy="Write it as 16000, 200k or 1.5M.")
    return value


def train_command(
    recipe: str = typer.Option("default", help="tiny (CPU), default (GPU, 256 px) or coigan (the thesis' model)."),
    gpus: Optional[int] = typer.Option(
        None, min=0, help="GPUs to train on; 0 is the CPU. Default: 1 where there is one."
    ),
    device: Optional[str] = typer.Option(None, help="cpu, cuda or cuda:N. Default: the GPU where there is one."),
    images_seen: Optional[str] = typer.Option(None, help="Length in samples, such as 200k. Default: the recipe's."),
    minutes: Optional[float] = typer.Option(None, min=0.01, help="Stop after so many minutes. Default: no limit."),
    seed: Optional[int] = typer.Option(None, help="Seed of everything random. Default: 7."),
    resume: bool = typer.Option(False, "--resume", help="Continue the newest run with its own settings."),
    init_from: Optional[str] = typer.Option(
        None, help="Begin with the weights of another run (name or number) or generator file, as far as they fit."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show plan, memory and time, measured on 3 real steps."),
    perceptual_weights: Optional[Path] = typer.Option(None, help="Weight file of the perceptual features."),
    overrides: list[str] = SETTINGS,
    config: Optional[Path] = CONFIG,
    workspace: Path = WORKSPACE,
    quiet: bool = QUIET,
) -> None:
    """Train the generator on the imported data set.

    The same command continues a run that was stopped.

    Example: coigan-aug train --recipe tiny
    """
    check_torch()
    from coigan_aug.cli.train_body import train_here

    flags = {"train.seed": seed, "train.images": count_of(images_seen)}
    train_here(
        Workspace(workspace),
        recipe=recipe,
        gpus=gpus,
        device_name=device,
        flags={name: value for name, value in flags.items() if value is not None},
        minutes=minutes,
        resume=resume,
        init_from=init_from,
        dry_run=dry_run,
        perceptual_weights=perceptual_weights,
        overrides=overrides,
        config=settings_file(config),
        quiet=quiet,
        command=command_line(),
    )
