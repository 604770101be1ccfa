"""Several annotation files as one source: data sets whose training, validation and test images have a file each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading, with_states
from coigan_aug.formats.source import Problem, Problems, Source, make_classes

_SIDES = re.compile(r"(?<![a-z])(train|valid|val|test)(?:ing|ation)?(?![a-z])")


def read_several(reading: Reading, files: Sequence[Path], *, read: Callable[[Reading], Source]) -> Source:
    """Open annotation files of one format below a folder, that of `reading`, as one source.

    Classes are those of all files, by name. Images are called by their paths below the folder that holds those of all
    files. What a file's name or folder calls its images (train, valid, val, test) is kept in `record.source["split"]`,
    where the file itself says nothing.

    Args:
        read: the format's `read`.

    Raises:
        DataError: as `read`; an image is in two of the files (raised where the records are read).
    """
    opened: list[tuple[str, Source]] = []
    folder, problems = reading.path, reading.problems
    for file in files:
        name = file.relative_to(folder).as_posix()
        with problems.attempt(file=name, done="file left out"), _named(name):
            inner = replace(reading, path=file, problems=_Within(problems, name))
            opened.append((name, with_states(read(inner), inner)))
    if not opened:
        raise DataError(f"{folder}: none of its annotation files can be read.", remedy=f"Name one: {files[0]}")
    sources = [source for _, source in opened]
    classes, count = _classes(sources), sum(source.count for source in sources)
    seen = f"{len(opened)} files ({', '.join(name for name, _ in opened)}): {count:,} images, {len(classes)} classes"
    root = Path(os.path.commonpath([source.image_root.resolve() for source in sources]))
    return Source(
        format=sources[0].format,
        description=f"{sources[0].description.partition(' (')[0]} in {seen}. Images: {root}/",
        classes=classes,
        image_root=root,
        count=count,
        records=_records(reading, opened, root),
    )


class _Within(Problems):
    """Passes the problems of one of several files on, with the file's path for its name.

    What images lost stays here: two files may name two images alike.
    """

    def __init__(self, outer: Problems, name: str) -> None:
        super().__init__(strict=outer.strict, lenient=outer.lenient)
        self.outer = outer
        self.name = name

    def add(
        self, what: str, *, file: str, row: int | None = None, done: str, column: str = "", error: bool = False,
        lost: str = "",
    ) -> None:  # fmt: skip
        self.lose(lost)
        self.outer.add(what, file=self._place(file), row=row, done=done, column=column, error=error)

    def count(
        self, what: str, *, file: str, row: int | None = None, done: str, first: str = "", count: int = 1,
        lost: str = "",
    ) -> None:  # fmt: skip
        self.lose(lost if count > 0 else "")
        self.outer.count(what, file=self._place(file), row=row, done=done, first=first, count=count)

    def _keep(self, problem: Problem) -> None:
        self.outer._keep(replace(problem, file=self._place(problem.file)))

    def _place(self, file: str) -> str:
        return self.name if file in (self.name, self.name.rpartition("/")[2]) else f"{file} ({self.name})"


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name one of several files by its path in what is raised within."""
    try:
        yield
    except DataError as error:
        if name in error.message:
            raise
        short = name.rpartition("/")[2]
        known = short in error.message
        message = error.message.replace(short, name, 1) if known else f"{name}: {error.message}"
        raise DataError(message, remedy=error.remedy) from error


def _classes(sources: Sequence[Source]) -> tuple[DefectClass, ...]:
    """Return the classes of all files, by name; those that files number differently have no number."""
    numbers: dict[str, set[int | str | None]] = {}
    for defect_class in (defect_class for source in sources for defect_class in source.classes):
        numbers.setdefault(defect_class.name, set()).add(defect_class.source_id)
    ids = [next(iter(source_ids)) if len(source_ids) == 1 else None for source_ids in numbers.values()]
    return make_classes(list(numbers), source_ids=[number if ids.count(number) == 1 else None for number in ids])


def _records(reading: Reading, opened: Sequence[tuple[str, Source]], root: Path) -> Iterator[ImageRecord]:
    first: dict[str, str] = {}
    for name, source in opened:
        below, side = source.image_root.resolve().relative_to(root), _side(name)
        with reading.problems.attempt(file=name, done="the rest of the file left out"), _named(name):
            for record in source.records:
                file = (below / record.file).as_posix()
                if first.setdefault(file, name) != name:
                    what = f"the image {file} is in {first[file]} and in {name}."
                    raise DataError(what, remedy=f"Name one of the files: {reading.path / name}")
                split = {"split": side} if side and not (record.split or record.source.get("split")) else {}
                yield replace(record, file=file, source={**record.source, **split})


def _side(name: str) -> str:
    """Return what a file is called by: the side of a split, "" where its path names none.

    >>> _side("valid/_annotations.coco.json"), _side("annotations/instances_train2017.json"), _side("latest.json")
    ('valid', 'train', '')
    """
    sides = _SIDES.findall(name.lower())
    return sides[-1] if sides else ""
