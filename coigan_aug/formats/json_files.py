"""Annotation files in JSON, read strictly: what Python's parser lets through and no other program would is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coigan_aug.errors import DataError
from coigan_aug.files import read_text

_RISKY = re.compile(r"\\u[dD][89a-fA-F]|[0-9]{300}|[eE]\+?0*[1-9][0-9]{2}")
_LOOK = 1 << 16


class _NotANumber:
    def __repr__(self) -> str:
        return "NaN"


NAN = _NotANumber()
"""What stands for NaN and Infinity, where a reader takes them for values that are not there."""
_SPACE = " \t\r\n"


def both_ends(path: Path) -> tuple[bytes, bytes]:
    """Return the first and the last 64 KiB of a file, the first without byte order mark and white space; to look at."""
    with path.open("rb") as stream:
        start = stream.read(_LOOK)
        stream.seek(max(path.stat().st_size - _LOOK, 0))
        return start.lstrip(b"\xef\xbb\xbf \r\n\t"), stream.read()


def load_json(path: Path) -> Any:
    """Read a JSON file; a byte order mark is passed over.

    Raises:
        DataError: it is missing, not UTF-8, not JSON, nested too deeply, or holds NaN, a number too large for any
            program, or text that is no Unicode; the message names the file and, where there is one, the line.
    """
    text = read_text(path)
    return _checked(text, 0, path, whole=True)[0]


def load_object(path: Path, *, kind: str, nan: bool = False) -> dict[str, Any]:
    """Read a JSON file whose outermost value is an object.

    Args:
        kind: what the file should be, for the message: "a COCO file".
        nan: give `NAN` for NaN and Infinity, which pandas writes, instead of refusing them.

    Raises:
        DataError: as `load_json`, or it is something else, or a key stands twice in the object.
    """
    value = _checked(read_text(path), 0, path, whole=True, nan=nan)[0]
    if not isinstance(value, dict):
        raise DataError(f"{path.name} is not {kind}: its outermost value is not an object.")
    return value


def read_items(path: Path, *, kind: str) -> Iterator[tuple[int, Any]]:
    """Yield the values of a JSON file whose outermost value is a list, with their positions from 0.

    Only the text and one value are in memory.

    Raises:
        DataError: as `load_json`, or the outermost value is no list.
    """
    text = read_text(path)
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        _checked(text, at, path, whole=True)
        raise DataError(f"{path.name} is not {kind}: its outermost value is not a list.")
    at, number = _skip(text, at + 1), 0
    closed = text[at : at + 1] == "]"
    while not closed:
        value, at = _checked(text, at, path)
        yield number, value
        at, number = _skip(text, at), number + 1
        closed = text[at : at + 1] == "]"
        if not closed and text[at : at + 1] != ",":
            raise _wrong(json.JSONDecodeError("Expecting ',' delimiter", text, at), path)
        at = at if closed else _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise _wrong(json.JSONDecodeError("Extra data", text, _skip(text, at + 1)), path)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _checked(text: str, at: int, path: Path, *, whole: bool = False, nan: bool = False) -> tuple[Any, int]:
    """Parse the value that begins at a position, and return it and where it ends.

    A key that stands twice in an outermost object is refused: what stands there first would be lost without a word.
    """
    twice: list[str] = []

    def constant(word: str) -> Any:
        if nan:
            return NAN
        raise DataError(f"{path.name} holds {word}, which is not valid JSON.")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        keys = [key for key, _ in pairs] if len(members) < len(pairs) else []
        twice[:] = [key for k, key in enumerate(keys) if key in keys[:k]][:1]  # the outermost object comes last
        return members

    try:
        start = _skip(text, at)
        value, end = json.JSONDecoder(parse_constant=constant, object_pairs_hook=once).raw_decode(text, start)
        if whole and _skip(text, end) != len(text):
            raise json.JSONDecodeError("Extra data", text, _skip(text, end))
        if _RISKY.search(text, start, end):
            json.dumps(value, ensure_ascii=False, allow_nan=False, default=repr).encode()
    except json.JSONDecodeError as error:
        raise _wrong(error, path) from error
    except RecursionError as error:
        raise DataError(f"{path.name} is nested too deeply for an annotation file.") from error
    except UnicodeEncodeError as error:
        raise DataError(f"{path.name} holds half a character (a lone surrogate), which is no Unicode text.") from error
    except ValueError as error:
        raise DataError(f"{path.name} holds a number that is too large for an annotation file.") from error
    if twice and isinstance(value, dict):
        what = f"{path.name}: the key {twice[0]!r} stands twice; only one of the two would be read."
        raise DataError(what, remedy="Put what stands under it together, or leave one of them out.")
    return value, end


def _wrong(error: json.JSONDecodeError, path: Path) -> DataError:
    return DataError(f"{path.name}:{error.lineno}  is not valid JSON: {error.msg} (column {error.colno}).")
