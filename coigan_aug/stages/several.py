"""One command as several processes of this machine, each on a GPU of its own."""

from __future__ import annotations

import shlex
import sys

from coigan_aug.errors import ProcessFailed


def start_several(command: str, *, count: int, again: str) -> None:
    """Run a command line of ours in `count` processes and wait for them; they say what there is to say.

    Args:
        again: how to continue after a process was killed, for the message.

    Raises:
        ProcessFailed: one failed, having said why. EnvironmentProblem: one was killed.
    """
    from coigan_aug.training.launch import launch  # loads the launcher of torch, which others do without

    words = [sys.executable, "-m", "coigan_aug", *shlex.split(command)[1:]]
    code = launch(words, count=count, again=again)
    if code:
        raise ProcessFailed(code)
