"""Pictures whose part is known, and data sets painted with given masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from coigan_aug import rng
from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.settings import DataSettings
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES


def noise(seed: int, shape: tuple[int, int], *, grain: float, deviation: float) -> np.ndarray:
    """Return noise [H, W] of that deviation, blurred to grains of about that many pixels."""
    field = rng.generator(seed, "scene").normal(0, 1, shape)
    field = cv2.GaussianBlur(field, (0, 0), grain) if grain > 0 else field
    return field / field.std() * deviation


def ellipse(shape: tuple[int, int], *, centre: tuple[int, int], axes: tuple[int, int]) -> np.ndarray:
    """Return a filled ellipse, bool [H, W]; centre and axes are (x, y)."""
    return cv2.ellipse(np.zeros(shape, np.uint8), centre, axes, 0, 0, 360, 1, -1) > 0


def painted(part: np.ndarray, *, back: float, front: float, seed: int, rough: float = 8.0) -> np.ndarray:
    """Paint a rough, shaded part before an even background, with sensor noise and a blurred edge: uint8 [H, W]."""
    shade = np.linspace(-15, 15, part.shape[1])[None, :]
    surface = front + shade + noise(seed, part.shape, grain=2, deviation=rough)
    image = cv2.GaussianBlur(np.where(part, surface, back), (0, 0), 0.8)
    return np.clip(image + noise(seed + 1, part.shape, grain=0, deviation=2), 0, 255).astype(np.uint8)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return intersection over union of two masks."""
    return float(((first > 0) & (second > 0)).sum() / ((first > 0) | (second > 0)).sum())


def examples_of(
    folder: Path,
    images: Sequence[np.ndarray],
    masks: Sequence[Mapping[str, Sequence[np.ndarray]]],
    *,
    groups: Sequence[str] | None = None,
    settings: DataSettings | None = None,
) -> Examples:
    """Write images with masks, by class name, and load all of them; each image is a group unless said otherwise."""
    records = []
    for k, (image, own) in enumerate(zip(images, masks, strict=True)):
        write_image(folder / "images" / f"{k:03d}.png", image)
        found = tuple(Annotation(label=name, rle=rle.encode(mask)) for name, several in own.items() for mask in several)
        records.append(
            ImageRecord(
                file=f"{k:03d}.png", height=image.shape[0], width=image.shape[1], annotations=found,
                group=groups[k] if groups else str(k), split="train",
            )
        )  # fmt: skip
    dataset = write_dataset(
        folder / "dataset", records, classes=CLASSES, image_root=folder / "images", provenance={"format": "coco"}
    )
    chosen = settings or DataSettings(window=32, min_area=1)
    return load_examples(dataset, range(len(images)), chosen, cache_root=folder / "cache")


def patch(shape: tuple[int, int], left: int, top: int, width: int, height: int) -> np.ndarray:
    """Return a filled box, uint8 [H, W]."""
    mask = np.zeros(shape, np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask
