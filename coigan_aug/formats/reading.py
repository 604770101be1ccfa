"""Reading a source: what its reader is given, and the one loop that goes through its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.source import Problems, ReadOptions
from coigan_aug.progress import Report

_EVERY = 64  # records from one report to the next


@dataclass(frozen=True)
class Reading:
    """What is to be read: a file or folder, how, and where its problems are noted."""

    path: Path
    _: KW_ONLY
    options: ReadOptions = field(default_factory=ReadOptions)
    problems: Problems = field(default_factory=Problems)

    @property
    def name(self) -> str:
        """The name of the file or folder, as messages call it."""
        return self.path.name


def drain(
    records: Iterable[ImageRecord],
    *,
    count: int,
    report: Report,
    stopped: Callable[[DataError], None] | None = None,
) -> Iterator[ImageRecord]:
    """Yield records and report how many of at most `count` are done; the last report is of how many there were.

    Args:
        stopped: called with what is wrong where the records can't go on; those before it count. None raises it.

    Raises:
        DataError: the source is wrong, and `stopped` is None.
    """
    done = 0
    try:
        for done, record in enumerate(records, start=1):
            yield record
            if done % _EVERY == 0 and done < count:
                report(done, count)
    except DataError as error:
        if stopped is None:
            raise
        stopped(error)
    report(done, done)
