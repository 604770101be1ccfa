"""A COCO file as it lies on disk: what its entries are and where they stand, without what is heavy in them.

A file of some hundred megabytes is little but numbers of polygons, so these stay text until they are asked for. A file
that the fast way can't tell is read the plain way, which knows the place of every mistake.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from coigan_aug.errors import DataError
from coigan_aug.formats.coco.json_stream import Piece, read_pieces
from coigan_aug.formats.json_files import NAN, load_object

_Item = dict[str, Any]
_SHORT = 64  # bytes: what a segmentation that holds nothing may be long, spaces included
_BETWEEN = 64  # bytes: what may lie between two entries that are read at once


class Entry(msgspec.Struct, gc=False):
    """An annotation but for its mask: its ids as the file has them, and whether it has a segmentation.

    `begin` and `size` are its place in the file in bytes; `whole` is the annotation where it was read the plain way.
    """

    id: Any = None
    image_id: Any = None
    category_id: Any = None
    masked: bool = False
    begin: int = 0
    size: int = 0
    whole: _Item | None = None


class _Fields(msgspec.Struct, gc=False):
    id: Any = None
    image_id: Any = None
    category_id: Any = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _Usual(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An annotation with no field but COCO's own; those that it lacks are UNSET."""

    id: Any = msgspec.UNSET
    image_id: Any = msgspec.UNSET
    category_id: Any = msgspec.UNSET
    segmentation: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    area: Any = msgspec.UNSET
    bbox: Any = msgspec.UNSET
    iscrowd: Any = msgspec.UNSET


_ENTRIES = msgspec.json.Decoder(list[_Fields])
_USUAL = msgspec.json.Decoder(list[_Usual])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class CocoFile:
    """The entries of a COCO file; their ids are not checked yet. Masks are read from the file when they are asked for.

    NaN and Infinity, which pandas writes for what is not there, are taken so: `missing` counts the fields.

    Args:
        path: the file.

    Raises:
        DataError: it is not such a file; the message names the line and column, or the entry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.missing = 0
        self._file: BinaryIO | None = None
        try:
            self._file = path.open("rb", buffering=0)
            self.images, self.categories, self.entries = _scanned(self._file)
        except (msgspec.MsgspecError, ValueError, LookupError, RecursionError, OSError):
            self.images, self.categories, self.entries, self.missing = _parsed(path)

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def items(self, entries: Sequence[Entry]) -> list[_Item]:
        """Return annotations as `item` does; many at once are read in a fraction of the time.

        Raises:
            DataError: as `item`, for one of them.
        """
        try:
            items = _USUAL.decode(b"[%b]" % b",".join(self._texts(entries)))
        except (msgspec.MsgspecError, ValueError):
            return [self.item(entry) for entry in entries]
        if len(items) != len(entries):
            return [self.item(entry) for entry in entries]
        fields = (msgspec.structs.asdict(item) for item in items)
        return [{key: value for key, value in item.items() if value is not msgspec.UNSET} for item in fields]

    def _texts(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        """Read the text of entries, of those that stand side by side at once."""
        begin = end = 0
        for entry in entries:
            if entry.whole is not None:
                raise ValueError("it was read the plain way")
            if not end <= entry.begin <= end + _BETWEEN:
                if end:
                    yield self._read(begin, end)
                begin = entry.begin
            end = entry.begin + entry.size
        if end:
            yield self._read(begin, end)

    def _read(self, begin: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), end - begin, begin) if self._file is not None else b""

    def item(self, entry: Entry) -> _Item:
        """Return an annotation with all that the file says of it, its segmentation as a value or as text (msgspec.Raw).

        Raises:
            DataError: the file is not what it was, or a number is too large.
        """
        if entry.whole is not None:
            return entry.whole
        try:
            fields = _FIELDS.decode(self._read(entry.begin, entry.begin + entry.size))
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


def _scanned(stream: BinaryIO) -> tuple[list[_Item], list[_Item], list[Entry]]:
    """Find the entries, in bounded memory. What this raises means no more than that the plain way has to look."""
    lists: dict[str, list[Any]] = {}
    for piece in read_pieces(stream, lists=("images", "categories", "annotations")):
        items = _entries(piece) if piece.key == "annotations" else msgspec.json.decode(piece.text, type=list[_Item])
        lists.setdefault(piece.key, []).extend(items)
    return lists["images"], lists["categories"], lists.get("annotations", [])


def _entries(piece: Piece) -> list[Entry]:
    return [
        Entry(item.id, item.image_id, item.category_id, _holds_something(item.segmentation), begin, size)
        for item, begin, size in zip(_ENTRIES.decode(piece.text), piece.begins, piece.sizes, strict=True)
    ]


def _holds_something(segmentation: msgspec.Raw) -> bool:
    text = memoryview(segmentation)
    return len(text) > _SHORT or bool(msgspec.json.decode(text))


# The plain way


def _parsed(path: Path) -> tuple[list[_Item], list[_Item], list[Entry], int]:
    top = load_object(path, kind="a COCO file", nan=True)
    items = [_list(top, key, path.name) for key in ("images", "categories", "annotations")]
    missing = sum(_leave_out_nan(item) for entries in items for item in entries)
    return items[0], items[1], [_entry(item) for item in items[2]], missing


def _leave_out_nan(item: _Item) -> int:
    """Take fields that are or hold NaN out of an entry, and return how many; in a mask's numbers it stays and is refused."""
    odd = [key for key, value in item.items() if value is NAN or (key != "segmentation" and _holds_nan(value))]
    for key in odd:
        del item[key]
    return len(odd)


def _holds_nan(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is NAN or any(_holds_nan(part) for part in inner)


def _entry(item: _Item) -> Entry:
    return Entry(
        id=item.get("id"),
        image_id=item.get("image_id"),
        category_id=item.get("category_id"),
        masked=bool(item.get("segmentation")),
        whole=item,
    )


def _list(top: _Item, key: str, file: str) -> list[_Item]:
    items = top.get(key, [] if key == "annotations" else None)
    if items is NAN:
        raise DataError(f"{file} holds NaN in place of the list {key!r}.")
    if not isinstance(items, list):
        raise DataError(f"{file} is not a COCO file: it has no list {key!r}.")
    wrong = next((k for k, item in enumerate(items) if not isinstance(item, dict)), None)
    if wrong is not None:
        raise DataError(f"{file}: {key}[{wrong}] is not an object.")
    return items
