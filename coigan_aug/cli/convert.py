"""coigan-aug convert, and what it says of a conversion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import AS_JSON, QUIET, VERBOSE
from coigan_aug.stages.asks import ConvertAsk

if TYPE_CHECKING:
    from coigan_aug.formats.converting import Conversion

_SHOWN = 3


def convert(ask: ConvertAsk, here: Here) -> None:
    """Write annotations in another format, and say what it could not hold.

    DST appears when it is whole. What each format holds: examples/formats.md.

    Example: coigan-aug convert severstal.csv coco/ --to coco
    """
    with here.talk.step("loading"):
        from coigan_aug.stages.convert import convert as stage

    made = stage(ask, talk=here.talk)
    for line in _lines(made, ask.polygons):
        here.talk.say(line)
    if here.as_json:
        print(json.dumps(made.to_dict(), ensure_ascii=False))


convert_command = command(ConvertAsk, convert, shared=AS_JSON | QUIET | VERBOSE, torch=False)


def _lines(made: Conversion, polygons: str | None) -> Iterator[str]:
    yield f"{made.images:,} images ({made.defect_free:,} free of defects), {made.masks:,} masks -> {made.annotations}"
    if polygons is not None:
        other = "cv2.fillPoly draws" if polygons == "pycocotools" else "pycocotools draws"
        change = "larger" if polygons == "pycocotools" else "smaller"
        yield f"The polygons are for {polygons}, exact to the pixel; {other} them {change} by a pixel's edge."
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
