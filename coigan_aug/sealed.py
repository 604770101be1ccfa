"""Seals: a checksum in every file of ours that is text, compared whenever it is read, so that damage at rest is told.

A document ends with a key `crc32`, a line of a log too: the CRC-32 of the bytes before it. What has no seal is of an
earlier version, or somebody else's, and is read as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TypeVar
from zlib import crc32

import msgspec

from coigan_aug.errors import DataError
from coigan_aug.files import disk_errors, json_line, read_json, to_values, write_bytes

Value = TypeVar("Value")
SEAL = "crc32"
SEAL_OF_BODY = "crc"
_DOCUMENT = re.compile(rb',\n "([^"\n]*)": "([0-9a-f]{8})"\n\}\n?\Z')
_LINE = re.compile(rb'(?:, )?"([^"]*)": "([0-9a-f]{8})"\}\Z')


class Damaged(DataError):
    """A file of ours is not as it was written: a bit flipped on the disk, it was cut off, or somebody changed it."""


def write_sealed(path: Path, value: Any) -> None:
    """Write a JSON object, or a struct, atomically, indented, its checksum last; NaN is refused."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=to_values)
    body = text.removesuffix("\n}").encode()
    write_bytes(path, body + b',\n "%s": "%08x"\n}\n' % (SEAL.encode(), crc32(body)))


def read_sealed(path: Path, *, remedy: str = "", changed: bool = False) -> Any:
    """Read a JSON document of ours, without its seal.

    Args:
        remedy: what to type where it is damaged.
        changed: take it although it is not as it was written.

    Raises:
        DataError: it is missing or not JSON. Damaged: it is not as it was written.
    """
    try:
        value = read_json(path)
    except DataError as error:
        raise Damaged(error.message, remedy=error.remedy or remedy) if path.is_file() else error from error
    sealed = isinstance(value, dict) and value.pop(SEAL, None) is not None
    if not changed and not _is_whole(path.read_bytes(), _DOCUMENT, sealed=sealed):
        raise Damaged(f"{path} is not as it was written: it was changed by hand, or is damaged.", remedy=remedy)
    return value


def _is_whole(data: bytes, seal: re.Pattern[bytes], *, sealed: bool) -> bool:
    """Tell whether bytes have the checksum that stands at their end, or never had one."""
    match = seal.search(data)
    if match is None:
        return not sealed
    return match[1] == SEAL.encode() and crc32(data[: match.start()]) == int(match[2], 16)


def read_struct(path: Path, kind: type[Value], *, remedy: str = "") -> Value:
    """Read a JSON document of ours as a struct; what it does not know of is passed over.

    Raises:
        DataError: as `read_sealed`, or a value is missing or of another kind.
    """
    value = read_sealed(path, remedy=remedy)
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Damaged(f"{path} is damaged ({error}).", remedy=remedy) from error


def sealed_line(value: Any) -> bytes:
    """Return a JSON object, or a struct, as one line with its checksum."""
    body = json_line(value)[:-2]
    return b'%s%s"%s": "%08x"}\n' % (body, b", " if len(body) > 1 else b"", SEAL.encode(), crc32(body))


def open_line(line: bytes, *, changed: bool = False) -> Any:
    """Return the value of a line, without its seal.

    Args:
        changed: take it although it is not as it was written.

    Raises:
        ValueError: it is no JSON (NaN and numbers beyond a double's range are none).
        Damaged: it is not as it was written.
    """
    line = line.rstrip(b"\r\n")
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error) or "it is nested too deeply") from error
    sealed = isinstance(value, dict) and value.pop(SEAL, None) is not None
    if not changed and not _is_whole(line, _LINE, sealed=sealed):
        raise Damaged("it is not as it was written: it was changed by hand, or is damaged")
    return value


def write_made(path: Path, made: Any, body: bytes) -> None:
    """Write atomically what was worked out of something: a sealed line that says of what, and with the body's CRC-32; the body.

    Args:
        made: of what, as JSON values or a struct: `read_made` wants the same.
    """
    write_bytes(path, sealed_line({"made": made, SEAL_OF_BODY: crc32(body)}) + body)


def read_made(path: Path, made: Any) -> bytes:
    """Return the body that `write_made` wrote.

    Raises:
        Damaged: it is not as it was written, or was made of something else. OSError: it is not there.
    """
    first, _, body = path.read_bytes().partition(b"\n")
    try:
        whole = open_line(first) == msgspec.json.decode(json_line({"made": made, SEAL_OF_BODY: crc32(body)}))
    except ValueError as error:
        raise Damaged(f"{path} is damaged ({error}).") from error
    if not whole:
        raise Damaged(f"{path} is damaged.")
    return body


def name_of(made: Any) -> str:
    """Return 16 characters that tell what is worked out of one thing from what is of another, for its file's name."""
    return hashlib.sha256(json.dumps(made, default=to_values).encode()).hexdigest()[:16]


def read_lines(path: Path, *, remedy: str = "") -> Iterator[Any]:
    """Yield the values of a JSON-lines file of ours, up to a torn last line; nothing where there is no file.

    Raises:
        Damaged: a line is not as it was written; the message says which.
    """
    if not path.exists():
        return
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            torn = not line.endswith(b"\n")
            if torn and not _LINE.search(line[:-1]):  # else it was whole, and its end is damaged
                return
            try:
                value = open_line(line + b"?" if torn else line)
            except (ValueError, Damaged) as error:
                raise Damaged(f"{path}:{number} is damaged: {error}.", remedy=remedy) from error
            yield value


def read_structs(path: Path, kind: type[Value], *, remedy: str = "") -> Iterator[Value]:
    """Yield the lines that `read_lines` reads as structs.

    Raises:
        Damaged: a line is not as it was written, or a value is missing or of another kind; the message says which.
    """
    for number, line in enumerate(read_lines(path, remedy=remedy), start=1):
        try:
            yield msgspec.convert(line, kind)
        except (msgspec.ValidationError, RecursionError) as error:
            raise Damaged(f"{path}:{number} is damaged ({error}).", remedy=remedy) from error


def append_line(stream: IO[bytes], value: Any) -> None:
    """Append a sealed line to a binary stream and hand it to the operating system.

    Raises:
        ResourceError: the disk is full.
    """
    with disk_errors(Path(str(getattr(stream, "name", "the log")))):
        stream.write(sealed_line(value))
        stream.flush()
