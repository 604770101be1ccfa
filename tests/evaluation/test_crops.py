"""What is looked at: objects, their crops, tiles; each image is read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug import rng
from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.evaluation.crops import (
    find_instances,
    in_blocks,
    list_tiles,
    object_crops,
    tile_pixels,
    with_objects,
)
from coigan_aug.geometry import Box
from coigan_aug.imaging import cut_mirrored, write_image
from coigan_aug.prepare.objects import SMALLEST_CROP
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset


@given(st.integers(1, 9), st.integers(1, 9), st.tuples(st.integers(-20, 12), st.integers(-20, 12)), st.integers(1, 25))
def test_a_region_beyond_the_image_is_mirrored_as_numpy_pads(
    height: int, width: int, corner: tuple[int, int], side: int
) -> None:
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    padded = np.pad(image, ((50, 50), (50, 50), (0, 0)), mode="reflect")
    left, top = corner
    expected = padded[top + 50 : top + 50 + side, left + 50 : left + 50 + side]
    np.testing.assert_array_equal(cut_mirrored(image, Box(left, top, side, side)), expected)


@pytest.mark.parametrize(
    ("size", "side"), [((10, 40), 60), ((40, 10), 60), ((3, 4), 32), ((1, 1), 32), ((301, 7), 452)]
)
def test_a_crop_is_a_square_with_the_object_in_the_middle(size: tuple[int, int], side: int) -> None:
    mask = rle.place(np.ones(size), left=200, top=100, height=600, width=500)
    left, top, width, height = rle.box(mask).square(1.5, least=SMALLEST_CROP)
    assert (width, height) == (side, side)
    assert abs(left + side / 2 - (200 + size[1] / 2)) <= 1
    assert abs(top + side / 2 - (100 + size[0] / 2)) <= 1


def _dataset(folder: Path, masks: dict[str, list[tuple[str, np.ndarray, dict[str, str]]]]) -> Dataset:
    classes = tuple(DefectClass(name=name, colour=(9, 9, 9)) for name in ("a", "b"))
    records = []
    for name, own in masks.items():
        write_image(folder / name, rng.generator(0, name).integers(0, 256, (60, 80)).astype(np.uint8))
        found = tuple(Annotation(label=label, rle=rle.encode(m), attributes=extra) for label, m, extra in own)
        records.append(ImageRecord(file=name, height=60, width=80, annotations=found, split="train"))
    return write_dataset(folder / "d", records, classes=classes, image_root=folder, provenance={})


def _mask(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((60, 80), np.uint8)
    for left, top, width, height in boxes:
        mask[top : top + height, left : left + width] = 1
    return mask


def test_real_objects_are_connected_parts_and_synthetic_ones_are_as_planned(tmp_path: Path) -> None:
    apart = _mask((2, 2, 5, 5), (40, 20, 6, 6))
    dataset = _dataset(
        tmp_path,
        {
            "1.png": [("b", apart, {}), ("a", _mask((60, 40, 5, 5)), {})],
            "2.png": [("b", apart, {"shape_of": "x.png"}), ("b", _mask((0, 50, 2, 2)), {})],
            "3.png": [],
        },
    )
    found = find_instances(dataset, range(3), min_area=5)
    seen = [(item.label, item.position, rle.area(item.mask), item.shape_of, item.group) for item in found]
    assert seen == [
        (0, 0, 25, "", "1.png"), (1, 0, 25, "", "1.png"), (1, 0, 36, "", "1.png"), (1, 1, 61, "x.png", "2.png"),
    ]  # fmt: skip
    assert with_objects(dataset, range(3)) == [0, 1]


def test_every_object_is_cropped_once_with_its_own_mask_and_each_image_is_read_once(
    real: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    image: Callable[[Dataset, int], np.ndarray] = Dataset.image
    monkeypatch.setattr(Dataset, "image", lambda self, position: read.append(position) or image(self, position))
    positions = real.indices("train")
    instances = find_instances(real, positions, min_area=1)
    crops = list(object_crops(real, instances, factor=1.5))
    assert sorted(crop.number for crop in crops) == list(range(len(instances)))
    assert read == sorted({item.position for item in instances})
    for crop in crops:
        item = instances[crop.number]
        left, top, side, _ = rle.box(item.mask).square(1.5, least=SMALLEST_CROP)
        assert crop.pixels.shape == (side, side, 3)
        assert crop.mask.sum() == rle.area(item.mask)
        y, x = np.argwhere(crop.mask)[0]
        np.testing.assert_array_equal(crop.pixels[y, x], image(real, item.position)[top + y, left + x])


def test_tiles_cover_every_pixel_of_an_image(real: Dataset) -> None:
    tiles = list_tiles(real, [0, 1], side=40)
    for position in (0, 1):
        seen = np.zeros((72, 96), bool)
        for _, left, top in tiles[tiles[:, 0] == position]:
            seen[top : top + 40, left : left + 40] = True
        assert seen.all()


def test_a_severstal_strip_gives_seven_tiles_of_256(tmp_path: Path) -> None:
    record = ImageRecord(file="s.png", height=256, width=1600)
    dataset = write_dataset(tmp_path / "d", [record], classes=(), image_root=tmp_path, provenance={})
    assert list_tiles(dataset, [0], side=256)[:, 1].tolist() == [0, 224, 448, 672, 896, 1120, 1344]


def test_touched_tiles_are_those_that_a_mask_lies_in(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path, {"1.png": [("a", _mask((30, 5, 12, 4)), {})]})
    touched = list_tiles(dataset, [0], side=20, touched=True)
    every = list_tiles(dataset, [0], side=20)
    mask = _mask((30, 5, 12, 4))
    expected = [tile for tile in every.tolist() if mask[tile[2] : tile[2] + 20, tile[1] : tile[1] + 20].any()]
    assert touched.tolist() == expected
    assert 0 < len(touched) < len(every)


def test_tile_pixels_are_those_of_the_image_and_mirrored_where_it_is_smaller(real: Dataset) -> None:
    tiles = list_tiles(real, [3], side=40)
    image = real.image(3)
    for (_, left, top), pixels in zip(tiles, tile_pixels(real, tiles, side=40), strict=True):
        np.testing.assert_array_equal(pixels, image[top : top + 40, left : left + 40])
    large = list_tiles(real, [3], side=128)
    assert large.tolist() == [[3, 0, 0]]
    pixels = next(tile_pixels(real, large, side=128))
    np.testing.assert_array_equal(pixels, np.pad(image, ((0, 56), (0, 32), (0, 0)), mode="reflect"))


def test_blocks_hold_all_items_in_order() -> None:
    assert list(in_blocks(iter(range(7)), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_blocks(iter([]), 3)) == []
