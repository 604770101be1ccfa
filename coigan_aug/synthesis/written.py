"""What a set consists of: the list of its files, so that a new set replaces these and no others; real images beside."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.files import atomic_write, inside, write_bytes
from coigan_aug.formats.detect import FORMATS, format_named
from coigan_aug.sealed import read_lines, sealed_line
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.parts import read_start
from coigan_aug.synthesis.rejected import THUMBNAILS

WRITTEN = ".written"
"""A line of JSON for each file: of the images, thumbnails and annotations; noted before the annotations lie there."""

_IMAGE = r"synthetic_\d{6,}(_\d+)?\.(png|jpg)"
_THUMBNAIL = r"\d{6,}(_\d+)?-\d+\.png"
_DRAWN = dict.fromkeys((known.image_folder for known in FORMATS), _IMAGE) | {THUMBNAILS: _THUMBNAIL}


def note_written(out: Path, names: Iterable[str]) -> None:
    """Note the files of a set, relative to its folder."""
    with atomic_write(out / WRITTEN) as stream:
        stream.writelines(sealed_line({"file": name}) for name in names)


def remove_written(out: Path) -> None:
    """Remove the files of a set, finished or begun, and the folders that are empty then; other files stay."""
    folders: set[Path] = set()
    for name in chain(_listed(out), _drawn(out), _copied(out)):
        path = inside(out, name)
        path.unlink(missing_ok=True)
        folders.update(folder for folder in path.parents if folder.is_relative_to(out) and folder != out)
    for folder in sorted(folders, reverse=True):  # what lies in another comes first
        with contextlib.suppress(OSError):
            folder.rmdir()


def _listed(out: Path) -> Iterator[str]:
    """Yield the files that are listed; earlier versions wrote a bare name a line."""
    for line in read_lines(out / WRITTEN, remedy=f"Give a new folder with --out, or delete {out / WRITTEN}."):
        yield str(line["file"] if isinstance(line, dict) else line)


def _drawn(out: Path) -> Iterator[str]:
    """Yield the pictures that were drawn, listed or not: those included that were being written at a kill."""
    for folder, name in _DRAWN.items():
        paths = sorted((out / folder).iterdir()) if (out / folder).is_dir() else []
        whole = re.compile(rf"{name}|\.{name}\.[-\da-f]+\.tmp")
        yield from (f"{folder}/{path.name}" for path in paths if whole.fullmatch(path.name))


def _copied(out: Path) -> Iterator[str]:
    """Yield the real images that an unfinished set may have beside."""
    start = read_start(out)
    if start is not None:
        folder = format_named(start.card.format or "").image_folder
        yield from (real_name(file, folder=folder) for file in start.real or ())


def most_synthetic(defective: int, *, share: float) -> int:
    """Return how many synthetic images are at most `share` of the images with defects, beside so many real ones; 1 at least.

    >>> most_synthetic(65, share=0.35)
    35
    """
    return max(math.floor(share / (1 - share) * defective + 1e-9), 1)


def real_name(file: str, *, folder: str) -> str:
    """Return what a real image is called below a set.

    >>> real_name("a/b.png", folder="images")
    'images/real_a__b.png'
    """
    return f"{folder}/real_{file.replace('/', '__')}"


def real_records(dataset: Dataset, files: Sequence[str], out: Path, *, folder: str) -> Iterator[ImageRecord]:
    """Copy images of a data set, byte for byte, below `out` and yield their records, by the names of `real_name`."""
    names = set(files)
    for position, record in enumerate(dataset):
        if record.file in names:
            name = real_name(record.file, folder=folder)
            data = dataset.image_path(position).read_bytes()
            if not (out / name).exists() or (out / name).read_bytes() != data:
                write_bytes(out / name, data)
            yield dataclasses.replace(record, file=name, split="train")
