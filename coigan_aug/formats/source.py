"""What every format shares: the problems it met, the options it obeys, and what reading gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coigan_aug.annotations.records import DefectClass, ImageRecord, colour_of
from coigan_aug.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class Problem:
    """Something odd in the source, and what was done about it ("cut", "dropped", "joined", "kept", ...).

    `file` is the file's name as a person knows it; `row` is its line, counted from 1, where it has lines; `column` names
    the column, where it has columns and one is to blame. An `error` ends an import unless an option allows it.
    """

    file: str
    row: int | None
    what: str
    done: str
    column: str = ""
    error: bool = False

    def __str__(self) -> str:
        return f"{place(self.file, self.row)}  {self.what}; {self.done}"


class Problems:
    """Collects the problems of one import; with `strict` the first one ends it.

    Args:
        strict: raise a DataError instead of collecting.
        lenient: collect errors too, so that what is wrong in one entry doesn't end the reading of the others.
    """

    def __init__(self, *, strict: bool = False, lenient: bool = False) -> None:
        self.strict = strict
        self.lenient = lenient
        self.found: list[Problem] = []

    def add(
        self, what: str, *, file: str, row: int | None = None, done: str, column: str = "", error: bool = False
    ) -> None:
        """Note a problem; `error` says that an option alone allowed it.

        Raises:
            DataError: problems are errors here (`strict`).
        """
        if self.strict:
            raise DataError(f"{place(file, row)}  {what}.", remedy=f"Without --strict: {done}.")
        self.found.append(Problem(file, row, what, done, column, error))

    @contextmanager
    def attempt(self, *, file: str, row: int | None = None, done: str, column: str = "") -> Iterator[None]:
        """Read one entry of a source: what is wrong with it is an error, which is noted and passed over if `lenient`.

        Raises:
            DataError: the entry is wrong, and errors are not collected.
        """
        try:
            yield
        except DataError as error:
            if not self.lenient:
                raise
            what = error.message.removeprefix(f"{place(file, row)}  ").removeprefix(f"{file}: ").rstrip(".")
            self.found.append(Problem(file, row, what, done, column, error=True))


def place(file: str, row: int | None) -> str:
    """Write a place as people and editors do.

    >>> place("train.csv", 77)
    'train.csv:77'
    """
    return file if row is None else f"{file}:{row}"


@dataclass(frozen=True, slots=True)
class ClassChoice:
    """One entry of --classes: a name and, after `=`, what stands for it in the source ("" where nothing was said)."""

    name: str
    value: str = ""


def parse_classes(text: str) -> tuple[ClassChoice, ...]:
    """Read the value of --classes: `name,name,...` or `name=value,...`, a value being an id or a colour #rrggbb.

    >>> parse_classes("scratch=#ff0000,pit=#00ff00")[1]
    ClassChoice(name='pit', value='#00ff00')

    Raises:
        UsageError: an empty or repeated name or value, or some entries with and some without a value.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    choices = tuple(ClassChoice(name.strip(), value.strip().lower()) for name, _, value in pairs)
    example = "Write  --classes scratch,pit  or  --classes scratch=1,pit=2"
    if any(not choice.name for choice in choices) or any(sign and not value.strip() for _, sign, value in pairs):
        raise UsageError(f"--classes {text}: an entry is empty.", remedy=example)
    if len({choice.name for choice in choices}) < len(choices):
        raise UsageError(f"--classes {text}: a name occurs twice.", remedy=example)
    values = [choice.value for choice in choices if choice.value]
    if len(set(values)) < len(values) or len(values) not in (0, len(choices)):
        raise UsageError(f"--classes {text}: each name needs a value of its own, or none has one.", remedy=example)
    return choices


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How to read a source.

    Args:
        images: the folder of the images; None looks for it beside the annotations.
        classes: names for the classes; () takes the source's own.
        clip_rle: cut runs that leave the image instead of refusing them.
        skip_missing: leave out images that are not there.
        skip_broken: leave out images that can't be read.
    """

    images: Path | None = None
    classes: tuple[ClassChoice, ...] = ()
    clip_rle: bool = False
    skip_missing: bool = False
    skip_broken: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """An opened source: `records` is read once, image by image; `count` says how many there are at most.

    `description` says what was seen, as a sentence of the form "Severstal RLE CSV (columns ...). Images: ...".
    """

    format: str
    description: str
    classes: tuple[DefectClass, ...]
    image_root: Path
    count: int
    records: Iterator[ImageRecord]


def make_classes(names: Sequence[str], *, source_ids: Sequence[int | str | None]) -> tuple[DefectClass, ...]:
    """Give the classes of a source their colours, by position."""
    pairs = zip(names, source_ids, strict=True)
    return tuple(DefectClass(name=name, colour=colour_of(k), source_id=found) for k, (name, found) in enumerate(pairs))


def whole_number(text: str) -> int | None:
    """Read a whole number as tables write it ("3", "3.0"); None for other text."""
    match = re.fullmatch(r"\s*([+-]?[0-9]{1,18})(\.0*)?\s*", text)
    return int(match[1]) if match else None


def output_ids(classes: Sequence[DefectClass]) -> dict[str, int]:
    """Return class name -> id for writing: the source's ids where all are different numbers from 1, else 1, 2, ..."""
    own = [found.source_id for found in classes if isinstance(found.source_id, int) and found.source_id > 0]
    usable = len(set(own)) == len(classes)
    return {found.name: own[k] if usable else k + 1 for k, found in enumerate(classes)}
