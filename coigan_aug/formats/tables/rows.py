"""The rows of a run-length CSV: image, class and cell, bound by the names of the columns, with their line numbers."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import place

Binding = Callable[[list[str]], tuple[str, str, str]]
_JOINED = "imageid_classid"
_OWN = frozenset({_JOINED, "imageid", "classid", "encodedpixels"})
_NEEDED = "Columns needed: ImageId, ClassId, EncodedPixels, or ImageId_ClassId, EncodedPixels."


class Row(NamedTuple):
    """A row: its line, counted from 1, the image's name, the class and the cell as text, and what other columns say."""

    number: int
    name: str
    label: str
    cell: str
    others: Mapping[str, str]


def columns_of(path: Path) -> list[str]:
    """Return the columns that a file's first line names; [] where they are not those of this format."""
    with path.open("rb") as stream:
        first = stream.readline(4096).decode("utf-8-sig", errors="replace")
    try:
        columns = next(csv.reader([first], delimiter=_delimiter(first)), [])
    except csv.Error:
        return []
    return [name.strip() for name in columns] if _bind(columns) else []


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _bind(columns: Sequence[str]) -> Binding | None:
    """Return how to take (image name, class, cell) out of a row; None where the columns are not of this format."""
    at = {name.strip().lower(): position for position, name in enumerate(columns)}
    if "encodedpixels" not in at:
        return None
    cell = at["encodedpixels"]
    if _JOINED in at:
        joined = at[_JOINED]
        return lambda row: (*row[joined].strip().rpartition("_")[::2], row[cell].strip())
    if "imageid" in at and "classid" in at:
        name, label = at["imageid"], at["classid"]
        return lambda row: (row[name].strip(), row[label].strip(), row[cell].strip())
    return None


def read_rows(reading: Reading) -> Iterator[Row]:
    """Yield the rows of the CSV with their line numbers; blank lines are passed over.

    Raises:
        DataError: the columns are not of this format, a row is too short or has no name, or it isn't UTF-8 text.
    """
    try:
        with reading.path.open("rb") as stream:
            yield from _plain_rows(reading, stream)
    except _Odd as odd:
        yield from _any_rows(reading, begin=odd.line)
    except FileNotFoundError as error:
        raise DataError(f"{reading.path} does not exist.") from error
    except OSError as error:
        raise DataError(f"{reading.path} can't be read: {error.strerror}.") from error


class _Odd(Exception):
    """A line, counted from 1, that is not plain: it needs a reader that knows quotes, other line ends and UTF-8."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _plain_rows(reading: Reading, stream: IO[bytes]) -> Iterator[Row]:
    """Yield the rows as long as their lines are plain, which is six times faster than to ask the csv module.

    Raises:
        _Odd: a line is not plain.
    """
    header = _plain(stream.readline().removeprefix(codecs.BOM_UTF8), 1)
    delimiter = _delimiter(header)
    rows = ((number, _plain(line, number).split(delimiter)) for number, line in enumerate(stream, start=2))
    yield from _bound(reading, rows, header.split(delimiter))


def _plain(line: bytes, number: int) -> str:
    text = line.rstrip(b"\r\n")
    if b'"' in text or b"\r" in text or b"\0" in text or not text.isascii():
        raise _Odd(number)
    return text.decode()


def _any_rows(reading: Reading, *, begin: int) -> Iterator[Row]:
    """Yield the rows from a line on."""
    csv.field_size_limit(1 << 30)
    try:
        with reading.path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            columns = next(csv.reader([header], delimiter=_delimiter(header)), [])
            reader = csv.reader(stream, delimiter=_delimiter(header))
            rows = ((reader.line_num + 1, row) for row in reader)
            yield from _bound(reading, (pair for pair in rows if pair[0] >= begin), columns)
    except UnicodeDecodeError as error:
        raise DataError(f"{reading.name} is not UTF-8 text (byte {error.start} of a block).") from error
    except csv.Error as error:
        raise DataError(f"{reading.name} is not a table: {error}.") from error


def _bound(reading: Reading, rows: Iterable[tuple[int, list[str]]], columns: Sequence[str]) -> Iterator[Row]:
    bind, file = _bind(columns), reading.name
    if bind is None:
        raise DataError(f"{file} has the columns: {', '.join(columns) or 'none'}.", remedy=_NEEDED)
    others = [(name.strip(), k) for k, name in enumerate(columns) if name.strip().lower() not in _OWN and name.strip()]
    for number, values in rows:
        if not values or not any(values):
            continue
        row = None
        try:
            row = _row(values, number, len(columns), bind, file)
        except DataError:
            with reading.problems.attempt(file=file, row=number, done="row left out"):
                raise
        if row is not None:
            said = {name: values[k].strip() for name, k in others if values[k].strip()}
            yield Row(number, *row, said)


def _row(values: list[str], number: int, width: int, bind: Binding, file: str) -> tuple[str, str, str]:
    if len(values) != width:
        raise DataError(f"{place(file, number)}  has {len(values)} cells; the first line has {width}.")
    name, label, cell = bind(values)
    if not name:
        raise DataError(f"{place(file, number)}  names no image.")
    return name, label, cell
