"""The stage import: a team's files become the workspace's data set, and one for each fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from coigan_aug.data.eight_bits import parse_range
from coigan_aug.data.folds import hold_out
from coigan_aug.data.importing import ImportReport, Sharing, import_dataset
from coigan_aug.errors import UsageError
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.stages.asks import ImportAsk
from coigan_aug.stages.reading import read_options
from coigan_aug.store.dataset import Dataset


def import_data(workspace: Folders, ask: ImportAsk, *, talk: Talk = SILENT, command: str = "") -> ImportReport:
    """Read annotations into the workspace's data set, with `import.json` beside it; with folds into a workspace for each.

    Args:
        command: the command line that `import.json` names; the request's own where none is given.

    Raises:
        UsageError: the workspace holds a data set and `ask.overwrite` is off; an option is out of range.
        DataError: the source can't be read, holds no image, or has a problem that no option allows.
    """
    options = replace(
        read_options(ask),
        clip_rle=ask.clip_rle,
        skip_missing=ask.skip_missing,
        skip_broken=ask.skip_broken,
        value_range=parse_range(ask.value_range) if ask.value_range else None,
    )
    sharing = Sharing(split=_share(ask.split), folds=ask.folds, fold=ask.fold, seed=ask.seed)
    report = import_dataset(
        Path(ask.source), workspace.dataset, options=options, format=ask.format, group_by=ask.group_by, sharing=sharing,
        strict=ask.strict, overwrite=ask.overwrite, binary=ask.binary, command=command or ask.command(),
        cache=workspace.cache, talk=talk,
    )  # fmt: skip
    for number in range(1, len(report.folds) + 1):
        hold_out(Dataset(workspace.dataset), number, workspace.fold(number).dataset)
    return report


def _share(split: float | str) -> float | None:
    if split == "source":
        return None
    try:
        return float(split)
    except ValueError as error:
        remedy = "Write  --split 0.8  or  --split source"
        raise UsageError(f"--split {split} is neither a share nor 'source'.", remedy=remedy) from error
