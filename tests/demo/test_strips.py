from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.demo.strips import CLASSES, Strip, make_strip, write_strips
from coigan_aug.imaging import read_image

COUNT = 60


def _default_strips() -> list[Strip]:
    strips = []
    for index in range(COUNT):
        defective = round((index + 1) * 0.6) > round(index * 0.6)
        strips.append(make_strip(7, index, defective=defective))
    return strips


@pytest.fixture(scope="module")
def strips() -> list[Strip]:
    return _default_strips()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_strips(tmp_path_factory.mktemp("demo"))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _decode_slowly(text: str, height: int, width: int) -> np.ndarray:
    """Severstal's rule, pixel by pixel: pixel 1 is top left, 2 the one below it, then the next column."""
    mask = np.zeros((height, width), bool)
    numbers = [int(word) for word in text.split()]
    for start, length in zip(numbers[0::2], numbers[1::2], strict=True):
        for pixel in range(start, start + length):
            mask[(pixel - 1) % height, (pixel - 1) // height] = True
    return mask


def _objects(mask: np.ndarray) -> np.ndarray:
    """Boxes and areas of the 8-connected parts: [n, 5] of left, top, width, height, area."""
    return cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2][1:]


def _all_objects(strips: list[Strip]) -> dict[int, np.ndarray]:
    found = {label: [_objects(s.masks[label]) for s in strips if label in s.masks] for label in (1, 2, 3, 4)}
    return {label: np.concatenate(parts) for label, parts in found.items()}


def test_the_csv_decodes_to_exactly_the_masks(written: Path, strips: list[Strip]) -> None:
    rows = {(row["ImageId"], int(row["ClassId"])): row["EncodedPixels"] for row in _rows(written)}
    expected = {(f"strip_{i:03d}.jpg", label): mask for i, s in enumerate(strips) for label, mask in s.masks.items()}
    assert rows.keys() == expected.keys()
    for key, mask in expected.items():
        np.testing.assert_array_equal(_decode_slowly(rows[key], *mask.shape), mask)


def test_rows_are_in_the_order_of_images_and_classes(written: Path) -> None:
    keys = [(row["ImageId"], row["ClassId"]) for row in _rows(written)]
    assert written.name == "strips.csv"
    assert written.read_text().splitlines()[0] == "ImageId,ClassId,EncodedPixels"
    assert keys == sorted(set(keys))


def test_the_pictures_are_grey_jpegs_of_the_strips(written: Path, strips: list[Strip]) -> None:
    files = sorted((written.parent / "strips").iterdir())
    assert [file.name for file in files] == [f"strip_{i:03d}.jpg" for i in range(COUNT)]
    for file, strip in zip(files, strips, strict=True):
        stored = read_image(file)
        assert stored.shape == strip.image.shape == (128, 800)
        assert np.abs(stored.astype(int) - strip.image).mean() < 2


def test_clean_strips_have_no_rows(written: Path, strips: list[Strip]) -> None:
    named = {row["ImageId"] for row in _rows(written)}
    assert len(named) == 36
    assert named == {f"strip_{i:03d}.jpg" for i, strip in enumerate(strips) if strip.masks}
    assert make_strip(7, 0, defective=False).masks == {}


@pytest.mark.parametrize(("share", "defective"), [(0.0, 10), (0.25, 8), (0.5, 5), (1.0, 0)])
def test_the_clean_share_is_kept(tmp_path: Path, share: float, defective: int) -> None:
    path = write_strips(tmp_path, count=10, clean_share=share)
    assert len({row["ImageId"] for row in _rows(path)}) == defective


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    first, again = (write_strips(tmp_path / name, count=4) for name in ("a", "b"))
    other = write_strips(tmp_path / "c", count=4, seed=8)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    for file in sorted((first.parent / "strips").iterdir()):
        assert file.read_bytes() == (again.parent / "strips" / file.name).read_bytes()
        assert file.read_bytes() != (other.parent / "strips" / file.name).read_bytes()


def test_a_strip_depends_only_on_seed_and_index(tmp_path: Path, strips: list[Strip]) -> None:
    alone = make_strip(7, 59, defective=True)
    np.testing.assert_array_equal(alone.image, strips[59].image)
    assert alone.masks.keys() == strips[59].masks.keys()
    few, more = (write_strips(tmp_path / str(count), count=count) for count in (3, 6))
    assert more.read_text().startswith(few.read_text())


def test_there_are_about_130_objects_and_enough_of_each_class(strips: list[Strip]) -> None:
    counts = {label: len(objects) for label, objects in _all_objects(strips).items()}
    assert len(CLASSES) == len(set(CLASSES)) == 4
    assert min(counts.values()) >= 20
    assert 120 <= sum(counts.values()) <= 140


def test_objects_fit_their_windows(strips: list[Strip]) -> None:
    for label, objects in _all_objects(strips).items():
        sides = objects[:, 2:4].max(axis=1)
        limit = 92 if CLASSES[label - 1] == "scratch" else 70
        assert sides.min() >= 8
        assert sides.max() <= limit
        assert (sides <= 64).mean() >= 0.8
        assert objects[:, 4].min() >= 30


def test_masks_are_bool_and_stay_apart_from_each_other_and_the_border(strips: list[Strip]) -> None:
    for strip in strips:
        taken = np.zeros(strip.image.shape, np.uint8)
        for label, mask in strip.masks.items():
            assert label in (1, 2, 3, 4)
            assert mask.dtype == bool
            assert mask.any()
            assert not (taken & mask).any()
            taken |= cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8))
            assert not mask[[0, 1, -2, -1]].any()
            assert not mask[:, [0, 1, -2, -1]].any()


def test_only_the_masks_differ_from_the_strip_without_defects(strips: list[Strip]) -> None:
    for index, strip in enumerate(strips):
        clean = make_strip(7, index, defective=False).image
        change = np.abs(strip.image.astype(int) - clean)
        masked = np.zeros(strip.image.shape, np.uint8)
        for mask in strip.masks.values():
            masked |= mask.astype(np.uint8)
            _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
            for number in range(1, labels.max() + 1):
                assert change[labels == number].mean() >= 0.1 * clean[labels == number].mean()
        grown = cv2.dilate(masked, np.ones((5, 5), np.uint8))
        assert change[grown == 0].max() == 0
        soft = (grown > masked) & (clean > 30)
        assert (change[soft] <= 0.07 * clean[soft] + 1).all()


def test_most_pixels_of_a_mask_are_visibly_changed(strips: list[Strip]) -> None:
    changed = total = 0
    for index, strip in enumerate(strips):
        clean = make_strip(7, index, defective=False).image
        for mask in strip.masks.values():
            changed += int((np.abs(strip.image.astype(int) - clean)[mask] >= 0.06 * clean[mask]).sum())
            total += int(mask.sum())
    assert changed / total > 0.9


def test_strips_differ_in_brightness_and_defects_lie_on_the_steel(strips: list[Strip]) -> None:
    means = [float(strip.image[strip.image > 30].mean()) for strip in strips]
    assert np.std(means) > 10
    ended = [strip for strip in strips if min(strip.image[:, :20].mean(), strip.image[:, -20:].mean()) < 15]
    assert 5 <= len(ended) <= 30
    for index, strip in enumerate(strips):
        clean = cv2.GaussianBlur(make_strip(7, index, defective=False).image, (0, 0), 2)
        assert all(clean[mask].min() > 40 for mask in strip.masks.values())


@pytest.mark.parametrize(("height", "width"), [(96, 256), (128, 800), (256, 1600)])
def test_other_sizes_work(height: int, width: int) -> None:
    for index in range(12):
        strip = make_strip(3, index, height=height, width=width, defective=True)
        assert strip.image.shape == (height, width)
        assert strip.image.dtype == np.uint8
        assert strip.masks
        assert all(mask.shape == (height, width) for mask in strip.masks.values())


def test_a_strip_too_small_for_defects_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 96 x 256 pixels, not 64 x 800"):
        make_strip(7, 0, height=64, defective=True)
