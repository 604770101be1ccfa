"""What a data set holds, class by class: counts, sizes, shapes and places of the objects."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import DefectClass
from coigan_aug.data.statistics import place_map
from coigan_aug.prepare.objects import DefectObject, find_objects
from coigan_aug.store.dataset import Dataset

MAP_WIDTH = 48


@dataclass(frozen=True, kw_only=True)
class ClassInventory:
    """The objects (8-connected components) of a class.

    `objects` by position in the data set; `train` and `test` count them by split; `areas` in pixels; `aspects` are
    width / height of the boxes; `places` float [h, w]: for each place of an image, the share of the class' images
    with this defect there.
    """

    item: DefectClass
    objects: tuple[DefectObject, ...]
    train: int
    test: int
    areas: NDArray[np.int64]
    aspects: NDArray[np.float64]
    places: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What a data set holds. `groups` are the sizes of the groups that a split keeps together, largest first."""

    images: int
    defect_free: int
    train: int
    test: int
    classes: tuple[ClassInventory, ...]
    groups: tuple[int, ...]

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return sum(len(row.objects) for row in self.classes)


def take_inventory(
    dataset: Dataset, *, unknown: Collection[str] | None = None, objects: Sequence[Sequence[DefectObject]] | None = None
) -> Inventory:
    """Look through all records of a data set; no image is read. Those of unknown state count as images only.

    Args:
        unknown: the images of unknown state; None takes those that the records name.
        objects: those of every record at full size, where somebody has looked for them already.
    """
    records = list(dataset)
    known = [
        k for k, record in enumerate(records) if not (record.unknown if unknown is None else record.file in unknown)
    ]
    of_known = find_objects(dataset, known, scale=1.0) if objects is None else [o for k in known for o in objects[k]]
    splits = [record.split for record in records]
    ratio = float(np.median([record.height / record.width for record in records])) if records else 1.0
    size = (min(max(round(MAP_WIDTH * ratio), 12), 2 * MAP_WIDTH), MAP_WIDTH)
    groups = Counter(record.group for record in records if record.group)
    return Inventory(
        images=len(records),
        defect_free=len(known) - len({item.position for item in of_known}),
        train=splits.count("train"),
        test=splits.count("test"),
        classes=tuple(
            _of_class(item, [defect for defect in of_known if defect.label == k], splits, size)
            for k, item in enumerate(dataset.classes)
        ),
        groups=tuple(sorted(groups.values(), reverse=True)),
    )


def shown_classes(inventory: Inventory, *, most: int) -> Inventory:
    """Return an inventory of at most `most` classes: those with most objects, in their order."""
    first = sorted(inventory.classes, key=lambda row: -len(row.objects))[:most]
    kept = tuple(row for row in inventory.classes if any(row is other for other in first))
    return dataclasses.replace(inventory, classes=kept)


def _of_class(
    item: DefectClass, objects: Sequence[DefectObject], splits: Sequence[str], size: tuple[int, int]
) -> ClassInventory:
    sides = [splits[item.position] for item in objects]
    boxes = np.array([item.box for item in objects], np.float64).reshape(-1, 4)
    return ClassInventory(
        item=item,
        objects=tuple(objects),
        train=sides.count("train"),
        test=sides.count("test"),
        areas=np.array([rle.area(item.full) for item in objects], np.int64),
        aspects=boxes[:, 2] / np.maximum(boxes[:, 3], 1),
        places=place_map(objects, size),
    )
