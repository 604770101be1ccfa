"""coigan-aug merge."""

from __future__ import annotations

from pathlib import Path

import typer

from coigan_aug.cli.environment import check_torch
from coigan_aug.cli.workspace import AS_JSON, QUIET, WORKSPACE, Workspace


def merge_command(
    folders: list[Path] = typer.Argument(..., metavar="FOLDER...", help="Output folders of synthesize --shard I/N."),
    out: Path = typer.Option(..., "--out", help="Folder for the whole set; may be one of them."),
    workspace: Path = WORKSPACE,
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Put shares of one synthesis, made in folders of their own, together to one set: the same files as made at once.

    Shares that were made into one --out need no merging: whoever makes the last one finishes the set.

    Example: coigan-aug merge share1/ share2/ --out coco/
    """
    check_torch()
    from coigan_aug.cli.synthesize_body import show_made
    from coigan_aug.store.dataset import Dataset
    from coigan_aug.synthesis.merging import merge
    from coigan_aug.synthesis.parts import ALONE

    here = Workspace(workspace)
    made = merge(folders, out, records=here.synthetic / out.resolve().name, dataset=Dataset(here.dataset))
    show_made(made, out, here, shard=ALONE, as_json=as_json, quiet=quiet)
