"""coigan-aug import, and what it says of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.progress import say
from coigan_aug.stages.asks import ImportAsk

if TYPE_CHECKING:
    from coigan_aug.data.importing import ImportReport

_SHOWN = 3


def import_data(ask: ImportAsk, here: Here) -> None:
    """Read a team's annotations and images into the workspace, and split them into train and test.

    Images stay where they are (but for --value-range, which copies them into the workspace).

    Example: coigan-aug import severstal.csv --images train_images
    """
    with here.talk.step("loading"):
        from coigan_aug.stages.import_data import import_data as stage

    report = stage(here.workspace, ask, talk=here.talk, command=here.command)
    if not here.talk.quiet:
        show(report)
        say(next_step(here.workspace, "inspect", "train"))
        if report.folds:
            first = here.workspace.fold(1).root
            say(f"A workspace for each: {first} ... coigan-aug evaluate benefit --folds tests every piece once")
    if here.as_json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))


import_command = command(ImportAsk, import_data, shared=LONG, torch=False)


def show(report: ImportReport) -> None:
    """Print what an import made, on stderr."""
    from rich.console import Console

    from coigan_aug.cli.class_table import class_table

    Console(stderr=True).print(class_table(report))
    for line in _lines(report):
        say(line)


def _lines(report: ImportReport) -> Iterator[str]:
    from coigan_aug.cli.class_table import unknown_lines, void_lines
    from coigan_aug.data.grouping import NEAR_DUPLICATES
    from coigan_aug.data.importing import REPORT

    yield f"{report.defect_free:,} images are free of defects"
    yield from unknown_lines(report.unknown)
    yield from void_lines(report.void)
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
        yield "No image is free of defects: what is drawn on is training images with their own defects erased."
        yield "  Defect-free images of the same surface are better; add them if you have some."


def _split_lines(report: ImportReport) -> Iterator[str]:
    from coigan_aug.data.folds import FOLDS

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
