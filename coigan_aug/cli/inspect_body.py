"""What `coigan-aug inspect` does once NumPy is loaded: look, say what was seen, write the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from coigan_aug.cli.class_table import class_table, shape_table
from coigan_aug.cli.steps import steps
from coigan_aug.cli.workspace import Workspace
from coigan_aug.data.findings import KINDS, by_kind
from coigan_aug.data.inspecting import Inspection, inspect_subject
from coigan_aug.data.opening import opened
from coigan_aug.errors import GateError
from coigan_aug.formats.source import ReadOptions, parse_classes
from coigan_aug.progress import say
from coigan_aug.report.inspection import write_inspection
from coigan_aug.store.dataset import Dataset

PAGE = "inspect.html"
_SHOWN = 3


def inspect_here(
    path: Path | None, workspace: Workspace, *, images: Path | None, format: str | None, classes: str | None,
    min_area: int, html: Path | None, strict: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Inspect a Dataset or a team's annotations, as the options of `coigan-aug inspect` say.

    Raises:
        GateError: something is wrong or the split leaks, with `strict`.
    """
    options = ReadOptions(images=images, classes=parse_classes(classes) if classes else ())
    page = html or (workspace.root / PAGE if path is None else None)
    subject_path = path or Dataset(workspace.dataset).folder
    with steps(quiet=quiet) as begin, opened(
        subject_path, options=options, format=format, progress=begin("reading")
    ) as subject:  # fmt: skip
        found = inspect_subject(subject, least_area=min_area, progress=begin)
        if not quiet:
            show(found)
        if as_json:
            print(json.dumps(found.to_dict(), ensure_ascii=False))
        if page is not None:
            write_inspection(page, found, subject.dataset)
            say(f"page -> {page}   (one file, opens in any browser)", quiet=quiet)
    if strict and (found.errors or found.leakage > 0):
        what = f"{found.errors:,} {'thing is' if found.errors == 1 else 'things are'} wrong"
        leak = f"; {found.leakage:.1%} of the test images have a sibling in train" if found.leakage else ""
        raise GateError(f"{what}{leak}.", remedy=_ANEW if quiet and found.leakage else "")


_ANEW = "Import again without --group-by none, or with --group-by REGEX: coigan-aug import ... --overwrite"


def show(found: Inspection) -> None:
    """Print what an inspection found, on stderr."""
    console = Console(stderr=True)
    say(found.description)
    console.print(class_table(found))
    console.print(shape_table(found))
    for line in (*_image_lines(found), *_split_lines(found), *_finding_lines(found)):
        say(line)


def _image_lines(found: Inspection) -> Iterator[str]:
    yield f"{found.defect_free:,} images are free of defects"
    looks = found.looks
    if looks.distinct == 1:
        yield f"All images are {looks.sizes[0][0]} px (height x width)."
    elif looks.distinct:
        sides = " x ".join(f"{side[0]:.0f}-{side[-1]:.0f}" for side in (looks.heights, looks.widths))
        yield f"Images are {sides} px (height x width), of {looks.distinct:,} sizes."
    if looks.brightness:
        low, middle, high = (looks.brightness[k] for k in (1, 3, 5))
        yield f"Their mean brightness is {low:.0f} to {high:.0f} of 255 (5 to 95 %), the median {middle:.0f}."
    if found.near_duplicates:
        together = sum(map(len, found.near_duplicates))
        yield f"{len(found.near_duplicates):,} groups of images show one piece each ({together:,} images), by their looks."


def _split_lines(found: Inspection) -> Iterator[str]:
    state = found.split
    if state is None:
        return
    if not found.test:
        yield "There are no test images: nothing can be measured on this data set."
        return
    if state.wanted is not None and state.deviation is not None:
        yield f"In train: {state.wanted:.1%} of each class' objects, give or take {100 * state.deviation:.1f} points."
    if state.folds:
        sizes = ", ".join(f"{fold.images:,}" for fold in state.folds)
        yield f"{len(state.folds)} folds of {sizes} images, each class within {100 * state.fold_deviation:.1f} points."
    if found.leakage == 0:
        yield "No test image has a photograph of the same piece in train, as far as the pixels tell."
    else:
        yield (
            f"LEAK: {found.leakage:.1%} of the test images ({found.defective_leakage:.1%} of those with a defect) show"
            " a piece that is in train too."
        )
        yield "  A score measured on this split is inflated. " + _ANEW


def _finding_lines(found: Inspection) -> Iterator[str]:
    odd = len(found.findings) - found.errors
    errors = f"{found.errors:,} error{'s' * (found.errors != 1)}"
    yield f"{errors}, {odd:,} thing{'s' * (odd != 1)} to look at" if found.findings else "Nothing is wrong or odd."
    for kind, error, own in by_kind(found.findings):
        yield f"{'ERROR  ' if error else ''}{KINDS[kind]}: {len(own):,}"
        yield from (f"  {item}" for item in own[:_SHOWN])
        if len(own) > _SHOWN:
            yield f"  ... and {len(own) - _SHOWN:,} more (--json lists them)"
