"""coigan-aug evaluate benefit."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import AS_JSON, CONFIG, QUIET, SETTINGS, WORKSPACE, Workspace, command_line, settings_file


def evaluate_benefit_command(
    engines: str = typer.Option(
        "duplicates,transplant,paste,gan",
        help="What is added, an arm each: engines, duplicates, cutmix, empty; a+b mixes, a/negatives adds counterfeits.",
    ),
    arms: list[str] = typer.Option(
        [], "--arm", metavar="NAME=FOLDER", help="One more source: a data set made by synthesize. May be repeated."
    ),
    run: Optional[str] = typer.Option(None, help="Run to draw with: its name or number. Default: the newest."),
    folds: bool = typer.Option(
        False,
        "--folds/--no-folds",
        help="Test every piece once, with a run for each fold of import --folds. Default: no.",
    ),
    seeds: Optional[int] = typer.Option(None, min=1, help="Trainings of each arm, in each fold. Default: 3."),
    minutes: Optional[float] = typer.Option(
        None,
        min=0.01,
        help="Budget for all trainings together; every arm gets the same steps. Default: 2,400 steps each.",
    ),
    jobs: int = typer.Option(1, min=1, help="Trainings at the same time, one thread each. Default: 1."),
    groups_per_class: Optional[int] = typer.Option(
        None,
        min=1,
        help="Small-data mode: so many groups of images of each class, as the run was trained. Default: all.",
    ),
    protocol: str = typer.Option(
        "default",
        help="default, or coigan: the thesis' successor's (binary masks, FCN-ResNet50, 100 epochs, 5,000 tiles).",
    ),
    screen: bool = typer.Option(
        True, "--screen/--no-screen", help="Judge what the engines draw as synthesize does. Default: yes."
    ),
    device: Optional[str] = typer.Option(None, help="cpu, cuda or cuda:N. Default: the GPU where there is one."),
    overrides: list[str] = SETTINGS,
    config: Optional[Path] = CONFIG,
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Train a segmenter with and without synthetic defects and compare on held-out images; says so when nothing is gained.

    Finding and naming a defect are told apart. Stopped, or asked for more arms or seeds, it trains what is missing.

    Example: coigan-aug evaluate benefit --engines duplicates,transplant --seeds 3 --minutes 60
    """
    check_torch()
    from coigan_aug.cli.evaluate_benefit_body import BenefitOptions, benefit_here

    wanted = BenefitOptions(
        engines=engines,
        given=arms,
        run=run,
        folds=folds,
        minutes=minutes,
        jobs=jobs,
        groups_per_class=groups_per_class,
        protocol=protocol,
        screen=screen,
    )
    benefit_here(
        Workspace(workspace),
        wanted,
        flags={"evaluate.seeds": seeds} if seeds is not None else {},
        device_name=device,
        overrides=overrides,
        config=settings_file(config),
        as_json=as_json,
        quiet=quiet,
        command=command_line(),
    )
