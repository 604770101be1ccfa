"""What `coigan-aug inspect` does once NumPy is loaded: look, say what was seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from coigan_aug.cli.class_table import class_table
from coigan_aug.errors import GateError
from coigan_aug.prepare.inspecting import Inspection, inspect_dataset
from coigan_aug.progress import progress, say
from coigan_aug.store.dataset import Dataset

_SHOWN = 3


def inspect_here(folder: Path, *, strict: bool, as_json: bool, quiet: bool) -> None:
    """Inspect a Dataset, as the options of `coigan-aug inspect` say.

    Raises:
        GateError: the split leaks, with `strict`.
    """
    with progress("looking for near-duplicates", quiet=quiet) as report:
        found = inspect_dataset(Dataset(folder), progress=report)
    if not quiet:
        Console(stderr=True).print(class_table(found))
        for line in _lines(found):
            say(line)
    if as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False))
    if strict and found.leakage > 0:
        raise GateError(
            f"{found.leakage:.1%} of the test images have a sibling in train.", remedy=_ANEW if quiet else ""
        )


_ANEW = "Import again without --group-by none, or with --group-by REGEX: coigan-aug import ... --overwrite"


def _lines(found: Inspection) -> Iterator[str]:
    yield f"{found.defect_free:,} images are free of defects"
    if not found.test:
        yield "There are no test images: nothing can be measured on this data set."
    elif found.leakage == 0:
        yield "No test image has a photograph of the same piece in train, as far as the pixels tell."
    else:
        yield (
            f"LEAK: {found.leakage:.1%} of the test images ({found.defective_leakage:.1%} of those with a defect) show"
            " a piece that is in train too."
        )
        yield "  A score measured on this split is inflated. " + _ANEW
        yield from (f"  {test}  resembles  {train}" for test, train in found.pairs[:_SHOWN])
        if len(found.pairs) > _SHOWN:
            yield f"  ... and {len(found.pairs) - _SHOWN:,} more (--json lists them)"
