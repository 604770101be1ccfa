"""Packed binary JSON (pbjson's format). Damaged bytes are an error here; pbjson's own decoder ends the process.

A value begins with a byte: three bits of kind, a bit that says a longer length follows, four bits of length. Keys of
objects are their length and text, or 128 and more: the place of one of the value's first 128 keys.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pbjson

SLOW = (
    "pbjson was installed without its C part, so packed binary JSON is written about 14 times slower. Install a C compiler,"
    " then: pip install --force-reinstall --no-cache-dir pbjson  Or write text: leave out --binary."
)
_INT, _NEGATIVE, _FLOAT, _TEXT, _BINARY, _LIST, _OBJECT = range(0x20, 0x100, 0x20)
_CONSTANTS = {0: False, 1: True, 2: None}
_ENDLESS_LIST, _END = 0x0C, 0x0F
_DIGITS = "0123456789+-..e?"
_MOST_KEYS = 128
_DEEPEST = 100
_LONGEST_NUMBER = 1785  # bytes; longer ones have more than the 4,300 digits that Python writes


class DamagedPacked(ValueError):
    """The bytes are no packed binary JSON."""


class CutPacked(DamagedPacked):
    """The bytes end before the value does."""


def pack(value: Any) -> bytes:
    """Encode a JSON value.

    Raises:
        ValueError: a key is longer than 127 bytes, which the format can't hold.
    """
    _say_if_slow()
    try:
        packed: bytes = pbjson.dumps(value)
    except SystemError as error:
        raise ValueError("it has a key of more than 127 bytes") from error
    return packed


@cache
def _say_if_slow() -> None:
    """Say once that pbjson met no compiler when it was installed, of which it says nothing itself."""
    if not getattr(pbjson, "_has_encoder_speedups", lambda: True)():
        from coigan_aug.progress import say

        say(SLOW)


def unpack(data: bytes, start: int = 0) -> tuple[Any, int]:
    """Decode the value that begins at `start`; return it and where it ends.

    Raises:
        CutPacked: it is cut off.
        DamagedPacked: it is no such value, nested over 100 levels deep, or holds a number that is not finite or has
            thousands of digits.
    """
    try:
        return _value(data, start, [], 0)
    except IndexError as error:
        raise CutPacked("it is cut off") from error
    except UnicodeDecodeError as error:
        raise DamagedPacked("a text is not UTF-8") from error


def _value(data: bytes, at: int, keys: list[str], depth: int) -> tuple[Any, int]:
    first = data[at]
    kind = first & 0xE0
    if not kind:
        return _constant(data, at, keys, depth)
    length, at = (first & 0x0F, at + 1) if not first & 0x10 else _length(data, at)
    if kind == _LIST:
        return _items(data, at, length, keys, depth + 1)
    if kind == _OBJECT:
        return _object(data, at, length, keys, depth + 1)
    end = at + length
    if end > len(data):
        raise CutPacked("it is cut off")
    if kind == _TEXT:
        return data[at:end].decode(), end
    if kind == _BINARY:
        raise DamagedPacked("it holds bytes, which JSON can't")
    if length > _LONGEST_NUMBER:
        raise DamagedPacked("a number is too long")
    if kind == _FLOAT:
        return _number(data[at:end]), end
    number = int.from_bytes(data[at:end], "big")
    return (-number if kind == _NEGATIVE else number), end


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length of 11, 19 or 32 bits."""
    first = data[at]
    extra = 4 if first & 0x0F == 0x0F else 2 if first & 0x08 else 1
    if at + 1 + extra > len(data):
        raise CutPacked("it is cut off")
    low = int.from_bytes(data[at + 1 : at + 1 + extra], "big")
    return low if extra == 4 else (first & 7) << 8 * extra | low, at + 1 + extra


def _constant(data: bytes, at: int, keys: list[str], depth: int) -> tuple[Any, int]:
    if data[at] in _CONSTANTS:
        return _CONSTANTS[data[at]], at + 1
    if data[at] == _ENDLESS_LIST:
        return _items(data, at + 1, None, keys, depth + 1)
    raise DamagedPacked("it holds a value that JSON has not")


def _items(data: bytes, at: int, count: int | None, keys: list[str], depth: int) -> tuple[list[Any], int]:
    """Read a list of `count` values, or one that goes on to its end mark."""
    _check_depth(depth)
    values: list[Any] = []
    while count is None or len(values) < count:
        first = data[at]
        if first & 0xF0 == _INT:  # a short whole number: most of what there is, so without a call
            end = at + 1 + (first & 0x0F)
            if end > len(data):
                raise CutPacked("it is cut off")
            values.append(int.from_bytes(data[at + 1 : end], "big"))
            at = end
            continue
        if count is None and first == _END:
            return values, at + 1
        item, at = _value(data, at, keys, depth)
        values.append(item)
    return values, at


def _object(data: bytes, at: int, count: int, keys: list[str], depth: int) -> tuple[dict[str, Any], int]:
    _check_depth(depth)
    values: dict[str, Any] = {}
    for _ in range(count):
        mark, at = data[at], at + 1
        if mark < 0x80:
            if at + mark > len(data):
                raise CutPacked("it is cut off")
            key, at = data[at : at + mark].decode(), at + mark
            if len(keys) < _MOST_KEYS:
                keys.append(key)
        elif mark & 0x7F < len(keys):
            key = keys[mark & 0x7F]
        else:
            raise DamagedPacked("a key stands for none before it")
        values[key], at = _value(data, at, keys, depth)
    return values, at


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise DamagedPacked("it is nested too deeply")


def _number(digits: bytes) -> float:
    """Read a decimal number of one sign in 4 bits; 12 and 13 are the point, which may also fill the last half byte."""
    text = "".join(_DIGITS[byte >> 4] + _DIGITS[byte & 15] for byte in digits).removesuffix(".")
    try:
        number = float(text or "0")
    except ValueError as error:
        raise DamagedPacked("it holds a number that is none") from error
    if not abs(number) < float("inf"):
        raise DamagedPacked("it holds a number that is not finite")
    return number
