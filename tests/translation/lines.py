"""Two lines for the tests: the same kinds of pieces, seen darker and with less contrast on the second one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.imaging import Pixels, write_image
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES, make_image


def dimmed(image: Pixels) -> Pixels:
    """Return what the second line sees of an image."""
    return np.rint(image * 0.5 + 10).astype(np.uint8)


def write_line(
    folder: Path, *, first: int, count: int = 8, look: Callable[[Pixels], Pixels] = lambda image: image, colour: int = -1,
    unknown: int = -1,
) -> Dataset:  # fmt: skip
    """Write a line's data set, `folder/dataset`: images from number `first` on, every second defective, a quarter for testing.

    Args:
        colour: the number of one that is coloured, with void pixels.
        unknown: the number of one of unknown state.
    """
    records = []
    for k in range(count):
        image, masks = make_image(first + k, defective=k % 2 == 0)
        image = look(image)
        if k == colour:
            image = np.stack([image, image // 2, 255 - image], axis=2)
        write_image(folder / "images" / f"deep/{k:02d}.png", image)
        void = np.zeros((72, 96), np.uint8)
        void[:4, :9] = 1
        records.append(
            ImageRecord(
                file=f"deep/{k:02d}.png", height=72, width=96, group=f"piece {first + k}",
                annotations=tuple(Annotation(label=name, rle=rle.encode(mask)) for name, mask in masks.items()),
                split="test" if k % 4 == 2 or k % 8 == 5 else "train", unknown=k == unknown,
                void=rle.encode(void) if k == colour else None,
            )
        )  # fmt: skip
    return write_dataset(
        folder / "dataset", records, classes=CLASSES, image_root=folder / "images", provenance={"format": "voc"}
    )
