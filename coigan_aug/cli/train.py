"""coigan-aug train."""

from __future__ import annotations

from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.cli.told import tell_training
from coigan_aug.stages.asks import TrainAsk

UNFINISHED = "expect faint or blurred defects, of which the screen rejects many."


def train(ask: TrainAsk, here: Here) -> None:
    """Train the generator on the imported data set.

    The same command continues a run that was stopped.

    Example: coigan-aug train --recipe tiny
    """
    from coigan_aug.stages.train import train as stage

    trained = stage(here.workspace, ask, talk=here.talk, command=here.command)
    if not tell_training(trained, here, kept="generator") or trained is None:
        return
    synthesize = "synthesize --per-class 20 --out synthetic/"
    if trained.ended_early:
        here.talk.say(
            f"That is {trained.images / trained.planned:.0%} of the plan of {trained.planned:,}: {UNFINISHED}"
        )
        here.talk.say(next_step(here.workspace, f"train --resume --minutes {ask.minutes:g}", synthesize))
        return
    here.talk.say(next_step(here.workspace, synthesize))


train_command = command(TrainAsk, train, shared=LONG)
