"""What `coigan-aug convert` does once NumPy is loaded: convert, say what was made and what got lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from coigan_aug.cli.steps import steps
from coigan_aug.formats.converting import Conversion, WriteOptions, convert
from coigan_aug.formats.source import ReadOptions
from coigan_aug.progress import say

_SHOWN = 3


def convert_here(
    source: Path, out: Path, *, to: str, format: str | None, options: ReadOptions, style: WriteOptions,
    image_files: str | None, strict: bool, overwrite: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Convert, as the options of `coigan-aug convert` say."""
    with steps(quiet=quiet) as begin:
        made = convert(
            source, out, to=to, format=format, options=options, style=style,
            image_files=image_files or ("none" if options.size else "copy"), strict=strict, overwrite=overwrite,
            progress=begin, say=lambda text: say(f"Format: {text}", quiet=quiet),
        )  # fmt: skip
    for line in _lines(made, style):
        say(line, quiet=quiet)
    if as_json:
        print(json.dumps(made.to_dict(), ensure_ascii=False))


def _lines(made: Conversion, style: WriteOptions) -> Iterator[str]:
    yield f"{made.images:,} images ({made.defect_free:,} free of defects), {made.masks:,} masks -> {made.annotations}"
    if style.polygons is not None:
        other = "cv2.fillPoly draws" if style.polygons == "pycocotools" else "pycocotools draws"
        change = "larger" if style.polygons == "pycocotools" else "smaller"
        yield f"The polygons are for {style.polygons}, exact to the pixel; {other} them {change} by a pixel's edge."
    if made.split_lost:
        yield f"The split into train and test is not written: {made.to} does not say it."
    if made.losses:
        yield f"What {made.to} could not hold:"
        yield from (f"  {loss}" for loss in made.losses)
    if made.notes:
        yield f"What {made.to} has no place for (it tells images and classes apart without):"
        yield from (f"  {note}" for note in made.notes)
    if made.problems:
        yield f"{len(made.problems):,} problem{'s' * (len(made.problems) > 1)} in the source:"
        yield from (f"  {problem}" for problem in made.problems[:_SHOWN])
        if len(made.problems) > _SHOWN:
            yield f"  ... and {len(made.problems) - _SHOWN:,} more (all with --json)"
