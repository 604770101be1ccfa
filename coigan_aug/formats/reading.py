"""Reading a source: what its reader is given, and the one loop that goes through its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.source import DROPPED, STATE_UNKNOWN, Problems, ReadOptions, Source
from coigan_aug.progress import Report

_EVERY = 64  # records from one report to the next


@dataclass(frozen=True)
class Reading:
    """What is to be read: a file or folder, how, and where its problems are noted."""

    path: Path
    _: KW_ONLY
    options: ReadOptions = field(default_factory=ReadOptions)
    problems: Problems = field(default_factory=Problems)

    @cached_property  # asked for with every row of a table
    def name(self) -> str:
        """The name of the file or folder, as messages call it."""
        return self.path.name


def with_states(source: Source, reading: Reading) -> Source:
    """Return a source whose records are of unknown state where its reader has noted that their image lost an annotation.

    Every source passes through here, so that no reader has to think of it: what a reader tells its problems of (`lost`)
    before it yields a record decides.
    """
    return source if reading.options.unknown_as_clean else replace(source, records=_told(source, reading.problems))


def check_masks(path: Path, *, masks: int, unknown: int, problems: Problems) -> None:
    """Refuse a source of which no mask could be used.

    Args:
        masks: how many there are.
        unknown: how many images are of unknown state.

    Raises:
        DataError: there is none, though there are images of unknown state: boxes alone, or lines, or all damaged.
    """
    if masks or not unknown:
        return
    reason = next((problem.what for problem in problems.all if problem.done in (DROPPED, STATE_UNKNOWN)), "see above")
    what = f"{path}: no image has a mask that can be used, {unknown:,} are of unknown state: {reason}."
    remedy = (
        "Boxes and lines say where a defect is, not which pixels it has: draw or export polygons or masks. "
        "Lines become masks with their width: --line-width PX. "
        "If the images are free of defects, say so: --unknown-as clean"
    )
    raise DataError(what, remedy=remedy)


def _told(source: Source, problems: Problems) -> Iterator[ImageRecord]:
    for record in source.records:
        lost = not problems.lost.isdisjoint((record.file, str(record.source.get("name", record.file))))
        yield replace(record, unknown=True) if lost else record


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
