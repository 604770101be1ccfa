"""Views: windows that show a large object whole, and what lies beyond an image's edges."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug import rng
from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.compose.composer import Stream, compose
from coigan_aug.geometry import Box
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import defect_region
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.settings import Settings
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES


@pytest.fixture
def large(tmp_path: Path, small: Settings) -> tuple[Prepared, Settings]:
    """Grey images 80 x 100; every second one has a dark rectangle of 20 x 64, twice as long as the 32 px window."""
    records = []
    for index in range(6):
        image = np.clip(rng.generator(3, "large", index).normal(150, 5, (80, 100)), 0, 255).astype(np.uint8)
        mask = np.zeros((80, 100), np.uint8)
        if index % 2 == 0:
            mask[30:50, 20:84] = 1
            image = np.where(mask, image // 3, image).astype(np.uint8)
        write_image(tmp_path / "images" / f"{index}.png", image)
        own = (Annotation(label="spot", rle=rle.encode(mask)),) if mask.any() else ()
        records.append(ImageRecord(file=f"{index}.png", height=80, width=100, annotations=own, group="", split="train"))
    data = dataclasses.replace(small.data, fit=0.8)
    settings = dataclasses.replace(small, data=data)
    dataset = write_dataset(
        tmp_path / "dataset",
        records,
        classes=CLASSES[:1],
        image_root=tmp_path / "images",
        provenance={"format": "coco"},
    )
    return prepare(dataset, data, cache_root=tmp_path / "cache"), settings


def test_the_side_of_a_view_by_hand(large: tuple[Prepared, Settings]) -> None:
    prepared, _ = large
    assert prepared.side(20, 0) == 32, "small objects: the window"
    assert prepared.side(40, 0) == 50, "40 px take 0.8 of 50"
    assert prepared.side(90, 0) == 100, "never more than the longer side of the image"
    assert dataclasses.replace(prepared, fit=0).side(90, 0) == 32


def test_a_large_object_is_seen_whole_in_every_view_of_it(large: tuple[Prepared, Settings]) -> None:
    """64 x 20 px shown at 32 / 80 of their size: 25.6 x 8 = 205 px of 1,024."""
    prepared, _ = large
    for index in range(10):
        position, region = defect_region(rng.generator(1, "view", index), prepared, whole=True)
        assert region[2:] == (80, 80)
        pixels, masks = prepared.view(position, region)
        assert pixels.shape == (32, 32, 3) and masks.shape == (1, 32, 32)
        assert masks.sum() == pytest.approx(64 * 20 * (32 / 80) ** 2, rel=0.1)
        assert pixels[masks[0] > 0].mean() < 70
        assert pixels[masks[0] == 0].mean() > 130
    _, region = defect_region(rng.generator(1, "view", 0), prepared)
    assert region[2:] == (32, 32), "a segmenter's windows keep the working scale"


def test_composed_samples_show_large_objects_whole_on_views_that_are_as_large(
    large: tuple[Prepared, Settings],
) -> None:
    prepared, settings = large
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, augment=0.0, defects=(0.5, 0.5)))
    for index in range(12):
        sample = compose(prepared, settings, 1, index)
        assert sample.masks.sum() == pytest.approx(205, rel=0.1)
        inside = sample.masks[0] > 0
        assert sample.objects[0][inside].mean() < 0.3
        assert 0.5 < sample.base.mean() < 0.7, "the base is clean"
        assert sample.pair_masks.sum() > 150, "large defects take part in the paired loss"
        assert abs(sample.pair_base[0][sample.pair_masks[0] > 0].mean() - 0.59) < 0.05, "and are erased whole"


def test_fit_changes_nothing_for_objects_that_are_small(prepared: Prepared, small: Settings) -> None:
    """The toy's objects take at most 22 of 32 px before rescaling by at most 1.2."""
    fitted = dataclasses.replace(prepared, fit=1.0)
    for index in range(10):
        one, other = Stream(prepared, small, 2)[index], Stream(fitted, small, 2)[index]
        longest = max(np.ptp(np.nonzero(one.masks.max(axis=0))[axis]) for axis in (0, 1))
        if longest < 26:
            assert np.array_equal(one.reference, other.reference)


def test_masks_beyond_the_edges_are_mirrored_as_the_pixels_are(prepared: Prepared) -> None:
    position = next(iter(prepared.by_record))
    height, width = prepared.cache[position].shape[:2]
    whole = prepared.masks(position, Box(0, 0, width, height))
    found = prepared.masks(position, Box(-20, -10, width + 50, height + 30))
    mirrored = [
        cv2.copyMakeBorder(mask, 10, 20, 20, 30, cv2.BORDER_REFLECT_101) for mask in np.ascontiguousarray(whole)
    ]
    assert np.array_equal(found, np.stack(mirrored))
    assert found.sum() > whole.sum()
