"""coigan-aug import."""

from __future__ import annotations

from pathlib import Path

import typer

from coigan_aug.cli.workspace import AS_JSON, QUIET, WORKSPACE, Workspace, command_line
from coigan_aug.formats.names import NAMES


def import_dataset_command(
    source: Path = typer.Argument(..., help="Annotation file, or folder of masks."),
    images: Path | None = typer.Option(None, help="Folder of the images. Default: found beside SOURCE."),
    format: str | None = typer.Option(None, help=f"{', '.join(NAMES)}. Default: looked up."),
    classes: str | None = typer.Option(None, help="Class names: a,b,c or a=1,b=2 or a=#ff0000. Default: SOURCE's."),
    group_by: str | None = typer.Option(
        None,
        help="Column of SOURCE, regex over file names (group 1 names the group), or none. "
        "Default: near-duplicates are found.",
    ),
    split: str = typer.Option(
        "0.8",
        metavar="SHARE|source",
        help="Share of the training images, 0-1; --folds needs none. source: the sides that SOURCE names.",
    ),
    folds: int = typer.Option(0, help="Folds of a cross validation, listed in folds.json. Default: none."),
    fold: int = typer.Option(1, help="The fold that is the test set, from 1."),
    seed: int = typer.Option(0, help="Seed of the split and of the folds."),
    clip_rle: bool = typer.Option(False, "--clip-rle", help="Cut runs that leave the image. Default: an error."),
    skip_missing: bool = typer.Option(False, "--skip-missing", help="Leave out missing images. Default: an error."),
    skip_broken: bool = typer.Option(False, "--skip-broken", help="Leave out broken images. Default: an error."),
    value_range: str | None = typer.Option(
        None,
        metavar="LOW,HIGH",
        help="Pixel values that become 0 and 255 in 8-bit copies of images with more bits. Default: an error.",
    ),
    strict: bool = typer.Option(
        False, "--strict", help="Make the first problem an error. Default: problems are noted."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace the data set that is there. Default: refuse."),
    binary: bool = typer.Option(False, "--binary", help="Store packed binary JSON. Default: text."),
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Read a team's annotations and images into the workspace, and split them into train and test.

    Images stay where they are (but for --value-range, which copies them into the workspace).

    Example: coigan-aug import severstal.csv --images train_images
    """
    from coigan_aug.cli.import_body import import_here

    import_here(
        source,
        Workspace(workspace),
        images=images,
        format=format,
        classes=classes,
        group_by=group_by,
        split=split,
        folds=folds,
        fold=fold,
        seed=seed,
        clip_rle=clip_rle,
        skip_missing=skip_missing,
        skip_broken=skip_broken,
        value_range=value_range,
        strict=strict,
        overwrite=overwrite,
        binary=binary,
        as_json=as_json,
        quiet=quiet,
        command=command_line(),
    )
