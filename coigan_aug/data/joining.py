"""Images of several lines in one Dataset: to draw the defects of one on the surface of another, and to train on both."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock, json_line
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.store.noted import note_images
from coigan_aug.store.writer import write_dataset

Part = tuple[Dataset, Sequence[int]]
"""A Dataset, and the positions of the images that are taken of it."""


def surface_of(line: Dataset) -> list[int]:
    """Return the positions of a line's images that are known to be free of defects and are not kept for testing."""
    return [k for k, record in enumerate(line) if record.split != "test" and record.state == "clean"]


def put_onto(own: Dataset, positions: Sequence[int], other: Dataset, *, root: Path) -> Dataset:
    """Join those of a line's images at `positions` that have defects with another line's surface, to be drawn on.

    Raises:
        DataError: no image of the other line is known to be free of defects; as `join`.
    """
    free = surface_of(other)
    if not free:
        what = f"No image of {other.folder} is known to be free of defects, but for its test images."
        raise DataError(what, remedy="Import defect-free images, too, or name a folder that holds nothing else.")
    return join([(own, [k for k in positions if own[k].annotations]), (other, free)], root=root)


def join(parts: Sequence[Part], *, root: Path) -> Dataset:
    """Put images of several Datasets together in one below `root`, all of them for training, with the first one's classes.

    Their files are named from the folder that holds all of them, and stay where they are. Made once: the same images give
    the same Dataset, in the same folder.

    Raises:
        DataError: an image is not what it was when it was imported, or no folder holds all of them.
    """
    for dataset, positions in parts:
        for k in positions:
            if change := dataset.change_of(k):
                what = f"{dataset.image_path(k)} is not the image that was imported: {change}."
                raise DataError(what, remedy="Import it again: coigan-aug import ... --overwrite")
    paths = [dataset.image_path(k) for dataset, positions in parts for k in positions]
    noted, home = note_images(paths), _common([dataset.image_root for dataset, _ in parts])
    of = [[dataset.manifest["sha256"], str(dataset.image_root), list(positions)] for dataset, positions in parts]
    folder = root / hashlib.sha256(json_line(of) + noted).hexdigest()[:16]
    with folder_lock(folder, wait=True):
        if not (folder / MANIFEST).exists():
            provenance = {"format": "joined", "of": [str(dataset.folder) for dataset, _ in parts]}
            write_dataset(
                folder, _records(parts, home), classes=parts[0][0].classes, image_root=home, provenance=provenance,
                noted=noted,
            )  # fmt: skip
    return Dataset(folder)


def _common(roots: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath([root.resolve() for root in roots]))
    except ValueError as error:  # drives of Windows
        named = ", ".join(map(str, roots))
        raise DataError(f"No folder holds all images: {named}.", remedy="Put them on one drive.") from error


def _records(parts: Sequence[Part], home: Path) -> Iterator[ImageRecord]:
    for dataset, positions in parts:
        for k in positions:
            file = dataset.image_path(k).relative_to(home).as_posix()
            yield dataclasses.replace(dataset[k], file=file, split="train")
