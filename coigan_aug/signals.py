"""Ctrl-C and SIGTERM: the first asks to stop after this step, the second stops at once. And helpers end with their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait
from types import FrameType

from coigan_aug.progress import say


class StopRequest:
    """Holds the number of the signal that asked to stop; 0 while none has."""

    def __init__(self, *, patient: bool = False) -> None:
        self.signal_number = 0
        self.patient = patient

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal; give the second back to the system's own handling, unless patient."""
        if self.patient:
            self.signal_number = self.signal_number or number
            return
        self.signal_number = number
        signal.signal(number, signal.SIG_DFL)
        say("stopping after this step (again: abort) ...")


@contextlib.contextmanager
def stop_request(*, patient: bool = False) -> Iterator[StopRequest]:
    """Catch Ctrl-C and SIGTERM inside the block; outside it they act as before.

    A patient one says nothing and takes repeated signals for the first: the processes of a launcher get each signal
    from the terminal and from the launcher, which ends those that take too long.
    """
    request = StopRequest(patient=patient)
    before = {number: signal.signal(number, request.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stop_request_here() -> Iterator[StopRequest]:
    """Do as `stop_request` does in the main thread; in another one, which gets no signal, nothing ever asks to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield StopRequest()
        return
    with stop_request() as request:
        yield request


def end_with_parent() -> None:
    """In a process that multiprocessing began: end at once when the parent is gone, however it went.

    The parent of a pool that is killed can't tell its workers, which would work on for nobody.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
