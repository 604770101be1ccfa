"""XML as a stream of elements with their lines, in bounded memory, and text as XML holds it.

Document types and entities are refused: they could make a small file huge, or read others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from coigan_aug.errors import DataError

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Signs that no XML file can hold, not even escaped."""
SHORT = 10_000_000
"""The most bytes of a file that is of one image, or lists classes."""

_BLOCK = 1 << 20
_DEEPEST = 64
_LONGEST_TEXT = 1 << 20


@dataclass(frozen=True, slots=True)
class Element:
    """The start or the end of an element.

    `path` names the elements from the outermost to this one; `text`, known at its end, is what stands in it after the
    elements in it: all of it where there are none.
    """

    path: tuple[str, ...]
    start: bool
    attributes: dict[str, str]
    line: int
    text: str = ""

    @property
    def name(self) -> str:
        return self.path[-1]


@dataclass
class _Open:
    """The elements that are open while a file is read, and those seen since the last block."""

    file: str
    names: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    attributes: list[dict[str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    seen: list[Element] = field(default_factory=list)


def read_elements(path: Path, *, most: int | None = None) -> Iterator[Element]:
    """Yield the start and the end of each element of an XML file.

    Args:
        most: refuse a file of more bytes.

    Raises:
        DataError: it is missing, too long, not XML, has a document type or entities, or is nested too deeply; the
            message names the line.
    """
    state = _Open(path.name)
    parser = _parser(state)
    size = 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                size += len(block)
                if most is not None and size > most:
                    raise DataError(f"{path.name} has over {most:,} bytes, too many for such a file.")
                parser.Parse(block, False)
                yield from state.seen
                state.seen.clear()
        parser.Parse(b"", True)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except expat.ExpatError as error:
        what = expat.errors.messages.get(error.code, "damaged")
        raise DataError(f"{path.name}:{error.lineno}  is not valid XML: {what} (column {error.offset + 1}).") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, LookupError) as error:
        raise DataError(f"{path.name} is in an encoding that can't be read.", remedy="Save it as UTF-8.") from error
    yield from state.seen


def _parser(state: _Open) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        what = f"{state.file}:{parser.CurrentLineNumber}  has a document type (DTD) or entities, which are refused."
        raise DataError(what, remedy="Export it again, or delete its <!DOCTYPE ...>.")

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(state.names) >= _DEEPEST:
            raise DataError(f"{state.file}:{parser.CurrentLineNumber}  is nested too deeply for an annotation file.")
        if state.texts:
            state.texts[-1] = ""
        state.names.append(name)
        state.lines.append(parser.CurrentLineNumber)
        state.attributes.append(attributes)
        state.texts.append("")
        state.seen.append(Element(tuple(state.names), True, attributes, state.lines[-1]))

    def text(data: str) -> None:
        if len(state.texts[-1]) + len(data) > _LONGEST_TEXT:
            raise DataError(f"{state.file}:{state.lines[-1]}  holds more text than an annotation has.")
        state.texts[-1] += data

    def end(name: str) -> None:
        path, line = tuple(state.names), state.lines.pop()
        state.names.pop()
        state.seen.append(Element(path, False, state.attributes.pop(), line, state.texts.pop()))

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    return parser


def text_of(value: object) -> str:
    """Return a value as it stands between tags; signs that XML can't hold become `?`.

    >>> text_of("a < b\\0")
    'a &lt; b?'
    """
    return escape(NOT_XML.sub("?", str(value)), {"\r": "&#13;"})


def quoted(value: object) -> str:
    """Return a value as an attribute's, in quotes; signs that XML can't hold become `?`.

    >>> quoted("a & b")
    '"a &amp; b"'
    """
    return quoteattr(NOT_XML.sub("?", str(value)))
