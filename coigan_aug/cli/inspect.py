"""coigan-aug inspect, and what it says of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.progress import say
from coigan_aug.stages.asks import InspectAsk

if TYPE_CHECKING:
    from coigan_aug.data.inspecting import Inspection

_SHOWN = 3


def inspect(ask: InspectAsk, here: Here) -> None:
    """Show what a data set holds and what is wrong or odd in it, in the terminal and as one HTML page.

    Any annotations can be inspected before they are imported. Whether test images have siblings in train is looked up
    in the pixels.

    Example: coigan-aug inspect
    """
    with here.talk.step("loading"):
        from coigan_aug.stages.inspect import inspect as stage

    def found(inspection: Inspection) -> None:
        if not here.talk.quiet:
            show(inspection)
        if here.as_json:
            print(json.dumps(inspection.to_dict(), ensure_ascii=False))

    stage(here.workspace, ask, talk=here.talk, show=found)


inspect_command = command(InspectAsk, inspect, shared=LONG, torch=False)


def show(inspection: Inspection) -> None:
    """Print what an inspection found, on stderr."""
    from rich.console import Console

    from coigan_aug.cli.class_table import class_table, shape_table

    console = Console(stderr=True)
    say(inspection.description)
    console.print(class_table(inspection))
    console.print(shape_table(inspection))
    for line in (*_image_lines(inspection), *_split_lines(inspection), *_finding_lines(inspection)):
        say(line)


def _image_lines(inspection: Inspection) -> Iterator[str]:
    from coigan_aug.cli.class_table import unknown_lines, void_lines

    yield f"{inspection.defect_free:,} images are free of defects"
    yield from unknown_lines(inspection.unknown)
    yield from void_lines(inspection.void)
    looks = inspection.looks
    if looks.distinct == 1:
        yield f"All images are {looks.sizes[0][0]} px (height x width)."
    elif looks.distinct:
        sides = " x ".join(f"{side[0]:.0f}-{side[-1]:.0f}" for side in (looks.heights, looks.widths))
        yield f"Images are {sides} px (height x width), of {looks.distinct:,} sizes."
    if looks.brightness:
        low, middle, high = (looks.brightness[k] for k in (1, 3, 5))
        yield f"Their mean brightness is {low:.0f} to {high:.0f} of 255 (5 to 95 %), the median {middle:.0f}."
    if inspection.near_duplicates:
        together = sum(map(len, inspection.near_duplicates))
        yield f"{len(inspection.near_duplicates):,} groups of images show one piece each ({together:,} images), by their looks."


def _split_lines(inspection: Inspection) -> Iterator[str]:
    from coigan_aug.stages.inspect import without_leak

    state = inspection.split
    if state is None:
        return
    if not inspection.test:
        yield "There are no test images: nothing can be measured on this data set."
        return
    if state.wanted is not None and state.deviation is not None:
        yield f"In train: {state.wanted:.1%} of each class' objects, give or take {100 * state.deviation:.1f} points."
    if state.folds:
        sizes = ", ".join(f"{fold.images:,}" for fold in state.folds)
        yield f"{len(state.folds)} folds of {sizes} images, each class within {100 * state.fold_deviation:.1f} points."
    if inspection.leakage == 0:
        yield "No test image has a photograph of the same piece in train, as far as the pixels tell."
    else:
        yield (
            f"LEAK: {inspection.leakage:.1%} of the test images ({inspection.defective_leakage:.1%} of those with a defect)"
            " show a piece that is in train too."
        )
        yield "  A score measured on this split is inflated. " + without_leak(inspection.path)


def _finding_lines(inspection: Inspection) -> Iterator[str]:
    from coigan_aug.data.findings import KINDS, by_kind

    odd = len(inspection.findings) - inspection.errors
    errors = f"{inspection.errors:,} error{'s' * (inspection.errors != 1)}"
    yield f"{errors}, {odd:,} thing{'s' * (odd != 1)} to look at" if inspection.findings else "Nothing is wrong or odd."
    for kind, error, findings in by_kind(inspection.findings):
        yield f"{'ERROR  ' if error else ''}{KINDS[kind]}: {len(findings):,}"
        yield from (f"  {item}" for item in findings[:_SHOWN])
        if len(findings) > _SHOWN:
            yield f"  ... and {len(findings) - _SHOWN:,} more (--json lists them)"
