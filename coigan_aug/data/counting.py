"""How much there is of each class: images, objects, their areas, and on which side of the split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.components import component_areas
from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.data.split import reached_shares

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """What there is of a class: images, objects (8-connected components), their median area in pixels, and the split.

    `train` and `test` count images; `train_share` is the share of the objects that went to train (None without objects).
    """

    name: str
    images: int
    objects: int
    median_pixels: float
    train: int
    test: int
    train_share: float | None


@dataclass(frozen=True, kw_only=True)
class VoidCount:
    """How many images have void pixels, neither defect nor clean surface, and how many pixels these are, of all of theirs."""

    images: int = 0
    pixels: int = 0
    of: int = 0


def count_void(records: Sequence[ImageRecord]) -> VoidCount:
    """Count the void of images."""
    pairs = [(record, record.void) for record in records if record.void is not None]
    pixels = sum(rle.area(void) for _, void in pairs)
    return VoidCount(images=len(pairs), pixels=pixels, of=sum(record.height * record.width for record, _ in pairs))


def object_areas(records: Sequence[ImageRecord], classes: Sequence[DefectClass]) -> list[list[Counts]]:
    """Return, by image and class, the areas of the 8-connected components of the class' union mask.

    Images of unknown state count in no class: what they have left is not all there is of it.
    """
    unions = [[None if record.unknown else _union(record, c.name) for c in classes] for record in records]
    component = component_areas(mask for row in unions for mask in row if mask is not None)
    return [[np.zeros(0, np.int64) if mask is None else next(component) for mask in row] for row in unions]


def _union(record: ImageRecord, name: str) -> rle.Rle | None:
    masks = [annotation.rle for annotation in record.annotations if annotation.label == name]
    return None if not masks else masks[0] if len(masks) == 1 else rle.union(masks)


def object_counts(areas: Sequence[Sequence[Counts]]) -> Counts:
    return np.array([[len(objects) for objects in row] for row in areas], dtype=np.int64).reshape(len(areas), -1)


def count_classes(
    classes: Sequence[DefectClass], areas: Sequence[Sequence[Counts]], splits: Sequence[str]
) -> tuple[ClassCount, ...]:
    """Count images and objects of each class.

    Args:
        areas: what `object_areas` returned.
        splits: "train" or "test" for each image.
    """
    counts = object_counts(areas)
    train = np.array([part == "train" for part in splits], bool)
    shares = reached_shares(counts, splits).tolist()
    return tuple(_class_count(c.name, k, areas, counts, train, shares[k]) for k, c in enumerate(classes))


def _class_count(
    name: str, k: int, areas: Sequence[Sequence[Counts]], counts: Counts, train: NDArray[np.bool_], share: float
) -> ClassCount:
    of_class = np.concatenate([row[k] for row in areas])
    has = counts[:, k] > 0
    return ClassCount(
        name=name,
        images=int(has.sum()),
        objects=len(of_class),
        median_pixels=float(np.median(of_class)) if len(of_class) else 0.0,
        train=int((has & train).sum()),
        test=int((has & ~train).sum()),
        train_share=round(share, 4) if len(of_class) else None,
    )
