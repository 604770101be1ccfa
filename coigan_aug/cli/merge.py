"""coigan-aug merge."""

from __future__ import annotations

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.synthesize import say_made
from coigan_aug.stages.asks import MergeAsk


def merge(ask: MergeAsk, here: Here) -> None:
    """Put shares of one synthesis, made in folders of their own, together to one set: the same files as made at once.

    Shares that were made into one --out need no merging: whoever makes the last one finishes the set.

    Example: coigan-aug merge share1/ share2/ --out coco/
    """
    from coigan_aug.stages.synthesize import merge as stage

    say_made(stage(here.workspace, ask), here)


merge_command = command(MergeAsk, merge)
