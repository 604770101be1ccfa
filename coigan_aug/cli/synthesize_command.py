"""coigan-aug synthesize."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import AS_JSON, CONFIG, QUIET, SETTINGS, WORKSPACE, Workspace, command_line, settings_file
from coigan_aug.formats.names import NAMES


def synthesize_command(
    out: Path = typer.Option(
        ...,
        "--out",
        help="Folder for images, annotations, preview, plan and card; with --image a file, such as made.png.",
    ),
    per_class: Optional[str] = typer.Option(
        None,
        "--per-class",
        metavar="N | CLASS=N,...",
        help="Defects to make of each class: 500, or crack=800,fray=200.",
    ),
    balance: bool = typer.Option(
        False, "--balance", help="Bring every class up to the largest one's number of objects."
    ),
    plan: Optional[Path] = typer.Option(
        None,
        "--plan",
        metavar="FILE",
        help="Make this plan: the plan.jsonl of --dry-run or of a finished set, edited or not.",
    ),
    defects_per_image: Optional[str] = typer.Option(
        None,
        "--defects-per-image",
        metavar="N | N-M | SHARES",
        help="2, 1-3, or shares of images with 1, 2, ...: 0.7,0.3. Default: as in the training images.",
    ),
    engine: str = typer.Option(
        "auto",
        help="gan; copies: transplant (an image's defects in their own place), paste (brightness matched), poisson (cloned);"
        " auto: what evaluate benefit found best for each class, else gan.",
    ),
    run: Optional[str] = typer.Option(None, help="Run to draw with: its name or number. Default: the newest."),
    format_: str = typer.Option("coco", "--format", help=f"{', '.join(NAMES)}, or source (as imported)."),
    image_format: str = typer.Option(
        "png", help="png, or jpeg at the quality of each base image (95 where it has none)."
    ),
    windows: bool = typer.Option(False, "--windows", help="Make windows of the training size instead of whole images."),
    bases: str = typer.Option(
        "clean",
        help="What is drawn on: clean (defect-free images), erased (training images whose defects are erased) or both.",
    ),
    shapes: Optional[str] = typer.Option(
        None,
        help="Kinds of shapes, each as often: real, warped, recombined, learned; several by commas. Default: real.",
    ),
    roi: Optional[Path] = typer.Option(
        None,
        "--roi",
        metavar="MASKS",
        help="Where defects may go: one mask image, or a folder of masks named like the images.",
    ),
    screen: bool = typer.Option(True, "--screen/--no-screen", help="Reject and replace what is no good. Default: yes."),
    with_real: bool = typer.Option(
        False,
        "--with-real",
        help="Put the real training images beside; at most 35 % of those with defects are synthetic.",
    ),
    append: bool = typer.Option(False, "--append", help="Add to the finished set that --out holds."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace the set that --out holds; other files stay."),
    gpus: Optional[int] = typer.Option(
        None, min=0, help="GPUs to draw on; 0 is the CPU. Default: 1 where there is one."
    ),
    shard: Optional[str] = typer.Option(
        None,
        metavar="I/N",
        help="Make share I of N only; whoever makes the last one of an --out finishes it. See merge.",
    ),
    image: Optional[Path] = typer.Option(None, "--image", help="Single shot: draw on this image."),
    masks: list[Path] = typer.Option(
        [], "--mask", help="Single shot: a mask image (not 0: the defect). May be repeated."
    ),
    classes: list[str] = typer.Option([], "--class", help="Single shot: the class of each --mask."),
    contrasts: list[float] = typer.Option(
        [],
        "--contrast",
        help="Single shot: how much brighter than round it each is, -1..2. Default: the class's median.",
    ),
    seed: Optional[int] = typer.Option(None, help="Seed of plan and noise; with --image of the noise. Default: 1."),
    device: Optional[str] = typer.Option(None, help="cpu, cuda or cuda:N. Default: the GPU where there is one."),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Plan only: write OUT/plan.jsonl and say what would be made."
    ),
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
    if image is not None:
        from coigan_aug.cli.single_shot_body import draw_here

        draw_here(
            Workspace(workspace), image=image, masks=masks, classes=classes, contrasts=contrasts, seed=seed, out=out,
            overwrite=overwrite, run_name=run, device_name=device, overrides=overrides, config=settings_file(config),
            as_json=as_json, quiet=quiet,
        )  # fmt: skip
        return
    from coigan_aug.cli.synthesize_body import Wanted, synthesize_here

    wanted = Wanted(
        out=out, per_class=per_class, balance=balance, plan=plan, defects_per_image=defects_per_image, engine=engine,
        shapes=shapes, roi=roi,
        format=format_, image_format=image_format, windows=windows, bases=bases, screen=screen, with_real=with_real,
        append=append, overwrite=overwrite, gpus=gpus, shard=shard, dry_run=dry_run,
    )  # fmt: skip
    flags = {} if seed is None else {"synthesize.seed": seed}
    command = command_line(without=("--shard", "--gpus", "--device", "--workspace"), alone=("--quiet", "--json"))
    synthesize_here(
        Workspace(workspace), wanted, run_name=run, flags=flags, device_name=device, overrides=overrides,
        config=settings_file(config), as_json=as_json, quiet=quiet, command=command,
    )  # fmt: skip
