"""Masks that were drawn on smaller or larger copies of their images. Truth: the pixels that are written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.source import Problems, ReadOptions, parse_classes
from tests.formats.masks.trees import SHAPE, A, grow

TWICE = ReadOptions(resize_masks=True)
DOUBLE = np.kron(A, np.ones((2, 2), np.uint8))  # what each pixel of a mask covers of an image of twice its size


def _read(folder: Path, options: ReadOptions, problems: Problems | None = None) -> dict[str, np.ndarray]:
    (record,) = open_source(folder, options=options, problems=problems or Problems()).records
    found = {item.label: rle.decode(item.rle) for item in record.annotations}
    return found | ({} if record.void is None else {"void": rle.decode(record.void)})


def test_a_mask_of_another_size_is_refused_with_the_option_that_mends_it(tmp_path: Path) -> None:
    grow(tmp_path, {"images/1.png": np.zeros(DOUBLE.shape, np.uint8), "masks/1.png": A})
    with pytest.raises(DataError, match=r"the mask masks/1\.png is 16 x 20 pixels, its image .* is 32 x 40") as refused:
        _read(tmp_path, ReadOptions())
    assert refused.value.remedy == "Was it drawn on a smaller or larger copy? Add --resize-masks."


def test_a_mask_of_half_the_size_covers_two_pixels_for_one_and_is_counted(tmp_path: Path) -> None:
    grow(tmp_path, {"images/1.png": np.zeros(DOUBLE.shape, np.uint8), "masks/1.png": A})
    problems = Problems()
    found = _read(tmp_path, TWICE, problems)
    assert (found["defect"] == (DOUBLE > 0)).all()
    (note,) = problems.all
    assert "masks have another size than their images" in str(note)


def test_classes_and_void_of_index_masks_keep_their_border(tmp_path: Path) -> None:
    indices = np.zeros(SHAPE, np.uint8)
    indices[4:9, 5:10], indices[9:12, 5:10], indices[4:12, 10:13] = 1, 2, 255
    grow(tmp_path, {"images/1.png": np.zeros((3 * SHAPE[0], 3 * SHAPE[1]), np.uint8), "masks/1.png": indices})
    found = _read(tmp_path, ReadOptions(resize_masks=True, classes=parse_classes("pit=1,scratch=2")))
    truth = np.kron(indices, np.ones((3, 3), np.uint8))
    for name, value in {"pit": 1, "scratch": 2, "void": 255}.items():
        assert (found[name] == (truth == value)).all(), name


def test_a_larger_mask_is_made_smaller_and_a_line_of_a_pixel_stays(tmp_path: Path) -> None:
    mask = np.zeros((2 * SHAPE[0], 2 * SHAPE[1]), np.uint8)
    mask[11, 8:32] = 255
    grow(tmp_path, {"images/1.png": np.zeros(SHAPE, np.uint8), "masks/1.png": mask})
    found = _read(tmp_path, TWICE)["defect"]
    assert (np.argwhere(found) == [(5, x) for x in range(4, 16)]).all()


@pytest.mark.parametrize("size", [(16, 19), (20, 16), (17, 40), (8, 20)])
def test_other_proportions_are_refused_all_the_same(size: tuple[int, int], tmp_path: Path) -> None:
    mask = np.zeros(size, np.uint8)
    mask[3:6, 3:6] = 255
    grow(tmp_path, {"images/1.png": np.zeros(SHAPE, np.uint8), "masks/1.png": mask})
    with pytest.raises(DataError, match=r"the mask masks/1\.png is") as refused:
        _read(tmp_path, TWICE)
    assert "--resize-masks" not in refused.value.remedy


def test_a_copy_may_be_off_by_the_rounding_of_its_sides(tmp_path: Path) -> None:
    mask = np.zeros((33, 50), np.uint8)
    mask[3:6, 3:6] = 255
    grow(tmp_path, {"images/1.png": np.zeros((100, 150), np.uint8), "masks/1.png": mask})
    assert _read(tmp_path, TWICE)["defect"].shape == (100, 150)
