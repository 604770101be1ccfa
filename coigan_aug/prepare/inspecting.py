"""Inspecting a Dataset: what it holds, and whether its split can be trusted; the groups are looked for anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coigan_aug.errors import DataError
from coigan_aug.prepare.counting import ClassCount, count_classes, object_areas, object_counts
from coigan_aug.prepare.groups import find_groups
from coigan_aug.prepare.split import siblings_across
from coigan_aug.store.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a Dataset holds.

    `leakage` is the share of test images that have a photograph of the same piece in train, by near-duplicates found in
    the pixels, whatever groups the split was made with; `defective_leakage` the same of test images with a defect.
    `pairs` names some: a test image and one like it in train.
    """

    folder: Path
    images: int
    objects: int
    defect_free: int
    train: int
    test: int
    classes: tuple[ClassCount, ...]
    leakage: float
    defective_leakage: float
    pairs: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"folder": str(self.folder)}


def inspect_dataset(dataset: Dataset, *, progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Count what a Dataset holds and look for near-duplicates on both sides of its split.

    Raises:
        DataError: it is empty, or an image is missing or can't be decoded.
    """
    records = list(dataset)
    if not records:
        raise DataError(f"{dataset.folder} holds no images.", remedy="Import some: coigan-aug import YOUR.csv")
    areas = object_areas(records, dataset.classes)
    counts, splits, names = object_counts(areas), [record.split for record in records], [r.file for r in records]
    groups = find_groups([dataset.image_root / name for name in names], names, progress=progress)
    # of the test images only the defective ones; in train a piece counts whichever way it is photographed
    seen = [k for k, split in enumerate(splits) if split == "train" or counts[k].any()]
    return Inspection(
        folder=dataset.folder,
        images=len(records),
        objects=int(counts.sum()),
        defect_free=int((counts.sum(axis=1) == 0).sum()),
        train=splits.count("train"),
        test=splits.count("test"),
        classes=count_classes(dataset.classes, areas, splits),
        leakage=siblings_across(groups, splits),
        defective_leakage=siblings_across([groups[k] for k in seen], [splits[k] for k in seen]),
        pairs=tuple(_pairs(names, groups, splits)),
    )


def _pairs(names: Sequence[str], groups: Sequence[str], splits: Sequence[str]) -> list[tuple[str, str]]:
    """Pair every test image that has a sibling in train with the first of them."""
    in_train: dict[str, list[str]] = defaultdict(list)
    for name, group, split in zip(names, groups, splits, strict=True):
        if split == "train":
            in_train[group].append(name)
    found = zip(names, groups, splits, strict=True)
    return [(name, min(in_train[group])) for name, group, split in found if split == "test" and in_train[group]]
