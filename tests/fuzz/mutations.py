"""Damage to annotation files: to bytes, to numbers and words in text, and to the values of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DIGITS = "9" * 10_000
NUMBERS = [
    "0",
    "-1",
    "1",
    "2147483648",
    "-2147483648",
    "1099511627776",
    "9223372036854775808",
    "-9223372036854775809",
    "1e30",
    "1e308",
    "1e999",
    "-1e999",
    "1e-320",
    "0.5",
    "-0.0",
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "1_0",
    "٣",
    "",
    DIGITS,
    "0.9999999",
    "1.0000001",
    "4294967295",
    "65536",
    "00",
    "+5",
    "1.5.5",
]
WORDS = [
    "",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\x.png",
    "..\\..\\x.png",
    "a\0b",
    "\ud800",
    "\udcff",
    "x" * 300,
    "y" * 20_000,
    "\n",
    "\r\n",
    "é",
    "\u202e",
    "nan",
    "None",
    "images",
    ".",
    "..",
    "./",
    "/",
    "con",
    "'\"<&>",
    "%s{0}{x}",
    "a 0.png\n",
    "[",
    "{",
    "1 " * 500,
    "a 0.png",
    "b 1.png",
    "pit",
    "&lol;",
    "]]>",
    "<!-- ",
    "<a>",
    "</annotation>",
    "~",
    "!!python/name:os.system",
    "*a",
    "&a",
    "\ufeff",
    "data:image/png;base64,AAAA",
    "eJw=",
    "true",
]
PIECES = [word.encode("utf-8", "surrogatepass") for word in WORDS] + [
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\0",
    b"\0" * 64,
    b"\xff" * 8,
    b"[" * 3_000,
    b'{"a":' * 3_000,
    b"\r",
    b"\r\n",
    b",",
    b";",
    b"\t",
    b'"',
    b"<a>" * 3_000,
    DIGITS.encode(),
    b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    b"\x1f\x8b",
    b"\xe0\xff\xff\xff\xff",
    b"\xd1" * 200,
]
_PLACE = "@@digits@@"


@dataclass(frozen=True)
class Mutation:
    """One damage: its kind, where (a share of the file, 0..1), how much, and which of the pieces."""

    kind: str
    at: float
    size: float
    piece: int


def mutate(data: bytes, mutation: Mutation) -> bytes:
    """Damage a file."""
    return KINDS[mutation.kind](data, mutation)


def _where(data: bytes, mutation: Mutation) -> tuple[int, int]:
    start = min(int(mutation.at * (len(data) + 1)), len(data))
    return start, min(start + 1 + int(mutation.size**3 * 200), len(data))


def _flip(data: bytes, mutation: Mutation) -> bytes:
    start, _ = _where(data, mutation)
    return (
        data[:start] + bytes([data[start] ^ 1 << mutation.piece % 8]) + data[start + 1 :] if start < len(data) else data
    )


def _set(data: bytes, mutation: Mutation) -> bytes:
    start, _ = _where(data, mutation)
    return data[:start] + bytes([mutation.piece % 256]) + data[start + 1 :]


def _delete(data: bytes, mutation: Mutation) -> bytes:
    start, end = _where(data, mutation)
    return data[:start] + data[end:]


def _repeat(data: bytes, mutation: Mutation) -> bytes:
    start, end = _where(data, mutation)
    return data[:end] + data[start:end] * (1 + mutation.piece % 40) + data[end:]


def _insert(data: bytes, mutation: Mutation) -> bytes:
    start, _ = _where(data, mutation)
    return data[:start] + PIECES[mutation.piece % len(PIECES)] + data[start:]


def _truncate(data: bytes, mutation: Mutation) -> bytes:
    return data[: _where(data, mutation)[0]]


def _lines(data: bytes, mutation: Mutation) -> bytes:
    """Delete, repeat or swap a line, or give all lines the ends of another system."""
    lines = data.split(b"\n")
    k, what = int(mutation.at * len(lines)) % len(lines), mutation.piece % 4
    if what == 3:
        return data.replace(b"\n", b"\r\n" if mutation.size < 0.5 else b"\r")
    other = int(mutation.size * len(lines)) % len(lines)
    lines[k : k + 1] = [[], [lines[k]] * 2, [lines[other]]][what]
    return b"\n".join(lines)


def _token(pattern: str, pieces: list[str]) -> Callable[[bytes, Mutation], bytes]:
    """Replace one match of a pattern in the text (its first group, where it has one)."""

    def replace(data: bytes, mutation: Mutation) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        found = list(re.finditer(pattern, text))
        if not found:
            return data
        match = found[int(mutation.at * len(found)) % len(found)]
        start, end = match.span(match.re.groups and 1)
        piece = pieces[mutation.piece % len(pieces)]
        return (text[:start] + piece + text[end:]).encode(
            "utf-8", "surrogatepass" if "\ud800" in piece else "surrogateescape"
        )

    return replace


def _value(data: bytes, mutation: Mutation) -> bytes:
    """Change one value of a JSON file, or of one line of a JSON-lines file."""
    try:
        return _changed(json.loads(data), mutation)
    except (ValueError, RecursionError):
        pass
    lines = data.split(b"\n")
    k = int(mutation.size * len(lines)) % len(lines)
    try:
        lines[k] = _changed(json.loads(lines[k]), mutation)
    except (ValueError, RecursionError):
        return data
    return b"\n".join(lines)


def _changed(top: Any, mutation: Mutation) -> bytes:
    places = list(_places(top))
    if not places:
        return json.dumps(top).encode()
    holder, key = places[int(mutation.at * len(places)) % len(places)]
    which = mutation.piece % (len(_VALUES) + 3)
    if which < len(_VALUES):
        holder[key] = _VALUES[which]
    elif which == len(_VALUES):
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, holder[key])
    else:
        holder[WORDS[int(mutation.size * len(WORDS)) % len(WORDS)]] = holder.pop(key)
    return json.dumps(top).replace(f'"{_PLACE}"', DIGITS).replace('"@@huge@@"', "1e999").encode()


_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    2**31,
    2**40,
    2**63,
    10**30,
    0.5,
    -0.25,
    1e308,
    float("nan"),
    float("inf"),
    _PLACE,
    "@@huge@@",
    [],
    {},
    [[]],
    [[[]]],
    [1, 2, 3, 4, 5, 6, 7],
    [[1, 1, 1e8, 1e8, 1, 5]],
    {"size": [20, 30], "counts": [2**40]},
    ["x"],
    {"a": {"b": 1}},
    [[0, 0]] * 300,
    [2**40, 2**40],
    {"counts": "0" * 5_000, "size": [20, 30]},
    *WORDS,
]


def _places(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


KINDS: dict[str, Callable[[bytes, Mutation], bytes]] = {
    "flip": _flip,
    "set": _set,
    "delete": _delete,
    "repeat": _repeat,
    "insert": _insert,
    "truncate": _truncate,
    "lines": _lines,
    "number": _token(r"-?[0-9][0-9.e+]*", NUMBERS),
    "word": _token(r"[A-Za-z_][\w .-]*", WORDS),
    "quoted": _token(r'"([^"]*)"', WORDS),
    "element": _token(r"<[^>]*>", WORDS),
    "value": _value,
    "value again": _value,
    "key": _token(r'"([^"]*)"\s*:', WORDS),
}
