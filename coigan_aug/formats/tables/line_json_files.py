"""The files of the thesis' line-json (section 4.2): records one after the other, as text or packed JSON, and an index.

A text index has the byte offset of each record's start, one a line; a binary one the offset of each record's
end, uint32 little-endian. Both files are named the same in both variants.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write, write_bytes
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import place
from coigan_aug.store.index import scan_binary
from coigan_aug.store.packed import DamagedPacked, pack, unpack

RECORDS = "dataset.jsonl"
INDEX = "index"
_PACKED_OBJECT = 0xE0
_LARGEST = (1 << 32) - 1
_TABLED = 1 << 16
Values = dict[str, Any]


class Traced(NamedTuple):
    """An image's name, and its masks: a label and polygons [n, 2] of (x, y) from 0."""

    image: str
    polygons: Sequence[tuple[str, Sequence[NDArray[np.int32]]]]


def is_binary(path: Path) -> bool:
    """Tell packed binary JSON from text by the first byte; a byte order mark is text, and no packed object."""
    with path.open("rb") as stream:
        start = stream.read(3)
    return bool(start) and start[0] >= _PACKED_OBJECT and start != codecs.BOM_UTF8


def read_values(reading: Reading) -> Iterator[tuple[int, Values]]:
    """Yield the records with their numbers, from 1: the line in a text file, the position in a binary one.

    A text file needs no index. A stale index is noted and not used.

    Raises:
        DataError: a record is damaged or not an object; the message names it.
    """
    pairs = _packed(reading) if is_binary(reading.path) else _lines(reading)
    for number, value in pairs:
        if not isinstance(value, dict):
            raise DataError(f"{place(reading.name, number)}  is not an object.")
        yield number, value


def _lines(reading: Reading) -> Iterator[tuple[int, Any]]:
    starts, at, path = [], 0, reading.path
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip(b"\r\n \t\xef\xbb\xbf"):
                starts.append(at)
                yield number, _parsed(line, path, number)
            at += len(line)
    index = path.with_name(INDEX)
    if index.exists() and index.read_bytes().split() != [str(start).encode() for start in starts]:
        reading.problems.add(f"the index does not fit {path.name}", file=INDEX, done="not used")


def _parsed(line: bytes, path: Path, number: int) -> Any:
    def refuse(constant: str) -> Any:
        raise DataError(f"{place(path.name, number)}  holds {constant}, which is not valid JSON.")

    # Python's parser, several times slower, says what is wrong, or takes what only it takes.
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(line)
    try:
        return json.loads(line.decode("utf-8-sig"), parse_constant=refuse)
    except UnicodeDecodeError as error:
        raise DataError(f"{place(path.name, number)}  is not UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{place(path.name, number)}  is not valid JSON: {error.msg} (column {error.colno})."
        ) from error
    except RecursionError as error:
        raise DataError(f"{place(path.name, number)}  is nested too deeply.") from error
    except ValueError as error:
        raise DataError(f"{place(path.name, number)}  holds a number of thousands of digits.") from error


def _packed(reading: Reading) -> Iterator[tuple[int, Any]]:
    start = 0
    with reading.path.open("rb") as stream:
        for number, end in enumerate(_ends(reading), start=1):
            try:
                yield number, unpack(stream.read(end - start))[0]
            except DamagedPacked as error:
                raise DataError(f"{reading.name}: record {number} is damaged ({error}).") from error
            start = end


def _ends(reading: Reading) -> list[int]:
    path = reading.path
    size = path.stat().st_size
    index = path.with_name(INDEX)
    if index.exists() and index.stat().st_size % 4 == 0:
        ends = np.fromfile(index, "<u4").astype(np.int64)
        if len(ends) and ends[-1] == size and (np.diff(ends, prepend=0) > 0).all():
            return [int(end) for end in ends]
    if index.exists():
        reading.problems.add(f"the index does not fit {path.name}", file=INDEX, done="not used")
    offsets = [int(end) for end in scan_binary(path)[1:]]
    if not offsets or offsets[-1] != size:
        raise DataError(f"{path.name} is cut off or damaged after record {len(offsets)}.", remedy="Copy it again.")
    return offsets


def write_records(out: Path, records: Iterable[bytes], *, binary: bool) -> Path:
    """Write encoded records (lines of text, or packed) and the index to a folder, streaming; the index last.

    Raises:
        DataError: a binary file would pass 4 GiB, the end of its index.
    """
    starts, ends, at = [], [], 0
    with atomic_write(out / RECORDS) as stream:
        for data in records:
            starts.append(at)
            at += len(data)
            ends.append(at)
            if binary and at > _LARGEST:
                raise DataError("binary line-json ends at 4 GiB.", remedy="Write it as text.")
            stream.write(data)
    index = np.array(ends, "<u4").tobytes() if binary else "".join(f"{start}\n" for start in starts).encode()
    write_bytes(out / INDEX, index)
    return out / RECORDS


def text_of(traced: Traced) -> bytes:
    """Write a traced image as a line, as `json.dumps` would.

    >>> text_of(Traced("a.jpg", [("0", [np.array([[1, 2], [30, 4], [5, 6]])])]))
    b'{"img": "a.jpg", "polygons": [{"label": "0", "points": [[[1, 2], [30, 4], [5, 6]]]}]}\\n'
    """
    polygons = [
        b'{"label": %b, "points": [%b]}' % (_quoted(label), b", ".join(_points_text(points) for points in parts))
        for label, parts in traced.polygons
    ]
    return b'{"img": %b, "polygons": [%b]}\n' % (_quoted(traced.image), b", ".join(polygons))


def packed_of(traced: Traced) -> bytes:
    """Write a traced image as packed binary JSON."""
    polygons = [{"label": label, "points": [points.tolist() for points in parts]} for label, parts in traced.polygons]
    return pack({"img": traced.image, "polygons": polygons})


def _quoted(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()


def _points_text(points: NDArray[np.int32]) -> bytes:
    """Write points [n, 2] from 0 as nested lists; eight bytes a number are looked up, and what is free of them taken out."""
    reach = int(points.max())
    if reach >= _TABLED:
        return json.dumps(points.tolist()).encode()
    across, down = _words(1 << reach.bit_length())
    words = np.empty(points.shape, np.uint64)
    words[:, 0], words[:, 1] = across[points[:, 0]], down[points[:, 1]]
    return b"[" + words.tobytes().translate(None, b"\0")[:-2] + b"]"


@cache
def _words(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return how the numbers below `count` are written as x and as y, each in eight bytes."""
    across, down = ([form % k for k in range(count)] for form in ("[%d, ", "%d], "))
    return np.array(across, "S8").view(np.uint64), np.array(down, "S8").view(np.uint64)
