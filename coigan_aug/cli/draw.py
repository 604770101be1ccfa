"""coigan-aug draw."""

from __future__ import annotations

import json

from coigan_aug.cli.options import Here, command
from coigan_aug.stages.asks import DrawAsk


def draw(ask: DrawAsk, here: Here) -> None:
    """Draw defects with given masks on one image: the same pixels as in a batch.

    Outside the masks' margin every byte is the image's own.

    Example: coigan-aug draw --image plate.png --mask scratch.png --class scratch --out made.png
    """
    from coigan_aug.stages.draw import draw as stage

    drawn = stage(here.workspace, ask, talk=here.talk)
    here.talk.say(f"{drawn.image}   {drawn.pixels_changed:,} pixels changed, drawn with {drawn.run}, seed {drawn.seed}")
    if here.as_json:
        numbers = {"pixels_changed": drawn.pixels_changed, "seed": drawn.seed, "contrasts": list(drawn.contrasts)}
        print(json.dumps({"image": str(drawn.image)} | numbers))


draw_command = command(DrawAsk, draw)
