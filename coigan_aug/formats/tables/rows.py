"""The rows of a run-length CSV: image, class and cell, bound by the names of the columns, with their line numbers."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, AnyStr, NamedTuple

from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import place
from coigan_aug.formats.tables.columns import Columns, columns_from

_NEEDED = (
    "Columns needed: one of the image (ImageId, filename, id), one of its class (ClassId, class) where there are several,"
    " one of run lengths (EncodedPixels, rle, segmentation); or ImageId_ClassId, EncodedPixels."
)
_LONGEST = 1 << 25  # bytes or signs of a line: run lengths of a mask with some millions of runs
_LOOK = 4096
_EVERY_OTHER = 2


class Row(NamedTuple):
    """A row: its line, counted from 1, the image's name, the class and the cell as text, and what other columns say."""

    number: int
    name: str
    label: str
    cell: str
    others: Mapping[str, str]


def columns_of(path: Path) -> Columns | None:
    """Return the columns that a file's first line names; None where they are not those of this format."""
    with path.open("rb") as stream:
        start = stream.read(_LOOK)
    first = start.decode(_encoding(start), errors="replace").splitlines()[:1]
    return columns_from(_parsed(first[0])) if first else None


def _parsed(header: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=_delimiter(header)), [])
    except csv.Error:
        return []


def _encoding(start: bytes) -> str:
    """Return the encoding that a file begins in: UTF-16, as spreadsheets write "Unicode text", or UTF-8."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = start[1:64:_EVERY_OTHER], start[0:64:_EVERY_OTHER]
    plain = [len(part) > 1 and not part.strip(b"\0") for part in zeros]
    return "utf-16-le" if plain[0] else "utf-16-be" if plain[1] else "utf-8-sig"


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def read_rows(reading: Reading) -> Iterator[Row]:
    """Yield the rows of the CSV with their line numbers; blank lines are passed over.

    Raises:
        DataError: the columns are not of this format, a row is too short or has no name, a line is longer than any mask's,
            or it isn't UTF-8 or UTF-16 text.
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
    """A line, counted from 1, that is not plain: it needs a reader that knows quotes, other line ends and encodings."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _plain_rows(reading: Reading, stream: IO[bytes]) -> Iterator[Row]:
    """Yield the rows as long as their lines are plain, which is six times faster than to ask the csv module.

    Raises:
        _Odd: a line is not plain.
    """
    lines = _lines(stream, b"", reading.name)
    header = _plain(next(lines, b"").removeprefix(codecs.BOM_UTF8), 1)
    delimiter = _delimiter(header)
    rows = ((number, _plain(line, number).split(delimiter)) for number, line in enumerate(lines, start=2))
    yield from _bound(reading, rows, header.split(delimiter))


def _lines(stream: IO[AnyStr], end: AnyStr, file: str, *, first: int = 1) -> Iterator[AnyStr]:
    """Yield the lines of a file from where it stands, none of which fills the memory."""
    for number, line in enumerate(iter(lambda: stream.readline(_LONGEST), end), start=first):
        if len(line) == _LONGEST:
            what = f"{place(file, number)}  is longer than {_LONGEST:,} signs, as no mask's run lengths are."
            raise DataError(what, remedy="Leave the line out, or look for a line end that is missing.")
        yield line


def _plain(line: bytes, number: int) -> str:
    text = line.rstrip(b"\r\n")
    if b'"' in text or b"\r" in text or b"\0" in text or not text.isascii():
        raise _Odd(number)
    return text.decode()


def _any_rows(reading: Reading, *, begin: int) -> Iterator[Row]:
    """Yield the rows from a line on."""
    csv.field_size_limit(_LONGEST)
    with reading.path.open("rb") as start:
        encoding = _encoding(start.read(_LOOK))
    try:
        with reading.path.open(encoding=encoding, newline="") as stream:
            header = stream.readline(_LONGEST)
            delimiter = _delimiter(header)
            columns = next(csv.reader([header], delimiter=delimiter), [])
            reader = csv.reader(_lines(stream, "", reading.name, first=2), delimiter=delimiter)
            rows = ((reader.line_num + 1, row) for row in reader)
            yield from _bound(reading, (pair for pair in rows if pair[0] >= begin), columns)
    except UnicodeDecodeError as error:
        kind = "UTF-8" if encoding == "utf-8-sig" else "UTF-16"
        raise DataError(f"{reading.name} is not {kind} text (byte {error.start} of a block).") from error
    except UnicodeError as error:
        raise DataError(f"{reading.name} is not UTF-16 text.") from error
    except csv.Error as error:
        raise DataError(f"{reading.name} is not a table: {error}.") from error


def _bound(reading: Reading, rows: Iterable[tuple[int, list[str]]], names: list[str]) -> Iterator[Row]:
    columns, file = columns_from(names), reading.name
    if columns is None:
        raise DataError(f"{file} has the columns: {', '.join(names) or 'none'}.", remedy=_NEEDED)
    others = [(name, k) for k, name in enumerate(columns.names) if name and k not in columns.used]
    for number, values in rows:
        if not values or not any(values):
            continue
        row = None
        try:
            row = _row(values, number, columns, file)
        except DataError:
            with reading.problems.attempt(file=file, row=number, done="row left out", lost=_image(values, columns)):
                raise
        if row is not None:
            extra = {name: values[k].strip() for name, k in others if values[k].strip()}
            yield Row(number, *row, extra)


def _row(values: list[str], number: int, columns: Columns, file: str) -> tuple[str, str, str]:
    if len(values) != len(columns.names):
        image = _image(values, columns)
        whose = f" It is of {image}." if image else ""
        what = f"{place(file, number)}  has {len(values)} cells; the first line has {len(columns.names)}.{whose}"
        raise DataError(what)
    name, label, cell = columns.of(values)
    if not name:
        raise DataError(f"{place(file, number)}  names no image.")
    return name, label, cell


def _image(values: list[str], columns: Columns) -> str:
    """Return the image that a row with too few or too many cells names; "" where it does not say."""
    whole = [*values, *[""] * len(columns.names)]
    return columns.of(whole)[0]
