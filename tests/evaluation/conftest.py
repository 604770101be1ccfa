"""A data set large enough to compare, and a synthetic set drawn on its clean images by hand."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.config import load_settings
from coigan_aug.imaging import read_image, write_image
from coigan_aug.sealed import write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset

MARGIN = 2
Paint = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def darken(image: np.ndarray, mask: np.ndarray, index: int) -> np.ndarray:
    """Paint a dark defect, as the data set's own."""
    return np.where(mask[..., None] > 0, image * 0.4, image)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Thirty-two toy images: twelve defective ones to train, four to test, each with a spot and a line."""
    spec = importlib.util.spec_from_file_location("toy_data", Path(__file__).parent.parent / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    toy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(toy)
    return toy.write_toy(tmp_path_factory.mktemp("real"), count=32)


@pytest.fixture(scope="session")
def make_synthetic(real: Dataset) -> Callable[..., Dataset]:
    """Return what paints a synthetic set: for each object of the first defective training images one on a clean image."""

    def make(folder: Path, *, paint: Paint = darken, count: int = 10, region: bool = False) -> Dataset:
        train = [real[k] for k in real.indices("train")]
        shapes, bases = ([item for item in train if bool(item.annotations) == wanted] for wanted in (True, False))
        records = []
        for index in range(count):
            shape, base = shapes[index % len(shapes)], bases[index % len(bases)]
            records.append(_paint(real, folder, index, shape, base, paint=paint))
        if region:
            records = [_window(folder, record) for record in records]
        card = {"margin_px": MARGIN, "data": real.manifest["sha256"], "command": "coigan-aug synthesize"}
        write_sealed(folder / "card.json", card)
        return write_dataset(
            folder / "records", records, classes=real.classes, image_root=folder, provenance={"made_by": "a test"}
        )

    return make


def _paint(
    real: Dataset, folder: Path, index: int, shape: ImageRecord, base: ImageRecord, *, paint: Paint
) -> ImageRecord:
    positions = {record.file: position for position, record in enumerate(real)}
    image = real.image(positions[base.file]).astype(float)
    for annotation in shape.annotations:
        image = paint(image, rle.decode(annotation.rle), index)
    name = f"images/{index:03d}.png"
    write_image(folder / name, np.clip(image, 0, 255).astype(np.uint8))
    annotations = tuple(
        Annotation(label=item.label, rle=item.rle, attributes={"synthetic": True, "shape_of": shape.file})
        for item in shape.annotations
    )
    source = {"base": base.file, "region": [0, 0, base.width, base.height]}
    return ImageRecord(
        file=name, height=base.height, width=base.width, annotations=annotations, split="train", source=source
    )


def _window(folder: Path, record: ImageRecord) -> ImageRecord:
    """Keep only the part of an image from row 4 and column 6 on."""
    image = read_image(folder / record.file)[4:, 6:]
    write_image(folder / record.file, image)
    annotations = tuple(
        dataclasses.replace(item, rle=rle.encode(rle.decode(item.rle)[4:, 6:])) for item in record.annotations
    )
    height, width = image.shape[:2]
    source = {**record.source, "region": [6, 4, width, height]}
    return dataclasses.replace(record, height=height, width=width, annotations=annotations, source=source)
