"""coigan-aug evaluate quality."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.progress import say
from coigan_aug.stages.evaluate_asks import QualityAsk

if TYPE_CHECKING:
    from coigan_aug.evaluation.result import Result


def evaluate_quality(ask: QualityAsk, here: Here) -> None:
    """Measure how far synthetic images are from real ones, beside how far real train and test images are apart.

    Example: coigan-aug evaluate quality
    """
    from coigan_aug.evaluation.result import to_json
    from coigan_aug.stages.evaluate_quality import evaluate_quality as stage

    result = stage(here.workspace, ask, talk=here.talk, command=here.command)
    if not here.talk.quiet:
        show(result)
        say(next_step(here.workspace, "evaluate benefit"))
    if here.as_json:
        print(json.dumps(to_json(result), ensure_ascii=False))


evaluate_quality_command = command(QualityAsk, evaluate_quality, shared=LONG)


def show(result: Result[Any]) -> None:
    """Print what was measured, on stderr."""
    from rich.console import Console

    from coigan_aug.cli.quality_tables import crispness_table, inside_table, space_table
    from coigan_aug.evaluation.numbers import Quality
    from coigan_aug.evaluation.result import RESULT

    console = Console(stderr=True)
    if isinstance(result.numbers, Quality):
        for space in result.numbers.spaces:
            console.print(space_table(space))
        console.print(inside_table(result.numbers))
        if result.numbers.crispness:
            console.print(crispness_table(result.numbers.crispness))
    for text in result.warnings:
        say(f"! {text}")
    say(result.verdict)
    say("   ".join(str(result.folder / name) for name in (RESULT, *(name for _, name in result.pictures))))
