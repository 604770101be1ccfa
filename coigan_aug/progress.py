"""Progress for people: a bar on a terminal, a plain line now and then in a log file; always on stderr."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Timer
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from coigan_aug import log
from coigan_aug.errors import plain


class Report(Protocol):
    """What a long piece of work calls: how far it is, of how much, and a word on how it goes."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def silent(done: int, total: int, note: str = "") -> None:
    """Report nothing."""


def silently(title: str) -> Report:
    """Begin a long step, called by its title, and report nothing of it."""
    return silent


@contextmanager
def progress(title: str, *, quiet: bool = False, every: float = 60.0, most: float | None = None) -> Iterator[Report]:
    """Give a `Report` that shows a bar on a terminal and, elsewhere, one plain line every `every` seconds.

    The bar moves while nothing is counted yet, and while the step works on after what was counted. Elsewhere a step that
    takes longer than two seconds is named then.

    Args:
        most: seconds after which the step ends however far it is.
    """
    console = Console(stderr=True)
    if quiet:
        yield silent
    elif console.is_terminal:
        with _bar(console, title) as bar:
            shown = _Shown(bar, _Pace(time.monotonic(), most))
            yield shown
            shown.end()
    else:
        lines = _Lines(title, every, _Pace(time.monotonic(), most), time.monotonic())
        timer = Timer(_PATIENCE, lines.begin)
        timer.daemon = True
        timer.start()
        try:
            yield lines
        finally:
            timer.cancel()
        lines.end()


_MINUTE = 60.0
_PATIENCE = 2.0  # seconds of a step after which a log says what is being done
_NARROW, _BAR, _SHORT_BAR = 100, 40, 16  # columns of a terminal, and of the bar on one that is wider or narrower
_BESIDE = 46  # columns that counts, times and gaps take beside title and bar
_WHOLE = 1000  # steps of a bar


@dataclass
class _Pace:
    """How far a step is, and by that how long it may still take; what was done before it began counts for nothing."""

    started: float
    most: float | None = None
    first: tuple[int, float] | None = None
    done: int = 0
    total: int = 0

    def note(self, done: int, total: int) -> None:
        """Note how far it is."""
        if self.first is None or total != self.total:  # something else is counted from now on
            self.first = done, time.monotonic()
        self.done, self.total = done, total

    @property
    def gone(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float | None:
        """Seconds that it may still take; None where nobody knows."""
        known = [] if self.most is None else [max(self.most - self.gone, 0.0)]
        if self.first is not None and self.total:
            before, begun = self.first
            if self.done >= self.total:
                known.append(0.0)
            elif self.done > before:
                known.append((time.monotonic() - begun) * (self.total - self.done) / (self.done - before))
        return min(known, default=None)

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1; None where nobody knows, and where all that is counted is done."""
        if not self.total or self.done >= self.total:
            return None
        return max(self.done / self.total, 0.0 if self.most is None else min(self.gone / self.most, 1.0))

    @property
    def counts(self) -> str:
        """What is done of how much, as people write it; "" where nothing is counted yet."""
        return f"{self.done:,} / {self.total:,}" if self.total else f"{self.done:,}" if self.done else ""


@dataclass
class _Shown:
    """What reports to a bar."""

    bar: Progress
    pace: _Pace

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self.pace.note(done, total)
        share, left = self.pace.share, self.pace.left
        own = self.bar.tasks[0].id
        eta = "" if share is None or left is None else f"ETA {lasting(left)}"
        note = _first_words(
            note, self.bar.console.width - _BESIDE - len(self.bar.tasks[0].description) - _width(self.bar)
        )
        self.bar.tasks[0].total = None if share is None else _WHOLE  # rich takes None for "as it is"
        self.bar.update(own, completed=round((share or 0) * _WHOLE), counts=self.pace.counts, eta=eta, note=note)

    def end(self) -> None:
        """Show that it is done."""
        self.bar.update(self.bar.tasks[0].id, total=_WHOLE, completed=_WHOLE, eta="")


def _bar(console: Console, title: str) -> Progress:
    columns = (
        TextColumn("  {task.description}", table_column=Column(no_wrap=True)),
        BarColumn(_SHORT_BAR if console.width < _NARROW else _BAR),
        TextColumn("{task.fields[counts]}", table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[eta]}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True)),
    )
    bar = Progress(*columns, console=console)
    bar.add_task(title, total=None, counts="", eta="", note="")
    return bar


def _width(bar: Progress) -> int:
    return _SHORT_BAR if bar.console.width < _NARROW else _BAR


def _first_words(text: str, room: int) -> str:
    """Return as much as there is room for: parts between double gaps, or words where not even one of these fits.

    >>> _first_words("G 1.83  D 0.71", 12), _first_words("37 rejected: 21 invisible", 12)
    ('G 1.83', '37 rejected:')
    """
    if len(text) <= room:
        return text
    ends = (text.rfind(gap, 0, max(room, 0) + len(gap)) for gap in ("  ", " "))
    return text[: next((end for end in ends if end > 0), 0)]


@dataclass
class _Lines:
    """What reports to a log."""

    title: str
    every: float
    pace: _Pace
    last: float
    begun: bool = False
    finished: bool = False

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self.pace.note(done, total)
        whole, now = 0 < total <= done, time.monotonic()
        if self.finished or (now - self.last < self.every and not whole):
            return
        self.last, self.finished = now, whole
        left = self.pace.left
        rest = f", {lasting(left)} left" if left is not None else ""
        self._say(f"{self.pace.counts}  {clock(self.pace.gone)} gone{rest}  {note}")

    def begin(self) -> None:
        """Say what is being done, unless something was said."""
        if not self.begun:
            self._say(f"{self.pace.counts} ...")

    def end(self) -> None:
        """Say how long it took, where it was named and its end was not."""
        if self.begun and not self.finished:
            self._say(f"{self.pace.counts}  {clock(self.pace.gone)} gone")

    def _say(self, text: str) -> None:
        self.begun = True
        print(" ".join((self.title, text.strip())).rstrip(), file=sys.stderr, flush=True)


@dataclass
class _Noted:
    """Passes on what a step reports, and writes it into the log every minute."""

    title: str
    report: Report
    last: float

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self.report(done, total, note)
        if time.monotonic() - self.last >= _MINUTE:
            self.last = time.monotonic()
            log.note(f"{self.title} {done:,} / {total:,}  {note}")


def clock(seconds: float) -> str:
    """Write a duration as h:mm:ss.

    >>> clock(3725)
    '1:02:05'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def lasting(seconds: float) -> str:
    """Write a duration as h:mm:ss, and from a day on in words.

    >>> lasting(3725), lasting(2_239_200)
    ('1:02:05', '26 days')
    """
    return clock(seconds) if seconds < 86_400 else roughly(seconds)


def roughly(seconds: float) -> str:
    """Write a duration in words, by its largest unit.

    >>> roughly(5_400_000), roughly(5_400), roughly(100)
    ('62 days', '2 hours', '2 minutes')
    """
    unit, name = next((u, n) for u, n in ((86_400, "day"), (3_600, "hour"), (60, "minute")) if seconds >= u or u == 60)
    count = max(round(seconds / unit), 1)
    return f"{count:,} {name}{'s' * (count > 1)}"


def say(line: str, *, quiet: bool = False) -> None:
    """Say a line to the person, on stderr; signs in it that would steer the terminal are spelled out.

    On a terminal that is narrower a line goes on below.
    """
    log.note(line)
    if not quiet:
        tell(line)


def tell(line: str) -> None:
    """Say a line as `say` does, whatever is noted of it elsewhere."""
    text = f"  {plain(line)}"
    width = Console(stderr=True).width if sys.stderr.isatty() else len(text)  # a log keeps its lines
    print(*(part for own in text.split("\n") for part in wrapped(own, width)), sep="\n", file=sys.stderr, flush=True)


_PIECES = re.compile(r"\s*(?:coigan-aug(?: \S+)+|\S+)")  # a command, up to a double gap, is one piece


def wrapped(line: str, width: int) -> list[str]:
    """Part a line into such of at most so many columns, without cutting a word, or a command, which could not be copied then.

    >>> wrapped("  Next: coigan-aug inspect    then    coigan-aug train --recipe tiny", 40)
    ['  Next: coigan-aug inspect    then', '    coigan-aug train --recipe tiny']
    """
    if len(line) <= width:
        return [line]
    pieces = _PIECES.findall(line)
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    lines = pieces[:1]
    for piece in pieces[1:]:
        if len(lines[-1]) + len(piece) <= width:
            lines[-1] += piece
        else:
            lines.append(indent + piece.lstrip())
    return lines


@dataclass(frozen=True)
class Talk:
    """What a stage says to the person while it works; quiet where nothing is said but errors."""

    quiet: bool = True

    def say(self, line: str) -> None:
        """Say a line on stderr."""
        say(line, quiet=self.quiet)

    @contextmanager
    def step(self, title: str, *, most: float | None = None) -> Iterator[Report]:
        """Show how far a long step is while it lasts; `most` seconds where it ends then, however far it is."""
        with log.timed(title), progress(title, quiet=self.quiet, most=most) as report:
            yield _Noted(title, report, time.monotonic())

    @contextmanager
    def steps(self) -> Iterator[Callable[[str], Report]]:
        """Give a function that begins a step by its title, ending the one before, and returns what reports it."""
        with ExitStack() as stack:

            def begin(title: str) -> Report:
                stack.close()
                return stack.enter_context(self.step(title))

            yield begin


SILENT = Talk(quiet=True)
