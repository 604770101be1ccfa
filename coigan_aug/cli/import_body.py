"""What `coigan-aug import` does once NumPy is loaded: import, say what was made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from coigan_aug.cli.class_table import class_table
from coigan_aug.cli.steps import steps
from coigan_aug.cli.workspace import Workspace
from coigan_aug.data.eight_bits import parse_range
from coigan_aug.data.folds import FOLDS, hold_out
from coigan_aug.data.grouping import NEAR_DUPLICATES
from coigan_aug.data.importing import REPORT, ImportReport, import_dataset
from coigan_aug.errors import UsageError
from coigan_aug.formats.source import ReadOptions, parse_classes
from coigan_aug.progress import say
from coigan_aug.store.dataset import Dataset

_SHOWN = 3


def import_here(
    source: Path, workspace: Workspace, *, images: Path | None, format: str | None, classes: str | None,
    group_by: str | None, split: str, folds: int, fold: int, seed: int, clip_rle: bool, skip_missing: bool,
    skip_broken: bool, value_range: str | None, strict: bool, overwrite: bool, binary: bool, as_json: bool, quiet: bool,
    command: str,
) -> None:  # fmt: skip
    """Import into a workspace, as the options of `coigan-aug import` say."""
    options = ReadOptions(
        images=images,
        classes=parse_classes(classes) if classes else (),
        clip_rle=clip_rle,
        skip_missing=skip_missing,
        skip_broken=skip_broken,
        value_range=parse_range(value_range) if value_range else None,
    )
    with steps(quiet=quiet) as begin:
        report = import_dataset(
            source, workspace.dataset, options=options, format=format, group_by=group_by, split=_share(split), folds=folds,
            fold=fold, seed=seed, strict=strict, overwrite=overwrite, binary=binary, command=command, progress=begin,
            say=lambda text: say(f"Format: {text}", quiet=quiet),
        )  # fmt: skip
    for number in range(1, len(report.folds) + 1):
        hold_out(Dataset(workspace.dataset), number, workspace.fold(number).dataset)
    if not quiet:
        show(report)
        if report.folds:
            say(
                f"A workspace for each: {workspace.fold(1).root} ... coigan-aug evaluate benefit --folds tests every piece once"
            )
    if as_json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))


def _share(text: str) -> float | None:
    if text == "source":
        return None
    try:
        return float(text)
    except ValueError as error:
        remedy = "Write  --split 0.8  or  --split source"
        raise UsageError(f"--split {text} is neither a share nor 'source'.", remedy=remedy) from error


def show(report: ImportReport) -> None:
    """Print what an import made, on stderr."""
    Console(stderr=True).print(class_table(report))
    for line in _lines(report):
        say(line)


def _lines(report: ImportReport) -> Iterator[str]:
    yield f"{report.defect_free:,} images are free of defects"
    if report.problems:
        yield f"{len(report.problems):,} problem{'s' * (len(report.problems) > 1)}, in {report.folder / REPORT}:"
        yield from (f"  {problem}" for problem in report.problems[:_SHOWN])
        if len(report.problems) > _SHOWN:
            yield f"  ... and {len(report.problems) - _SHOWN:,} more"
    if report.groups:
        shares = f"{report.leakage:.0%}; a random split: {report.random_leakage:.0%}"
        kind = " of near-duplicate images" if report.grouping == NEAR_DUPLICATES else ""
        kept = " kept together in the split" if not report.leakage else ""
        yield f"{report.groups:,} group{'s' * (report.groups > 1)}{kind} ({report.grouped:,} images){kept}"
        yield f"  (share of test images with a sibling in train: {shares})"
    elif report.grouping not in (NEAR_DUPLICATES, "none"):
        yield f"No two images share a group by --group-by {report.grouping}: each is split alone."
    yield from _split_lines(report)
    if not report.defect_free:
        yield "No image is free of defects: training needs clean surface to draw on. Add such images if you have some."
    yield "Next: coigan-aug inspect    then    coigan-aug train"


def _split_lines(report: ImportReport) -> Iterator[str]:
    if report.sides:
        sides = ", ".join(f"{name} {count:,}" for name, count in report.sides.items())
        yield f"Sides of the source: {sides}; what is not train is held out"
    if report.leakage:
        yield "The source's split tears groups, which inflates scores. Without --split source they stay together."
    if not report.test:
        return
    clean = "" if report.clean_share is None else f", of the images without defects {report.clean_share:.1%}"
    yield (
        f"In train: of each class {report.wanted:.1%} of the objects, give or take {100 * report.deviation:.1f} points{clean}"
    )
    if report.folds:
        off = f"each class within {100 * report.fold_deviation:.1f} points of an even share"
        yield f"{len(report.folds)} folds, in {report.folder / FOLDS}, {off}; fold {report.fold} is the test set"
