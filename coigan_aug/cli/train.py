"""coigan-aug train."""

from __future__ import annotations

from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import QUIET, WORKSPACE, Here, command
from coigan_aug.stages.asks import TrainAsk


def train(ask: TrainAsk, here: Here) -> None:
    """Train the generator on the imported data set.

    The same command continues a run that was stopped.

    Example: coigan-aug train --recipe tiny
    """
    from coigan_aug.stages.train import train as stage

    trained = stage(here.workspace, ask, talk=here.talk, command=here.command)
    if trained is None:
        return
    if trained.run is None:
        here.talk.say(trained.plan)
        return
    best = (
        f"; kept is the generator at {trained.best.images:,} (KID {trained.best.distance:.3f})" if trained.best else ""
    )
    here.talk.say(f"{trained.images:,} images seen{best}. Samples: {trained.run.samples}")
    here.talk.say(next_step(here.workspace, "synthesize --per-class 20 --out synthetic/"))


train_command = command(TrainAsk, train, shared=WORKSPACE | QUIET)
