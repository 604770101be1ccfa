"""Opening what is to be inspected: a Dataset, the one of a workspace, or a team's file, all as a Dataset."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.reading import drain
from coigan_aug.formats.source import Problem, Problems, ReadOptions, side_of
from coigan_aug.progress import Report, silent
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is inspected: `path` as it was named, how it was read, what the reader met, and what stopped it ("" nothing).

    `split` says that it is known of images on which side they are: of a Dataset, and where a source names both.
    `unknown_as_clean` takes images of unknown state as they are.
    """

    path: Path
    dataset: Dataset
    description: str
    split: bool
    unknown_as_clean: bool = False
    problems: tuple[Problem, ...] = ()
    stopped: str = ""


def subject_of(dataset: Dataset, *, path: Path | None = None) -> Subject:
    """Return a Dataset as what is inspected; `path` is what a person named, by default its folder."""
    described = f"Data set ({len(dataset):,} images, {dataset.manifest['provenance'].get('format', 'made here')})"
    return Subject(path=path or dataset.folder, dataset=dataset, description=described, split=True)


@contextmanager
def opened(
    path: Path, *, options: ReadOptions | None = None, format: str | None = None, progress: Report = silent
) -> Iterator[Subject]:
    """Open a Dataset, or a team's file or folder, whose records are kept in a temporary Dataset meanwhile.

    A wrong entry of the file is noted and left out; where its format can't go on after it, what was read until then
    counts.

    Raises:
        DataError: nothing of it can be read.
    """
    options = options or ReadOptions()
    folder = None if format else find_dataset(path)
    if folder is not None:
        yield replace(subject_of(Dataset(folder), path=path), unknown_as_clean=options.unknown_as_clean)
        return
    problems = Problems(lenient=True)
    lenient = replace(options, skip_missing=True, skip_broken=True)
    source = open_source(path, options=lenient, problems=problems, name=format)
    with tempfile.TemporaryDirectory(prefix="coigan-aug-") as temporary:
        stops: list[DataError] = []
        records = drain(source.records, count=source.count, report=progress, stopped=stops.append)
        sides: set[str] = set()
        dataset = write_dataset(
            Path(temporary), _on_sides(records, sides), classes=source.classes, image_root=source.image_root,
            provenance={},
        )  # fmt: skip
        if not len(dataset):
            raise next(iter(stops), DataError(f"{path} holds no images.", remedy="Say where they are: --images DIR"))
        yield Subject(
            path=path, dataset=dataset, description=source.description, split={"train", "test"} <= sides,
            problems=tuple(problems.all), stopped=stops[0].message if stops else "",
        )  # fmt: skip


def _on_sides(records: Iterable[ImageRecord], sides: set[str]) -> Iterator[ImageRecord]:
    """Yield records, each on the side that its source names; `sides` are those named."""
    for record in records:
        side = record.split or side_of(record.source.get("split"))
        sides.add(side)
        yield replace(record, split=side)
