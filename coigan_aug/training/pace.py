"""Whether the machine still lets a training use several threads: on a busy one they wait for each other."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

SLOWER = 10.0
"""Times as long as the first ones that steps take before threads are given up. Two threads on two cores that others use,
too, take up to 50 times as long as one."""
SEEN = 3


class Pace:
    """Times steps and goes on with one thread where three in a row take ten times as long as the first three.

    Sums depend on the number of threads in their last bits, so what is trained on such a machine may differ in them.
    """

    def __init__(self, threads: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.threads = threads
        self._clock = clock
        self._last = clock()
        self._first: list[float] = []
        self._slow = 0

    def rest(self) -> None:
        """Leave out what has gone since the last step: it was no step."""
        self._last = self._clock()

    def step(self) -> str:
        """Note that a step is done; return what to say where threads were given up by it, else ""."""
        now = self._clock()
        took, self._last = now - self._last, now
        if self.threads == 1:
            return ""
        if len(self._first) < SEEN:
            self._first.append(took)
            return ""
        self._slow = self._slow + 1 if took > SLOWER * max(self._first) else 0
        if self._slow < SEEN:
            return ""
        before, self.threads = self.threads, 1
        torch.set_num_threads(1)
        return (
            f"Steps take {took / max(self._first):.0f} times as long as the first ones: others use the machine. Going on with"
            f" one thread instead of {before} (--set train.threads=1 begins so)."
        )
