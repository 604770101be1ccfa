"""The data sets of a workspace as the page shows them: images with masks, by class and state; what was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.components import component_areas
from coigan_aug.annotations.masks import resize
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import UsageError
from coigan_aug.files import inside
from coigan_aug.folders import Folders
from coigan_aug.formats.names import CARD
from coigan_aug.imaging import Pixels, encode_image, read_rgb
from coigan_aug.pictures import mark
from coigan_aug.store.card import read_card
from coigan_aug.store.dataset import MANIFEST, Dataset, class_masks
from coigan_aug.studio.judge import REASONS
from coigan_aug.synthesis.rejected import Rejected, read_rejected

REAL = "dataset"
LARGEST, SMALLEST = 2400, 32  # px: the longest side of a picture of the page
_QUALITY = 85
_LISTED = 8  # sets whose lists stay in memory


@dataclass(frozen=True, slots=True)
class Item:
    """An image of a set: its position, file, size, state, side of the split, and its defects by class."""

    position: int
    file: str
    height: int
    width: int
    state: str
    split: str
    defects: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which images of a set are asked for; "" stands for any."""

    label: str = ""
    state: str = ""
    split: str = ""
    text: str = ""

    def takes(self, item: Item) -> bool:
        """Tell whether an image is among them."""
        return (
            (not self.label or any(name == self.label for name, _ in item.defects))
            and self.state in ("", item.state)
            and self.split in ("", item.split)
            and self.text.casefold() in item.file.casefold()
        )


def folders_of(workspace: Folders) -> dict[str, Path]:
    """Return the folders of the workspace's data sets by name: the imported one first, then the synthetic ones."""
    found = {REAL: workspace.dataset} | {path.name: path for path in sorted(workspace.synthetic.glob("*"))}
    return {name: path for name, path in found.items() if (path / MANIFEST).exists()}


def open_set(workspace: Folders, name: str) -> Dataset:
    """Open a data set by its name.

    Raises:
        UsageError: there is none of that name. DataError: it is damaged.
    """
    folders = folders_of(workspace)
    if name not in folders:
        raise UsageError(f"There is no set {name!r}.", remedy=f"Sets: {', '.join(folders)}.")
    return Dataset(folders[name])


def list_items(dataset: Dataset) -> tuple[Item, ...]:
    """List the images of a set; kept as long as the set is the same."""
    return _items(dataset.folder, str(dataset.manifest["sha256"]))


@lru_cache(maxsize=_LISTED)
def _items(folder: Path, key: str) -> tuple[Item, ...]:
    records = list(Dataset(folder, noted=False))
    parts = component_areas(annotation.rle for record in records for annotation in record.annotations)
    return tuple(
        Item(
            k, record.file, record.height, record.width, record.state, record.split,
            tuple(sorted(_defects(record, parts).items())),
        )
        for k, record in enumerate(records)
    )  # fmt: skip


def _defects(record: ImageRecord, parts: Iterator[NDArray[np.int64]]) -> Counter[str]:
    """Count a record's defects, the separate parts of its masks, by class; `parts` goes on by its annotations."""
    counts = Counter[str]()
    for annotation in record.annotations:
        counts[annotation.label] += len(next(parts))
    return counts


def about_set(name: str, dataset: Dataset) -> dict[str, Any]:
    """Say what a set holds: images by state and split, defects by class, how it was made."""
    items = list_items(dataset)
    defects = Counter[str]()
    for item in items:
        defects.update(dict(item.defects))
    provenance = dataset.manifest["provenance"]
    return {
        "name": name,
        "real": name == REAL,
        "images": len(items),
        "states": dict(Counter(item.state for item in items)),
        "splits": dict(Counter(item.split for item in items)),
        "classes": [
            {"name": item.name, "colour": list(item.colour), "defects": defects[item.name]} for item in dataset.classes
        ],
        "made_by": str(provenance.get("made_by", "")) or f"import, {provenance.get('format', '')}",
        "folder": str(dataset.folder),
        "rejected": len(rejected_of(dataset)) if name != REAL else 0,
    }


def picture(dataset: Dataset, position: int, *, side: int, masks: bool) -> bytes:
    """Return an image of a set as JPEG bytes, at most `side` px long, its masks outlined where that is asked for.

    Raises:
        UsageError: there is no such image. DataError: its file is missing or damaged.
    """
    if not 0 <= position < len(dataset):
        raise UsageError(f"There is no image {position}.")
    record, pixels = dataset[position], dataset.image(position)
    small = fit_in(pixels, side)
    if masks and record.annotations:
        unions = class_masks(record)
        marks = [
            resize(unions.get(item.name, np.zeros((1, 1), np.uint8)), height=small.shape[0], width=small.shape[1])
            for item in dataset.classes
        ]
        small = mark(small, np.stack(marks), dataset.classes, width=1 if max(small.shape[:2]) < 1000 else 2)
    return encode_image(small, suffix=".jpg", quality=_QUALITY)


def fit_in(pixels: Pixels, side: int) -> Pixels:
    """Shrink an image, averaging over areas, so that its longer side is at most `side` px."""
    side = min(max(side, SMALLEST), LARGEST)
    factor = side / max(pixels.shape[:2])
    if factor >= 1:
        return pixels
    size = (max(round(pixels.shape[1] * factor), 1), max(round(pixels.shape[0] * factor), 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def rejected_of(dataset: Dataset) -> tuple[Rejected, ...]:
    """Return what the screen rejected while a set was made."""
    return read_rejected(dataset.image_root)


def say_rejected(dataset: Dataset) -> dict[str, Any]:
    """Say what the screen rejected: each try with its reason in words, and counts by class and reason."""
    items = rejected_of(dataset)
    counts = Counter((item.label, item.reason) for item in items)
    screening = read_card(dataset.image_root / CARD).screening
    return {
        "screened": screening.on if screening else None,
        "counts": [
            {"class": label, "reason": reason, "words": REASONS.get(reason, reason), "count": count}
            for (label, reason), count in sorted(counts.items())
        ],
        "items": [
            {
                "number": item.number, "attempt": item.attempt, "class": item.label, "reason": item.reason,
                "words": REASONS.get(item.reason, item.reason), "value": item.value, "limit": item.limit,
                "picture": k if item.file else None,
            }
            for k, item in enumerate(items)
        ],
    }  # fmt: skip


def rejected_picture(dataset: Dataset, number: int) -> bytes:
    """Return the picture of a rejected try as JPEG bytes.

    Raises:
        UsageError: there is none.
    """
    items = rejected_of(dataset)
    if not 0 <= number < len(items) or items[number].file is None:
        raise UsageError(f"There is no picture of rejected try {number}.")
    return encode_image(read_rgb(inside(dataset.image_root, str(items[number].file))), suffix=".jpg", quality=_QUALITY)
