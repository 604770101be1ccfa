"""coigan-aug translate train."""

from __future__ import annotations

from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.cli.told import tell_training
from coigan_aug.stages.translate_train_ask import TranslateTrainAsk


def translate_train(ask: TranslateTrainAsk, here: Here) -> None:
    """Learn to give images of one line (A) the look of another (B).

    The same command continues a run that was stopped.

    Example: coigan-aug translate train --from line-a/ --to line-b/ --recipe tiny
    """
    from coigan_aug.stages.translate_train import translate_train as stage

    trained = stage(here.workspace, ask, talk=here.talk, command=here.command)
    if tell_training(trained, here, kept="one") and trained is not None and trained.ended_early:
        here.talk.say(f"That is {trained.images / trained.planned:.0%} of the plan of {trained.planned:,}.")
        more = f"translate train --to {ask.to} --resume --minutes {ask.minutes:g}"
        here.talk.say(next_step(here.workspace, more))


translate_train_command = command(TranslateTrainAsk, translate_train, shared=LONG)
