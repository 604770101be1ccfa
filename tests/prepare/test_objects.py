"""Objects of large images are made smaller in windows round them: as if all of the image had been."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.components import split_components, split_many
from coigan_aug.annotations.masks import resize
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.data.statistics import place_map
from coigan_aug.geometry import Box
from coigan_aug.prepare import objects
from coigan_aug.prepare.objects import objects_of, objects_of_all, scaled_void, window_masks


@pytest.fixture
def record() -> ImageRecord:
    draw = np.random.default_rng(1)
    mask = np.zeros((120, 201), np.uint8)
    for _ in range(12):
        top, left = draw.integers(0, 110), draw.integers(0, 190)
        mask[top : top + draw.integers(1, 20), left : left + draw.integers(1, 30)] = 1
    annotation = Annotation(label="pit", rle=rle.encode(mask))
    return ImageRecord(file="a.png", height=120, width=201, annotations=(annotation,))


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 0.25, 0.7, 0.1])
def test_a_large_images_objects_are_scaled_as_those_of_a_small_one(
    record: ImageRecord, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    whole = objects_of(record, 0, names=["pit"], scale=scale)
    monkeypatch.setattr(objects, "LARGE", 0)
    assert objects_of(record, 0, names=["pit"], scale=scale) == whole
    assert len(whole) > 3


def test_masks_in_a_window_are_those_of_the_whole_image_there(record: ImageRecord) -> None:
    found = objects_of(record, 0, names=["pit"], scale=1)
    whole = rle.decode(record.annotations[0].rle)
    for region in (Box(0, 0, 201, 120), Box(40, 30, 60, 50), Box(0, 100, 3, 20)):
        assert np.array_equal(window_masks(found, region, classes=1)[0], whole[region.slices])


def test_where_objects_of_large_images_lie_is_counted_as_in_small_ones(
    record: ImageRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = objects_of(record, 0, names=["pit"], scale=1)
    whole = place_map(found, (6, 8))
    monkeypatch.setattr("coigan_aug.data.statistics.LARGE", 0)
    monkeypatch.setattr("coigan_aug.data.statistics._STRIP", 64)
    assert np.abs(place_map(found, (6, 8)) - whole).max() < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_components_are_the_same_however_they_are_looked_for(seed: int) -> None:
    draw = np.random.default_rng(seed)
    mask = (draw.random((37, 53)) < 0.35).astype(np.uint8)  # diagonal neighbours, holes, touching columns and edges
    number, labels = cv2.connectedComponents(mask, connectivity=8)
    expected = {rle.encode(labels == k) for k in range(1, number)}
    parts = split_components(rle.encode(mask))
    assert set(parts) == expected and len(parts) == len(expected)
    starts = [int(np.flatnonzero(rle.decode(part).ravel(order="F"))[0]) for part in parts]
    assert starts == sorted(starts)


def test_many_masks_are_split_as_each_alone() -> None:
    """Of several heights, empty and full ones among them; a run that ends a column goes on in the next one."""
    draw = np.random.default_rng(9)
    shapes = [(5, 7), (12, 3), (1, 9), (9, 1), (6, 6), (4, 4), (20, 30)]
    masks = [(draw.random(shape) < share).astype(np.uint8) for shape in shapes for share in (0.0, 0.3, 0.8, 1.0)]
    together = split_many([rle.encode(mask) for mask in masks])
    assert len(together) == len(masks)
    for mask, parts in zip(masks, together, strict=True):
        number, labels = cv2.connectedComponents(mask, connectivity=8)
        assert {part.counts for part in parts} == {rle.encode(labels == k).counts for k in range(1, number)}
        assert {(part.height, part.width) for part in parts} <= {mask.shape}
    assert split_many([]) == []


@pytest.mark.parametrize("scale", [0.5, 0.7, 0.37, 0.05])
def test_objects_that_are_made_smaller_together_are_as_each_alone(scale: float) -> None:
    """Against each mask painted and made smaller by itself; neighbours share pixels of the smaller picture."""
    draw = np.random.default_rng(2)
    mask = (draw.random((61, 83)) < 0.2).astype(np.uint8)
    own = Annotation(label="pit", rle=rle.encode(mask))
    found = objects_of(ImageRecord(file="a", height=61, width=83, annotations=(own,)), 0, names=["pit"], scale=scale)
    height, width = found[0].scaled.height, found[0].scaled.width
    assert (height, width) == (round(61 * scale), round(83 * scale))
    assert len(found) > 50
    for item in found:
        alone = resize(rle.decode(item.full), height=height, width=width)
        assert np.array_equal(rle.decode(item.scaled), alone)
        assert item.box == rle.box(rle.encode(alone))


def test_objects_of_many_records_are_those_of_each(record: ImageRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        record,
        dataclasses.replace(record, annotations=()),
        dataclasses.replace(record, annotations=record.annotations * 2),
    ]
    each = [objects_of(own, k, names=["crack", "pit"], scale=0.5) for k, own in enumerate(records)]
    for most in (0, 100_000):
        monkeypatch.setattr(objects, "_BATCH", most)
        assert list(objects_of_all(enumerate(records), names=["crack", "pit"], scale=0.5)) == each
    assert each[0] and not each[1]
    assert [item.label for item in each[0]] == [1] * len(each[0])


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
def test_void_at_the_working_scale_is_each_pixel_that_some_of_it_lies_in(record: ImageRecord, scale: float) -> None:
    void = np.zeros((120, 200), np.uint8)
    void[13, 7:20] = void[50:60, 40] = 1
    made = scaled_void(dataclasses.replace(record, width=200, annotations=(), void=rle.encode(void)), scale)
    side = round(1 / scale)
    expected = void.reshape(120 // side, side, 200 // side, side).max(axis=(1, 3))
    assert made is not None
    assert np.array_equal(rle.decode(made), expected)
    assert scaled_void(record, scale) is None
