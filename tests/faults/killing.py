"""Commands that are killed: begun, met at work, ended by SIGKILL at a moment drawn from a printed seed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.training.children import Child, begin, command_line, end

SEED = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(10**6)))


def start(*arguments: str, cwd: Path) -> Child:
    """Begin `coigan-aug` with these arguments in a folder."""
    return begin(command_line, *arguments, cwd=cwd, folder=cwd / "said")


def finish(*arguments: str, cwd: Path) -> None:
    """Run it to its end, which must be a good one."""
    [(code, said)] = end([start(*arguments, cwd=cwd)])
    assert code == 0, said


def kill_when(child: Child, ready: Callable[[], object], *, wait: float) -> bool:
    """Kill the child a moment after it has begun to work; tell whether it was still running."""
    while child.runs() and not ready():
        time.sleep(0.01)
    time.sleep(wait)
    child.send(signal.SIGKILL)
    return child.end()[0] == -signal.SIGKILL
