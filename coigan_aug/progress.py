"""Progress for people: a bar on a terminal, a plain line now and then in a log file; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from coigan_aug.errors import plain


class Report(Protocol):
    """What a long piece of work calls: how far it is, of how much, and a word on how it goes."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def silent(done: int, total: int, note: str = "") -> None:
    """Report nothing."""


@contextmanager
def progress(title: str, *, quiet: bool = False, every: float = 60.0) -> Iterator[Report]:
    """Give a `Report` that shows a bar on a terminal and, elsewhere, one plain line every `every` seconds."""
    console = Console(stderr=True)
    if quiet:
        yield silent
    elif console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(title, total=None, note="")
            yield lambda done, total, note="": bar.update(task, completed=done, total=total, note=note)
    else:
        yield _Lines(title, every)


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=console)


@dataclass
class _Lines:
    title: str
    every: float
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    finished: bool = False

    def __call__(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if self.finished or (now - self.last < self.every and done < total):
            return
        self.last, self.finished = now, done >= total
        remaining = (now - self.started) * max(total - done, 0) / max(done, 1)
        line = f"{self.title} {done:,} / {total:,}  {clock(now - self.started)} gone, {clock(remaining)} left  {note}"
        print(line.rstrip(), file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Write a duration as h:mm:ss.

    >>> clock(3725)
    '1:02:05'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def roughly(seconds: float) -> str:
    """Write a duration in words, by its largest unit.

    >>> roughly(5_400_000), roughly(5_400), roughly(100)
    ('62 days', '2 hours', '2 minutes')
    """
    unit, name = next((u, n) for u, n in ((86_400, "day"), (3_600, "hour"), (60, "minute")) if seconds >= u or u == 60)
    count = max(round(seconds / unit), 1)
    return f"{count:,} {name}{'s' * (count > 1)}"


def say(line: str, *, quiet: bool = False) -> None:
    """Say a line to the person, on stderr; signs in it that would steer the terminal are spelled out."""
    if not quiet:
        print(f"  {plain(line)}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Talk:
    """What a stage says to the person while it works; quiet where nothing is said but errors."""

    quiet: bool = True

    def say(self, line: str) -> None:
        """Say a line on stderr."""
        say(line, quiet=self.quiet)

    def step(self, title: str) -> AbstractContextManager[Report]:
        """Show how far a long step is while it lasts."""
        return progress(title, quiet=self.quiet)

    @contextmanager
    def steps(self) -> Iterator[Callable[[str], Report]]:
        """Give a function that begins a step by its title, ending the one before, and returns what reports it."""
        with ExitStack() as stack:

            def begin(title: str) -> Report:
                stack.close()
                return stack.enter_context(self.step(title))

            yield begin


SILENT = Talk(quiet=True)
