"""The members of a JSON object of any size, read block by block; lists of objects come in pieces of whole elements.

Where a piece ends is not parsed but guessed, and proved by parsing: text from the beginning of an element up to a brace
is JSON, put in brackets, only if that brace ends an element of the list itself.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

_SPACE = rb"[ \t\r\n]*"
_OPEN = re.compile(_SPACE + rb"\{" + _SPACE)
_COLON = re.compile(_SPACE + rb":" + _SPACE)
_BEGIN = re.compile(rb"\[" + _SPACE)
_BETWEEN = re.compile(_SPACE + rb"," + _SPACE)
_BEHIND = re.compile(_SPACE + rb"([,}\]])" + _SPACE)
_ENDS = re.compile(rb"\}" + _SPACE + rb"(?:,|\])")
_LAST = re.compile(rb"\}" + _SPACE + rb"\]")
_SIGN = re.compile(rb'["\[\]{}]')
_PLAIN = re.compile(rb'[^\s,\[\]{}"]+')
_BACKSLASH = ord("\\")
_BLOCK = 1 << 20
_TRIES = 16
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class Piece:
    """Some elements of a list of objects, as text of a list that holds them alone; none where the list is empty.

    `begins` and `sizes` say where each stands in the file, in bytes.
    """

    key: str
    text: bytes
    begins: list[int]
    sizes: list[int]


def read_pieces(stream: BinaryIO, *, lists: Collection[str]) -> Iterator[Piece]:
    """Yield the members of the outermost object that are named in `lists`, in pieces of about a megabyte.

    The rest is passed over, having been checked. Keys of objects in the lists may be repeated, as parsers have it.

    Raises:
        ValueError: it is no such object, not JSON, or not UTF-8; a key of the outermost object is repeated; a member is no
            list of objects; or an end can't be guessed. It says no more: `json_files` knows what is wrong where.
        RecursionError: it is nested too deeply.
    """
    window = _Window(stream)
    window.take(_OPEN)
    seen: set[str] = set()
    while True:
        key = msgspec.json.decode(_name(window), type=str)
        if key in seen:
            raise ValueError(f"{key} is repeated")
        seen.add(key)
        if key in lists:
            yield from _pieces(window, key)
        else:
            _pass_over(window)
        if window.take(_BEHIND)[1] == b"}":
            break
    if not window.ended:
        raise ValueError("there is more behind the object")


class _Window:
    """The part of a file that is in memory: bytes from `base` in the file on, looked at from `at` on."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._check = codecs.getincrementaldecoder("utf-8")()
        self.data = b""
        self.base = self.at = 0

    @property
    def ended(self) -> bool:
        return self.at == len(self.data) and not self.more()

    def more(self) -> bool:
        """Take another block in; False at the end of the file."""
        block = self._stream.read(max(_BLOCK, len(self.data) - self.at))
        if not (block and block.isascii() and self._check.getstate()[0] == b""):
            self._check.decode(block, final=not block)
        if block:
            self.base, self.data, self.at = self.base + self.at, self.data[self.at :] + block, 0
        return bool(block)

    def take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """Match a pattern here and go behind it."""
        match = pattern.match(self.data, self.at)
        while (match is None or match.end() == len(self.data)) and self.more():
            match = pattern.match(self.data, self.at)
        if match is None:
            raise ValueError("something else is expected")
        self.at = match.end()
        return match


def _name(window: _Window) -> bytes:
    """Return the text of a member's name, quotes included, and go behind its colon."""
    if window.data[window.at : window.at + 1] != b'"':
        raise ValueError("a name is expected")
    end = _end_of_value(window)
    while end is None:
        if not window.more():
            raise ValueError("a name does not end")
        end = _end_of_value(window)
    name = window.data[window.at : end]
    window.at = end
    window.take(_COLON)
    return name


def _pass_over(window: _Window) -> None:
    """Go behind a value, which must be JSON."""
    end = _end_of_value(window)
    while end is None:
        if not window.more():
            raise ValueError("a value does not end")
        end = _end_of_value(window)
    msgspec.json.decode(memoryview(window.data)[window.at : end])
    window.at = end


def _end_of_value(window: _Window) -> int | None:
    """Return where the value here ends; None where that is not in the window."""
    data, at = window.data, window.at
    if data[at : at + 1] not in (b"{", b"[", b'"'):
        plain = _PLAIN.match(data, at)
        return plain.end() if plain and plain.end() < len(data) else None
    depth = 0
    while (sign := _SIGN.search(data, at)) is not None:
        at = sign.end()
        if sign[0] == b'"':
            end = _end_of_string(data, at)
            if end is None:
                return None
            at = end
        else:
            depth += 1 if sign[0] in b"{[" else -1
        if depth == 0:
            return at
    return None


def _end_of_string(data: bytes, at: int) -> int | None:
    """Return where the string ends whose first sign stands at a position; a regular expression takes 120 times its memory."""
    while (quote := data.find(b'"', at)) >= 0:
        escapes = quote
        while escapes > at and data[escapes - 1] == _BACKSLASH:
            escapes -= 1
        if (quote - escapes) % 2 == 0:
            return quote + 1
        at = quote + 1
    return None


def _pieces(window: _Window, key: str) -> Iterator[Piece]:
    """Yield the pieces of a list, and go behind it."""
    window.take(_BEGIN)
    if window.data[window.at : window.at + 1] == b"]":
        window.at += 1
        yield Piece(key, b"[]", [], [])
        return
    more = True
    while more:
        while len(window.data) - window.at < _BLOCK and window.more():
            pass
        yield _piece(window, key)
        more = window.take(_BEHIND)[1] == b","


def _piece(window: _Window, key: str) -> Piece:
    """Return as many whole elements as are in the window, and go behind them."""
    while True:
        for end in _ends(window):
            text = b"[%b]" % window.data[window.at : end]
            try:
                elements = _RAWS.decode(text)
            except msgspec.MsgspecError:
                continue
            piece = Piece(key, text, *_places(text, elements, window.base + window.at))
            window.at = end
            return piece
        if not window.more():
            raise ValueError("a list does not end")


def _ends(window: _Window) -> Iterator[int]:
    """Yield where the last whole element in the window may end: the likeliest first, at most a few."""
    data, at = window.data, window.at
    likely = _last(data, at, len(data))
    if likely is not None:
        yield likely
    for _, match in zip(range(_TRIES), _LAST.finditer(data, at), strict=False):  # the list itself may end here
        yield match.start() + 1
    for _ in range(_TRIES):
        likely = _last(data, at, likely - 1) if likely is not None else None
        if likely is not None:
            yield likely


def _last(data: bytes, at: int, end: int) -> int | None:
    """Return where the last object ends, of which another element or the end of a list is behind."""
    brace = data.rfind(b"}", at, end)
    while brace >= 0 and _ENDS.match(data, brace) is None:
        brace = data.rfind(b"}", at, brace)
    return brace + 1 if brace >= 0 else None


def _places(text: bytes, elements: list[msgspec.Raw], base: int) -> tuple[list[int], list[int]]:
    """Return where elements begin in the file, and their sizes; `text` has one bracket before what begins at `base`."""
    begins, sizes = [], [len(memoryview(raw)) for raw in elements]
    at, usual = 1, b"]"
    for size in sizes:
        begins.append(base + at - 1)
        end = at + size
        if text.startswith(usual, end):  # the same as before, and a brace
            at = end + len(usual) - 1
        else:
            between = _BETWEEN.match(text, end)
            at = between.end() if between else end
            usual = text[end : at + 1]
    return begins, sizes
