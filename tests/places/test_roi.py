"""Regions of interest are found by name, are of their image's size, and what is wrong with them is said."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.imaging import write_image
from coigan_aug.places.roi import open_roi
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES
from tests.prepare.scenes import patch

SHAPE = (20, 30)
INSIDE = patch(SHAPE, 5, 3, 10, 8)


def _dataset(folder: Path, files: list[str]) -> Dataset:
    records = [
        ImageRecord(file=file, height=SHAPE[0], width=SHAPE[1], annotations=(), group="", split="train")
        for file in files
    ]
    for file in files:
        write_image(folder / "images" / file, np.full(SHAPE, 90, np.uint8))
    return write_dataset(
        folder / "dataset", records, classes=CLASSES, image_root=folder / "images", provenance={"format": "coco"}
    )


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a_roi.png", "deep/a.png", "a-mask.PNG"])
def test_a_mask_is_found_by_its_images_name_whatever_its_suffix(tmp_path: Path, name: str) -> None:
    dataset = _dataset(tmp_path, ["a.jpg", "b.jpg"])
    write_image(tmp_path / "roi" / name, INSIDE)
    roi = open_roi(tmp_path / "roi", dataset)
    assert (roi.has(0), roi.has(1), roi.count([0, 1])) == (True, False, 1)
    found = roi.mask(0, *SHAPE)
    assert found is not None
    assert found.dtype == bool
    assert np.array_equal(found, INSIDE > 0)  # 1 is allowed, not only 255
    assert roi.mask(1, *SHAPE) is None
    assert pickle.loads(pickle.dumps(roi)) == roi


def test_images_of_one_name_have_their_masks_in_folders_like_theirs(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path, ["left/a.jpg", "right/a.jpg"])
    write_image(tmp_path / "roi" / "left" / "a.png", INSIDE)
    write_image(tmp_path / "roi" / "right" / "a.png", 255 - 255 * INSIDE)
    roi = open_roi(tmp_path / "roi", dataset)
    for position, expected in enumerate((INSIDE > 0, INSIDE == 0)):
        found = roi.mask(position, *SHAPE)
        assert found is not None
        assert np.array_equal(found, expected)


def test_one_mask_serves_all_images(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path, ["a.jpg", "b.jpg"])
    write_image(tmp_path / "everywhere.png", INSIDE * 255)
    roi = open_roi(tmp_path / "everywhere.png", dataset)
    assert roi.count([0, 1]) == 2
    for position in range(2):
        found = roi.mask(position, *SHAPE)
        assert found is not None
        assert np.array_equal(found, INSIDE > 0)


def test_colours_palettes_and_jpegs_are_read_as_drawn(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    write_image(tmp_path / "roi" / "a.png", INSIDE[..., None] * np.array([0, 0, 200], np.uint8))
    palette = Image.fromarray(INSIDE).convert("P")
    palette.putdata(INSIDE.ravel().tolist())
    palette.putpalette([0, 0, 0, 255, 0, 0] + [0] * 762)
    palette.save(tmp_path / "roi" / "b.png")
    cv2.imwrite(str(tmp_path / "roi" / "c.jpg"), 255 * INSIDE, [cv2.IMWRITE_JPEG_QUALITY, 60])
    roi = open_roi(tmp_path / "roi", dataset)
    for position in range(3):
        found = roi.mask(position, *SHAPE)
        assert found is not None
        assert (found != (INSIDE > 0)).mean() <= (0.03 if position == 2 else 0)


@pytest.mark.parametrize(("name", "least"), [("a.png", 1), ("a.bmp", 1), ("a.tif", 1), ("a.webp", 128)])
def test_of_a_format_that_keeps_black_all_else_is_allowed_and_of_another_the_brighter_half(
    tmp_path: Path, name: str, least: int
) -> None:
    """Every level once, written without loss."""
    levels = np.arange(600, dtype=np.uint16).reshape(SHAPE) % 256
    (tmp_path / "roi").mkdir()
    Image.fromarray(levels.astype(np.uint8)).save(tmp_path / "roi" / name, lossless=True)
    found = open_roi(tmp_path / "roi", _dataset(tmp_path, ["a.jpg"])).mask(0, *SHAPE)
    assert found is not None
    assert np.array_equal(found, levels >= least)


@pytest.mark.parametrize(("level", "allowed"), [(40, False), (120, False), (136, True), (250, True)])
def test_in_a_jpeg_what_is_nearer_to_white_is_allowed(tmp_path: Path, level: int, allowed: bool) -> None:
    (tmp_path / "roi").mkdir()
    image = np.full(SHAPE, level, np.uint8)
    image[:, 16:] = 255
    Image.fromarray(image).save(tmp_path / "roi" / "a.jpg", quality=100)
    found = open_roi(tmp_path / "roi", _dataset(tmp_path, ["a.jpg"])).mask(0, *SHAPE)
    assert found is not None
    assert (found[:, :16] == allowed).all()
    assert found[:, 16:].all()


def _message(tmp_path: Path, roi: Path, files: list[str] | None = None) -> tuple[str, str]:
    dataset = _dataset(tmp_path, files or ["a.jpg", "b.jpg"])
    with pytest.raises(DataError) as caught:
        open_roi(roi, dataset).mask(0, *SHAPE)
    return caught.value.message, caught.value.remedy


@pytest.mark.parametrize("single", [False, True])
def test_a_mask_of_another_size_is_refused_with_both_sizes_and_its_file(tmp_path: Path, single: bool) -> None:
    write_image(tmp_path / "roi" / "a.png", np.ones((10, 15), np.uint8))
    message, remedy = _message(tmp_path, tmp_path / "roi" / "a.png" if single else tmp_path / "roi")
    assert "a.png is 10 x 15 pixels, its image is 20 x 30 (height x width)" in message
    assert ("a folder" in remedy) == single


def test_an_empty_mask_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "roi" / "a.png", np.zeros(SHAPE, np.uint8))
    message, remedy = _message(tmp_path, tmp_path / "roi")
    assert message.endswith("a.png is empty: no pixel of it is set.")
    assert "Paint white" in remedy


def test_what_is_no_folder_of_masks_is_refused(tmp_path: Path) -> None:
    assert "is not there" in _message(tmp_path, tmp_path / "nowhere")[0]
    (tmp_path / "roi.csv").write_text("a,b")
    assert "is no image and no folder" in _message(tmp_path, tmp_path / "roi.csv")[0]
    (tmp_path / "empty").mkdir()
    message, remedy = _message(tmp_path, tmp_path / "empty")
    assert "holds no mask for any of the 2 images (looked for a.png)" in message
    assert remedy == "A mask has its image's name: images/a.jpg, roi/a.png."


def test_a_broken_mask_is_refused(tmp_path: Path) -> None:
    (tmp_path / "roi").mkdir()
    (tmp_path / "roi" / "a.png").write_bytes(b"no picture")
    assert "is not an image that can be read" in _message(tmp_path, tmp_path / "roi")[0]


def test_names_that_fit_twice_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "roi" / "a.png", INSIDE)
    message, remedy = _message(tmp_path, tmp_path / "roi", ["left/a.jpg", "right/a.jpg"])
    assert "a.png fits two images: left/a and right/a" in message
    assert remedy == "Put the masks into folders like the images'."
    write_image(tmp_path / "roi" / "a_roi.png", INSIDE)
    assert "two regions of interest" in _message(tmp_path, tmp_path / "roi")[0]
