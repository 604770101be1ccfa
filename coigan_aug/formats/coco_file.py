"""A COCO file as it lies on disk: what its entries are and where they stand, without what is heavy in them.

A file of some hundred megabytes is little but numbers of polygons, so these stay text until they are asked for. A file
that the fast way can't tell is read the plain way, which knows the place of every mistake.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from coigan_aug.errors import DataError
from coigan_aug.formats.json_files import load_object

_Item = dict[str, Any]
_NAME = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*')
_NEXT = re.compile(rb"[ \t\r\n]*,?[ \t\r\n]*")
_BLOCK = 1 << 20
_SHORT = 64  # bytes: what a segmentation that holds nothing may be long, spaces included


class Entry(msgspec.Struct, gc=False):
    """An annotation but for its mask: its fields as the file has them, and whether it has a segmentation.

    `begin` and `size` are its place in the file in bytes; `whole` is the annotation where it was read the plain way.
    """

    id: Any = None
    image_id: Any = None
    category_id: Any = None
    area: Any = None
    bbox: Any = None
    masked: bool = False
    begin: int = 0
    size: int = 0
    whole: _Item | None = None


class _Fields(msgspec.Struct, gc=False):
    id: Any = None
    image_id: Any = None
    category_id: Any = None
    area: Any = None
    bbox: Any = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class CocoFile:
    """The entries of a COCO file; their ids are not checked yet. Masks are read from the file when they are asked for.

    Args:
        path: the file.

    Raises:
        DataError: it is not such a file; the message names the line and column, or the entry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._file = -1
        try:
            self.images, self.categories, self.entries = _scanned(path)
            self._file = os.open(path, os.O_RDONLY)
        except (msgspec.MsgspecError, ValueError, LookupError, RecursionError, OSError):
            self.images, self.categories, self.entries = _parsed(path)

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)

    def item(self, entry: Entry) -> _Item:
        """Return an annotation with all that the file says of it, its segmentation as a value or as text (msgspec.Raw).

        Raises:
            DataError: the file is not what it was, or a number is too large.
        """
        if entry.whole is not None:
            return entry.whole
        try:
            fields = _FIELDS.decode(os.pread(self._file, entry.size, entry.begin))
        except msgspec.MsgspecError as error:
            raise DataError(
                f"{self.path} was changed while it was read.", remedy="Run the same command again."
            ) from error
        return {key: text if key == "segmentation" else parse_text(text, self.name) for key, text in fields.items()}


def parse_text(text: msgspec.Raw, file: str) -> Any:
    """Parse a value of a file that is known to be JSON.

    Raises:
        DataError: it holds a number beyond all doubles.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as error:
        raise DataError(f"{file} holds a number that is too large for an annotation file.") from error


# The fast way


def _scanned(path: Path) -> tuple[list[_Item], list[_Item], list[Entry]]:
    """Find the entries. What this raises means no more than that the plain way has to look."""
    data = path.read_bytes()
    _check_text(data)
    members = _members(data)
    begin, end = members.get("annotations", (0, 0))
    images, categories = (msgspec.json.decode(data[slice(*members[key])]) for key in ("images", "categories"))
    _check_items(images)
    _check_items(categories)
    return images, categories, list(_entries(data, begin, end)) if end else []


def _check_text(data: bytes) -> None:
    if not data.isascii():
        decoder = codecs.getincrementaldecoder("utf-8")()
        for at in range(0, len(data), _BLOCK):
            decoder.decode(data[at : at + _BLOCK], final=at + _BLOCK >= len(data))


def _check_items(items: Any) -> None:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("not a list of objects")


def _members(data: bytes) -> dict[str, tuple[int, int]]:
    """Return where the values of the outermost object begin and end.

    Raises:
        ValueError: keys are repeated.
    """
    found: dict[str, tuple[int, int]] = {}
    at = data.index(b"{") + 1
    for key, value in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).items():
        name = _NAME.match(data, at)
        if name is None or msgspec.json.decode(name[1]) != key:
            raise ValueError("a key is repeated")
        found[key] = name.end(), name.end() + len(memoryview(value))
        between = _NEXT.match(data, found[key][1])
        at = between.end() if between else len(data)
    if data[at : at + 1] != b"}":
        raise ValueError("a key is repeated")
    return found


def _entries(data: bytes, begin: int, end: int) -> Iterator[Entry]:
    """Yield the annotations of the list that stands between two places."""
    fields = msgspec.json.Decoder(_Fields)
    at = begin + 1
    for text in msgspec.json.decode(memoryview(data)[begin:end], type=list[msgspec.Raw]):
        between = _NEXT.match(data, at)
        at = between.end() if between else at
        own, size = fields.decode(text), len(memoryview(text))
        yield Entry(
            own.id, own.image_id, own.category_id, own.area, own.bbox, _holds_something(own.segmentation), at, size
        )
        at += size


def _holds_something(segmentation: msgspec.Raw) -> bool:
    text = memoryview(segmentation)
    return len(text) > _SHORT or bool(msgspec.json.decode(text))


# The plain way


def _parsed(path: Path) -> tuple[list[_Item], list[_Item], list[Entry]]:
    top = load_object(path, kind="a COCO file")
    items = [_list(top, key, path.name) for key in ("images", "categories", "annotations")]
    return items[0], items[1], [_entry(item) for item in items[2]]


def _entry(item: _Item) -> Entry:
    return Entry(
        id=item.get("id"),
        image_id=item.get("image_id"),
        category_id=item.get("category_id"),
        area=item.get("area"),
        bbox=item.get("bbox"),
        masked=bool(item.get("segmentation")),
        whole=item,
    )


def _list(top: _Item, key: str, file: str) -> list[_Item]:
    items = top.get(key, [] if key == "annotations" else None)
    if not isinstance(items, list):
        raise DataError(f"{file} is not a COCO file: it has no list {key!r}.")
    wrong = next((k for k, item in enumerate(items) if not isinstance(item, dict)), None)
    if wrong is not None:
        raise DataError(f"{file}: {key}[{wrong}] is not an object.")
    return items
