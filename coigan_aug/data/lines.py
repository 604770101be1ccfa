"""Two lines whose looks are learned: a Dataset or a workspace each, or a folder of images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock
from coigan_aug.formats.dataset_source import find_dataset
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.source import Problems
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.store.writer import write_dataset


@dataclass(frozen=True)
class TwoLines:
    """The images of line A and of line B. A run that learned from them can go on if both are the same."""

    a: Dataset
    b: Dataset

    @property
    def classes(self) -> tuple[DefectClass, ...]:
        """A's classes."""
        return self.a.classes

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return self.a.names

    @property
    def folder(self) -> Path:
        """Where A lies, for messages."""
        return self.a.folder

    @property
    def manifest(self) -> dict[str, Any]:
        """What tells both from others."""
        return {"sha256": f"{self.a.manifest['sha256']} {self.b.manifest['sha256']}"}


def open_line(path: Path, *, root: Path) -> Dataset:
    """Open what a person names as a line: a Dataset or a workspace with its masks, or a folder of images without.

    Args:
        root: the folder below which records of a folder of images are kept; they may be deleted at any time.

    Raises:
        DataError: there is no such folder, or it holds no images, or one of them can't be read.
    """
    found = find_dataset(path)
    if found is not None:
        return Dataset(found)
    if not path.is_dir():
        raise DataError(
            f"{path} is neither a data set nor a folder of images.",
            remedy="Name a folder of images, a data set or a workspace.",
        )
    images = ImageFolder(path, problems=Problems(lenient=True))
    if not images.images():
        raise DataError(f"{path} holds no images.", remedy="Name a folder of images, a data set or a workspace.")
    kept, records = root / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16], list(_records(images))
    with folder_lock(kept, wait=True):  # several processes may open it, and none may find it half written
        if (kept / MANIFEST).exists() and list(known := Dataset(kept)) == records:
            return known
        return write_dataset(kept, records, classes=(), image_root=path, provenance={"format": "images"})


def _records(images: ImageFolder) -> Iterator[ImageRecord]:
    for file in images.images():
        height, width = images.size(file)
        yield ImageRecord(file=file, height=height, width=width, annotations=(), group=file, split="train")
