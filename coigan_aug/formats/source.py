"""What every format shares: the problems it met, the options it obeys, and what reading gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from coigan_aug.annotations.records import DefectClass, ImageRecord, colour_of
from coigan_aug.errors import DataError, UsageError, brief

_LONGEST_NAME = 200
_NAME_THEM = "Name the classes: --classes NAME=ID,NAME=ID"
_FIRST_HALF, _LAST_HALF = "\ud800", "\udfff"


DROPPED = "dropped"
"""What is done to an annotation that can't be used: its image is of unknown state then."""
STATE_UNKNOWN = "of unknown state"
"""What is done with images whose mask is missing where it should not be."""


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


_NAMED = 20


class Problems:
    """Collects the problems of one import; with `strict` the first one ends it.

    `lost` are the images that lost an annotation by one of them, by their files or as the source names them: what is wrong
    with such an image nobody knows any more (`reading.with_states`). A mask that was mended is not lost. `broken` says
    of images what is wrong with them.

    Args:
        strict: raise a DataError instead of collecting.
        lenient: collect errors too, so that what is wrong in one entry doesn't end the reading of the others.
    """

    def __init__(self, *, strict: bool = False, lenient: bool = False) -> None:
        self.strict = strict
        self.lenient = lenient
        self.lost: set[str] = set()
        self.broken: list[DataError] = []
        self._noted: list[Problem] = []
        self._counted: dict[tuple[str, str], tuple[int, Problem]] = {}

    @property
    def all(self) -> list[Problem]:
        """All problems: those noted by themselves in the order of the source, then those that were counted."""
        counted = ((what, n, begin) for (what, _), (n, begin) in self._counted.items())
        return [*self._noted, *(replace(begin, what=brief(f"{n:,} {what}{begin.what}")) for what, n, begin in counted)]

    def check_broken(self) -> None:
        """Refuse the images that can't be read and were not to be skipped, once all of them are known.

        Raises:
            DataError: there are some; the message names 20 of them.
        """
        if len(self.broken) == 1:
            raise self.broken[0]
        if self.broken:
            named = [f"  {error.message}" for error in self.broken[:_NAMED]]
            more = [f"  ... and {len(self.broken) - _NAMED:,} more"] if len(self.broken) > _NAMED else []
            remedies = dict.fromkeys(error.remedy for error in self.broken)
            what = "\n".join([f"{len(self.broken):,} images can't be read:", *named, *more])
            raise DataError(what, remedy="\n".join(remedies))

    def lose(self, image: str) -> None:
        """Note that an image lost an annotation; "" is none."""
        self.lost.update({image} - {""})

    def add(
        self, what: str, *, file: str, row: int | None = None, done: str, column: str = "", error: bool = False,
        lost: str = "",
    ) -> None:  # fmt: skip
        """Note a problem; `error` says that an option alone allowed it, `lost` names the image that lost an annotation by it.

        Raises:
            DataError: problems are errors here (`strict`).
        """
        if self.strict:
            raise DataError(f"{place(file, row)}  {what}.", remedy=f"Without --strict: {done}.")
        self.lose(lost)
        self._noted.append(Problem(file, row, brief(what), done, column, error))

    @contextmanager
    def attempt(
        self, *, file: str, row: int | None = None, done: str, column: str = "", lost: str = ""
    ) -> Iterator[None]:
        """Read one entry of a source: what is wrong with it is an error, which is noted and passed over if `lenient`.

        Args:
            lost: the image that loses an annotation then.

        Raises:
            DataError: the entry is wrong, and errors are not collected.
        """
        try:
            yield
        except DataError as error:
            if not self.lenient:
                raise
            what = error.message.removeprefix(f"{place(file, row)}  ").removeprefix(f"{file}: ").rstrip(".")
            self.lose(lost)
            self._keep(Problem(file, row, what, done, column, error=True))

    def _keep(self, problem: Problem) -> None:
        self._noted.append(problem)

    def count(
        self, what: str, *, file: str, row: int | None = None, done: str, first: str = "", count: int = 1,
        lost: str = "",
    ) -> None:  # fmt: skip
        """Note a problem that a source may have by the thousand, as one: how often, and where it was first.

        Args:
            what: a plural that reads on from a number ("images are turned by EXIF").
            file: where it was first, as `row`; the annotation file's name where `first` says more.
            count: how many more they are; none is no problem.
            lost: the image that lost an annotation by it.

        Raises:
            DataError: problems are errors here (`strict`).
        """
        if count < 1:
            return
        kind = (what, done)
        before, begin = self._counted.get(kind, (0, Problem(file, row, f" (first: {first})" if first else "", done)))
        if self.strict:
            self.add(f"{count:,} {what}{begin.what}", file=file, row=row, done=done)
        self.lose(lost)
        self._counted[kind] = before + count, begin


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
        images_needed: look at the images although the annotation file says their sizes.
        size: height and width of every image that the annotation file says no size of, in pixels; images are not
            looked at then. None measures them.
        classes: names for the classes; () takes the source's own.
        clip_rle: cut runs that leave the image instead of refusing them.
        skip_missing: leave out images that are not there.
        skip_broken: leave out images that can't be read.
        value_range: what becomes 0 and what 255 in images of more than 8 bits a channel; None refuses them.
        rle_order: where the runs of a table of run lengths go: along "rows" or "columns"; None goes by its columns.
        line_width: the width in pixels of lines that stand for defects; None leaves their images of unknown state.
        unknown_as_clean: take images of unknown state as they are: those without a mask as free of defects.
        pair: finds in the names of images and masks what they have in common, as its group `key`.
        invert_masks: the background of masks is white, the defect black; False says that they are right although most of
            every image is defect; None asks then.
        resize_masks: bring mask images to the size of their images, if they have its proportions.
    """

    images: Path | None = None
    images_needed: bool = True
    size: tuple[int, int] | None = None
    classes: tuple[ClassChoice, ...] = ()
    clip_rle: bool = False
    skip_missing: bool = False
    skip_broken: bool = False
    value_range: tuple[float, float] | None = None
    rle_order: str | None = None
    line_width: float | None = None
    unknown_as_clean: bool = False
    pair: re.Pattern[str] | None = None
    invert_masks: bool | None = None
    resize_masks: bool = False


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


def parse_size(text: str) -> tuple[int, int]:
    """Read the value of --size, height and width in pixels.

    >>> parse_size("256x1600")
    (256, 1600)

    Raises:
        UsageError: it is not two whole numbers from 1.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})\s*[xX]\s*([1-9][0-9]{0,5})", text.strip())
    if match is None:
        raise UsageError(f"--size {text} is not height x width.", remedy="Write  --size 256x1600")
    return int(match[1]), int(match[2])


def parse_unknown(text: str | None) -> bool:
    """Read the value of --unknown-as: whether images of unknown state are taken as they are.

    Raises:
        UsageError: it is another word than "clean".
    """
    if text not in (None, "clean"):
        raise UsageError(f"--unknown-as {text}: they can be taken as clean only.", remedy="Write  --unknown-as clean")
    return text is not None


def check_class_names(names: Sequence[str]) -> None:
    """Refuse names that no class can have.

    Raises:
        DataError: a name is longer than 200 signs, has half characters in it, or is there twice.
    """
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"several classes are named {brief(twice, most=60)}.", remedy=_NAME_THEM)
    for name in names:
        if len(name) > _LONGEST_NAME or any(_FIRST_HALF <= sign <= _LAST_HALF for sign in name):
            what = (
                f"a class is named {brief(ascii(name), most=60)}; names have at most {_LONGEST_NAME} signs of Unicode."
            )
            raise DataError(what, remedy=_NAME_THEM)


def make_classes(names: Sequence[str], *, source_ids: Sequence[int | str | None]) -> tuple[DefectClass, ...]:
    """Give the classes of a source their colours, by position.

    Raises:
        DataError: as `check_class_names`.
    """
    check_class_names(names)
    pairs = enumerate(zip(names, source_ids, strict=True))
    return tuple(DefectClass(name=name, colour=colour_of(k), source_id=number) for k, (name, number) in pairs)


def side_of(word: object) -> str:
    """Return the side of the split that a source's word for it means: what is neither train nor nothing is held out.

    >>> side_of("train"), side_of("val"), side_of(None)
    ('train', 'test', '')
    """
    return "" if not word else "train" if str(word).lower().startswith("train") else "test"


def whole_number(text: str) -> int | None:
    """Read a whole number as tables write it ("3", "3.0"); None for other text."""
    match = re.fullmatch(r"\s*([+-]?[0-9]{1,18})(\.0*)?\s*", text)
    return int(match[1]) if match else None


def as_whole(value: object) -> object:
    """Return a whole number as such where JSON or a table has it as 40.0 or "40"; anything else as it is.

    >>> as_whole(40.0), as_whole("40"), as_whole(4.5), as_whole(None)
    (40, 40, 4.5, None)
    """
    number = whole_number(str(value)) if isinstance(value, (float, str)) else None
    return value if number is None else number


def output_ids(classes: Sequence[DefectClass], *, least: int = 1) -> dict[str, int]:
    """Return class name -> id for writing: the source's ids where all are different numbers from `least`, else 1, 2, ...

    Args:
        least: 0 where the format takes 0 for a class like any other.
    """
    ids = [c.source_id for c in classes if isinstance(c.source_id, int) and c.source_id >= least]
    usable = len(set(ids)) == len(classes)
    return {c.name: ids[k] if usable else k + 1 for k, c in enumerate(classes)}


def claim(name: str, file: str, taken: dict[str, str]) -> None:
    """Note that the annotations of an image are written to a file of this name, which must be no other image's.

    Raises:
        DataError: it is: the images differ in what the format leaves off, such as their suffix.
    """
    if name in taken:
        what = f"the annotations of {taken[name]} and {file} would both be written as {name}."
        raise DataError(what, remedy="Rename one of them in the source.")
    taken[name] = file
