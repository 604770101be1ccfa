"""One thread that owns the model; of two requests that mean the same the later one takes the earlier one's place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from coigan_aug.errors import CoiganError

MOST_WAITING = 24
Result = TypeVar("Result")
Key = tuple[str, str]


class Superseded(CoiganError):
    """A later request of the same kind has taken this one's place."""


class Busy(CoiganError):
    """More requests wait than would be answered in time."""


@dataclass(frozen=True)
class _Work:
    run: Callable[[], Any]
    future: Future[Any]


class Worker:
    """Runs what it is given, one after the other, in a thread of its own.

    Args:
        begin: called in that thread before anything else.
    """

    def __init__(self, *, begin: Callable[[], None] = lambda: None) -> None:
        self._begin = begin
        self._waiting: dict[Key, _Work] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, key: Key, run: Callable[[], Result]) -> Future[Result]:
        """Do something soon. What waits under the same key is given up: its future ends with `Superseded`.

        Raises:
            Busy: too much waits.
        """
        work = _Work(run, Future())
        with self._changed:
            earlier = self._waiting.pop(key, None)
            if len(self._waiting) >= MOST_WAITING or self._closed:
                raise Busy("The studio has too much to do at the moment.", remedy="Try again in a second.")
            self._waiting[key] = work
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="studio model", daemon=True)
                self._thread.start()
            self._changed.notify()
        if earlier is not None:
            _fail(earlier.future, Superseded("A later request has taken this one's place."))
        return work.future

    def close(self) -> None:
        """Give up what waits and end the thread when it is done with what it does."""
        with self._changed:
            self._closed, waiting = True, list(self._waiting.values())
            self._waiting.clear()
            self._changed.notify()
        for work in waiting:
            _fail(work.future, Superseded("The studio was closed."))
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _work(self) -> None:
        self._begin()
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                work = self._waiting.pop(next(iter(self._waiting)))
            if work.future.set_running_or_notify_cancel():
                try:
                    work.future.set_result(work.run())
                except BaseException as error:  # whatever it is, who asked is told, and the thread lives on
                    work.future.set_exception(error)


def _fail(future: Future[Any], error: Exception) -> None:
    """End a future that nobody runs, unless who asked has gone."""
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
