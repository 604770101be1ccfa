"""Parts: each share of a synthesis keeps a log of what it has finished; together they are the whole."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from coigan_aug.errors import UsageError
from coigan_aug.files import append_lines, folder_lock
from coigan_aug.sealed import append_line, read_struct, read_structs
from coigan_aug.store.card import Card
from coigan_aug.synthesis.rejected import Rejected
from coigan_aug.synthesis.rows import LogRow, MadeRow

START = "synthesis.json"
"""What is being made, as long as it is not finished."""
PARTS = ".parts"
LOG = "log.jsonl"
BEFORE = "before"
_END = {"end": True}
_AGAIN = "Draw the set again with --overwrite."


class _Numbered(msgspec.Struct, frozen=True):
    """A line of a plan or a log, by its number; 0 is a log's end."""

    number: int = 0


class _LogLine(_Numbered, frozen=True, kw_only=True):
    """A line of a log."""

    made: tuple[MadeRow, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    missing: tuple[str, ...] = ()
    end: bool = False


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What an unfinished synthesis was begun with.

    `identity` holds, as JSON values, what the pictures depend on: two syntheses with the same are the same. `card` is what
    will be said of them, `real` names the images that stand beside; None: none were asked for.
    """

    identity: dict[str, Any]
    card: Card
    classes: list[dict[str, Any]]
    shards: int
    real: list[str] | None = None
    erased_margin_px: int = 0


def read_start(out: Path) -> Start | None:
    """Read what a folder's unfinished synthesis was begun with; None where there is none.

    Raises:
        DataError: the file is damaged.
    """
    return read_struct(out / START, Start) if (out / START).exists() else None


@dataclass(frozen=True, slots=True)
class Shard:
    """Share `index` (from 1) of `count`: it makes the numbers that leave index - 1 when divided by count."""

    index: int = 1
    count: int = 1

    def has(self, number: int) -> bool:
        """Tell whether a number is of this share."""
        return number % self.count == self.index - 1

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.index}-of-{self.count}"


ALONE = Shard()


def parse_shard(text: str) -> Shard:
    """Read `2/4`.

    Raises:
        UsageError: it is no such thing.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text}: not a share.", remedy="Write  --shard 1/4  to  --shard 4/4 .")
    return Shard(int(match[1]), int(match[2]))


def log_of(out: Path, shard: Shard) -> Path:
    """Return the log of a share."""
    return out / PARTS / shard.name / LOG


def before_log(out: Path) -> Path:
    """Return the log of what was there before, where a set is added to."""
    return out / PARTS / BEFORE / LOG


class Log:
    """The open log of a share: `done` holds the numbers that are finished."""

    def __init__(self, stream: IO[bytes], done: set[int], ended: bool) -> None:
        self._stream = stream
        self.done = done
        self.ended = ended

    def add(self, row: LogRow) -> None:
        """Note a finished number; its files are written."""
        append_line(self._stream, row)
        self.done.add(row.number)

    def end(self) -> None:
        """Note that nothing is missing."""
        if not self.ended:
            append_line(self._stream, _END)
        self.ended = True


@contextmanager
def open_log(out: Path, shard: Shard) -> Iterator[Log]:
    """Open the log of a share to continue it; no other process may.

    Raises:
        UsageError: another living process makes this share.
    """
    path = log_of(out, shard)
    with folder_lock(path.parent), append_lines(path) as stream:
        numbers = set(numbers_of(path))
        yield Log(stream, numbers - {0}, 0 in numbers)


def numbers_of(path: Path) -> Iterator[int]:
    """Return the numbers of a plan's or log's lines; 0 is a log's end."""
    return (row.number for row in read_structs(path, _Numbered, remedy=_AGAIN))


def read_log(path: Path) -> Iterator[LogRow]:
    """Yield the finished numbers of a log."""
    for row in read_structs(path, _LogLine, remedy=_AGAIN):
        if not row.end:
            yield LogRow(number=row.number, made=row.made, rejected=row.rejected, missing=row.missing)


def unfinished(out: Path, count: int) -> list[Shard]:
    """Return the shares that are not finished yet."""
    shards = [Shard(index, count) for index in range(1, count + 1)]
    return [shard for shard in shards if 0 not in numbers_of(log_of(out, shard))]


def rows_in_order(out: Path, count: int) -> Iterator[LogRow]:
    """Yield the rows of all shares by number; few are in memory at a time."""
    logs = [before_log(out), *(log_of(out, Shard(k, count)) for k in range(1, count + 1))]
    yield from heapq.merge(*map(read_log, logs), key=lambda row: row.number)
