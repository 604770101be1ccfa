"""Contrast: measured on painted defects, painted back on their masks, told to the generator and held by a loss."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.compose.composer import compose
from coigan_aug.compose.noise import condition_channels
from coigan_aug.geometry import Box
from coigan_aug.imaging import write_image
from coigan_aug.losses.reconstruction import contrast_error
from coigan_aug.prepare.contrast import contrast_map, contrast_of
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.settings import Settings
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES
from tests.prepare.scenes import examples_of, patch
from tests.synthesis.drawing import planned

LEVELS = {"spot": -51, "line": 26}  # on a surface of 128
CONTRAST = {name: level / 128 for name, level in LEVELS.items()}


@pytest.fixture
def painted(tmp_path: Path, small: Settings) -> Prepared:
    """Flat images at 128 with a dark spot beside a bright line, and clean ones."""
    records = []
    for index in range(4):
        image, masks = np.full((72, 96), 128.0), {}
        if index % 2 == 0:
            masks = {name: np.zeros((72, 96), np.uint8) for name in LEVELS}
            masks["spot"][20:30, 20:34] = 1
            masks["line"][32:36, 14:60] = 1
            for name, mask in masks.items():
                image += mask.astype(float) * LEVELS[name]
        write_image(tmp_path / "images" / f"{index}.png", np.rint(image).astype(np.uint8))
        own = tuple(Annotation(label=name, rle=rle.encode(mask)) for name, mask in masks.items())
        records.append(ImageRecord(file=f"{index}.png", height=72, width=96, annotations=own, group="", split="train"))
    dataset = write_dataset(
        tmp_path / "dataset", records, classes=CLASSES, image_root=tmp_path / "images", provenance={"format": "coco"}
    )
    return prepare(dataset, small.data, cache_root=tmp_path / "cache")


def test_contrast_is_that_to_the_clean_surface_whatever_defect_lies_beside(painted: Prepared) -> None:
    for item in painted.objects:
        expected = CONTRAST[CLASSES[item.label].name]
        assert contrast_of(painted, item) == pytest.approx(expected, abs=0.003)


def _contrast_by_hand(image: np.ndarray, mask: np.ndarray, others: np.ndarray) -> float:
    """The slow way: each pixel by how far it is from the mask, and from any mask, rows or columns, whichever is more."""
    rows, columns = np.nonzero(mask)
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    reach = min(max(longer // 4, 4), 16)
    defects = np.argwhere(mask | others)
    ring = [
        float(image[y, x])
        for y, x in itertools.product(range(image.shape[0]), range(image.shape[1]))
        if np.maximum(abs(rows - y), abs(columns - x)).min() <= reach and abs(defects - (y, x)).max(axis=1).min() > 1
    ]
    return min(image[mask > 0].mean() / max(np.mean(ring), 10) - 1, 2) if ring else 0.0


@pytest.mark.parametrize(
    ("left", "top", "width", "height"),
    [(20, 30, 50, 3), (40, 10, 4, 44), (5, 5, 6, 6), (0, 0, 30, 9), (4, 40, 88, 10), (90, 66, 6, 6)],
)
@pytest.mark.parametrize("level", [130, 20, 4])
def test_the_surface_round_an_object_is_counted_pixel_by_pixel(
    tmp_path: Path, left: int, top: int, width: int, height: int, level: int
) -> None:
    """The surface gets brighter from row to row and from column to column, so each pixel more or less shows."""
    y, x = np.mgrid[:72, :96]
    image = (level + 0.4 * level * np.sin(x / 7) + 0.3 * level * np.cos(y / 5)).astype(np.uint8)
    mask, other = patch((72, 96), left, top, width, height), patch((72, 96), 60, 50, 14, 3)
    image[mask > 0] = np.minimum(image[mask > 0] + level // 2, 255)
    others = other & (1 - mask)
    own = {"spot": [mask]} | ({"line": [others]} if others.any() else {})
    examples = examples_of(tmp_path, [image], [own])
    expected = _contrast_by_hand(image, mask, others)
    assert contrast_of(examples, examples.objects[0]) == pytest.approx(expected, abs=1e-4)


def test_an_object_that_fills_its_image_has_no_contrast(tmp_path: Path) -> None:
    examples = examples_of(tmp_path, [np.full((40, 40), 90, np.uint8)], [{"spot": [patch((40, 40), 1, 1, 38, 38)]}])
    assert contrast_of(examples, examples.objects[0]) == 0


def test_the_map_has_each_objects_contrast_on_its_mask_and_nothing_elsewhere(painted: Prepared) -> None:
    position, region = painted.objects[0].position, Box(10, 12, 32, 32)
    found, masks = contrast_map(painted, position, region), painted.masks(position, region)
    assert found.shape == (32, 32)
    assert found[masks[0] > 0] == pytest.approx(CONTRAST["spot"], abs=0.003)
    assert found[masks[1] > 0] == pytest.approx(CONTRAST["line"], abs=0.003)
    assert not found[masks.max(axis=0) == 0].any()


def test_samples_tell_the_generator_the_contrast_of_their_real_objects(painted: Prepared, small: Settings) -> None:
    settings = dataclasses.replace(small, model=dataclasses.replace(small.model, contrast=True))
    assert condition_channels(settings.model, 2) == condition_channels(small.model, 2) + 1
    for index in range(12):
        sample = compose(painted, settings, 1, index)
        told = sample.condition[2]
        assert sample.condition.shape[0] == condition_channels(settings.model, 2)
        for label, expected in enumerate(CONTRAST.values()):
            assert told[sample.masks[label] > 0] == pytest.approx(expected, abs=0.004)
            assert sample.pair_condition[2][sample.pair_masks[label] > 0] == pytest.approx(expected, abs=0.004)
        assert not told[sample.masks.max(axis=0) == 0].any()


def test_a_plan_holds_the_contrast_of_the_object_that_a_shape_is_of(painted: Prepared, small: Settings) -> None:
    for job in planned(painted, small, per_class=3):
        for defect in job.defects:
            assert defect.contrast == pytest.approx(CONTRAST[CLASSES[defect.label].name], abs=0.003)


def test_contrast_is_the_same_under_another_light(painted: Prepared) -> None:
    """Half the exposure halves both sides of the ratio."""
    item = painted.objects[0]
    dimmed = {position: painted.cache[position] // 2 for position in painted.cache}
    assert contrast_of(dataclasses.replace(painted, cache=dimmed), item) == pytest.approx(CONTRAST["spot"], abs=0.01)


def test_the_loss_is_the_difference_of_mean_brightness_by_hand() -> None:
    base, masks = torch.rand(2, 3, 4, 4) * 0.5 + 0.25, torch.zeros(2, 2, 4, 4)
    masks[0, 0, :2] = 1
    masks[0, 1, 3] = 1
    told = torch.zeros(2, 1, 4, 4)
    told[0, 0, :2], told[0, 0, 3] = -0.2, 0.1
    as_told = base * (1 + told)
    assert contrast_error(as_told, base, masks, told).item() == pytest.approx(0, abs=1e-6)
    off = as_told.clone()
    off[0, :, :2] += 0.05
    off[0, :, 3] -= 0.1
    assert contrast_error(off, base, masks, told).item() == pytest.approx((0.05 + 0.1) / 2, abs=1e-6)
    assert contrast_error(off, base, torch.zeros_like(masks), told).item() == 0
