"""The files of the thesis' line-json (section 4.2): records one after the other, as text or packed JSON, and an index.

A text index has the byte offset of each record's start, one a line; a binary one the offset of each record's
end, uint32 little-endian. Both files are named the same in both variants.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write, write_bytes
from coigan_aug.formats.source import Problems, place
from coigan_aug.store.index import scan_binary
from coigan_aug.store.packed import DamagedPacked, pack, unpack

RECORDS = "dataset.jsonl"
INDEX = "index"
_PACKED_OBJECT = 0xE0
_LARGEST = (1 << 32) - 1
Values = dict[str, Any]


def is_binary(path: Path) -> bool:
    """Tell packed binary JSON from text by the first byte; a byte order mark is text, and no packed object."""
    with path.open("rb") as stream:
        start = stream.read(3)
    return bool(start) and start[0] >= _PACKED_OBJECT and start != codecs.BOM_UTF8


def read_values(path: Path, *, problems: Problems) -> Iterator[tuple[int, Values]]:
    """Yield the records with their numbers, from 1: the line in a text file, the position in a binary one.

    A text file needs no index. A stale index is noted and not used.

    Raises:
        DataError: a record is damaged or not an object; the message names it.
    """
    pairs = _packed(path, problems) if is_binary(path) else _lines(path, problems)
    for number, value in pairs:
        if not isinstance(value, dict):
            raise DataError(f"{place(path.name, number)}  is not an object.")
        yield number, value


def _lines(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    starts, at = [], 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip(b"\r\n \t\xef\xbb\xbf"):
                starts.append(at)
                yield number, _parsed(line, path, number)
            at += len(line)
    index = path.with_name(INDEX)
    if index.exists() and index.read_bytes().split() != [str(start).encode() for start in starts]:
        problems.add(f"the index does not fit {path.name}", file=INDEX, done="not used")


def _parsed(line: bytes, path: Path, number: int) -> Any:
    def refuse(constant: str) -> Any:
        raise DataError(f"{place(path.name, number)}  holds {constant}, which is not valid JSON.")

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


def _packed(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    ends = _ends(path, problems)
    start = 0
    with path.open("rb") as stream:
        for number, end in enumerate(ends, start=1):
            try:
                yield number, unpack(stream.read(end - start))[0]
            except DamagedPacked as error:
                raise DataError(f"{path.name}: record {number} is damaged ({error}).") from error
            start = end


def _ends(path: Path, problems: Problems) -> list[int]:
    size = path.stat().st_size
    index = path.with_name(INDEX)
    if index.exists() and index.stat().st_size % 4 == 0:
        ends = np.fromfile(index, "<u4").astype(np.int64)
        if len(ends) and ends[-1] == size and (np.diff(ends, prepend=0) > 0).all():
            return [int(end) for end in ends]
    if index.exists():
        problems.add(f"the index does not fit {path.name}", file=INDEX, done="not used")
    found = [int(end) for end in scan_binary(path)[1:]]
    if not found or found[-1] != size:
        raise DataError(f"{path.name} is cut off or damaged after record {len(found)}.", remedy="Copy it again.")
    return found


def write_values(out: Path, values: Iterable[Values], *, binary: bool) -> Path:
    """Write records and index to a folder, streaming; the index last.

    Raises:
        DataError: a binary file would pass 4 GiB, the end of its index.
    """
    starts, ends, at = [], [], 0
    with atomic_write(out / RECORDS) as stream:
        for value in values:
            data = pack(value) if binary else json.dumps(value, ensure_ascii=False).encode() + b"\n"
            starts.append(at)
            at += len(data)
            ends.append(at)
            if binary and at > _LARGEST:
                raise DataError("binary line-json ends at 4 GiB.", remedy="Write it as text.")
            stream.write(data)
    index = np.array(ends, "<u4").tobytes() if binary else "".join(f"{start}\n" for start in starts).encode()
    write_bytes(out / INDEX, index)
    return out / RECORDS
