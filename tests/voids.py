"""The small data set with void pixels, painted white: no other pixel of it is, so that every picture shows what is void."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.imaging import read_image, write_image
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import write_toy

WHITE = 255
RING = 2
BLOCK = np.zeros((72, 96), bool)
BLOCK[:4, 50:84] = True


def void_of(record: ImageRecord) -> np.ndarray:
    """Return what is void in an image: a ring round each defect, and a block that lies apart from all: bool [H, W]."""
    if not record.annotations:
        return BLOCK
    union = rle.decode(rle.union([annotation.rle for annotation in record.annotations]))
    return BLOCK | ((grow(union, RING) != 0) & (union == 0))


def write_toy_with_void(folder: Path, *, count: int = 12, without: tuple[int, ...] = ()) -> Dataset:
    """Write the small data set with void in all its images, but for those `without` (by position)."""
    toy = write_toy(folder, count=count)
    records = []
    for position, record in enumerate(toy):
        if position in without:
            records.append(record)
            continue
        void = void_of(record)
        image = read_image(toy.image_path(position))
        write_image(toy.image_path(position), np.where(void, np.uint8(WHITE), image))
        records.append(replace(record, void=rle.encode(void)))
    return write_dataset(
        toy.folder, records, classes=toy.classes, image_root=toy.image_root, provenance={"format": "coco"}
    )
