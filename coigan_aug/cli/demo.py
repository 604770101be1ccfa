"""coigan-aug demo."""

from __future__ import annotations

from coigan_aug.cli.options import QUIET, Here, command
from coigan_aug.demo.ask import DemoAsk


def demo(ask: DemoAsk, here: Here) -> None:
    """Show the whole job on made-up steel strips: make them, import, synthesize, write COCO.

    Example: coigan-aug demo --train
    """
    from coigan_aug.demo.demo import run_demo

    run_demo(ask, talk=here.talk, command=here.command)


demo_command = command(DemoAsk, demo, shared=QUIET)
