"""Real images beside synthetic ones: the training split, copied as it is, and how many synthetic ones it bears."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.files import write_bytes
from coigan_aug.store.dataset import Dataset


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
    wanted = set(files)
    for position, record in enumerate(dataset):
        if record.file in wanted:
            name = real_name(record.file, folder=folder)
            data = dataset.image_path(position).read_bytes()
            if not (out / name).exists() or (out / name).read_bytes() != data:
                write_bytes(out / name, data)
            yield dataclasses.replace(record, file=name, split="train")
