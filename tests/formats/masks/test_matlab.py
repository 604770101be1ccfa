"""Masks in MATLAB files. Truth: SciPy's writer; what may not be read is made by hand."""

from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_array

from coigan_aug.annotations import rle
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.source import Problems, ReadOptions
from coigan_aug.mask_image import read_mask_values
from coigan_aug.matlab import LARGEST, read_labels
from tests.formats.masks.test_values import masks, shown
from tests.formats.masks.trees import SHAPE, A, B, grow

MARKED = A > 0


def _truth(segmentation: object) -> dict[str, object]:
    """Ground truth as CrackForest has it: a structure of regions that count from 1, and their borders."""
    return {"groundTruth": {"Segmentation": segmentation, "Boundaries": MARKED}}


def test_crack_forest_is_read_as_it_comes(tmp_path: Path) -> None:
    grow(tmp_path, "image/001.jpg image/002.jpg")
    (tmp_path / "groundTruth").mkdir()
    savemat(tmp_path / "groundTruth" / "001.mat", _truth(MARKED.astype(np.uint16) + 1), do_compression=True)
    savemat(tmp_path / "groundTruth" / "002.mat", _truth((B > 0).astype(np.uint16) + 1))
    source = open_source(tmp_path, options=ReadOptions(), problems=Problems())
    assert "CFD" in source.description
    found = [(a.label, rle.decode(a.rle).tolist()) for record in source.records for a in record.annotations]
    assert found == masks(defect=A) + masks(defect=B)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "held",
    [
        {"mask": MARKED},
        {"mask": MARKED.astype(np.float64)},
        {"mask": A, "name": "crack", "scale": 0.5, "colour": np.zeros((*SHAPE, 3), np.uint8), "t": -np.ones(SHAPE)},
        {"gt": np.array([[None]], object)},
    ],
    ids=["logical", "double", "beside others", "cell"],
)
def test_the_one_array_of_whole_numbers_is_the_mask(held: dict[str, object], packed: bool, tmp_path: Path) -> None:
    if "gt" in held:
        held["gt"][0, 0] = A  # type: ignore[index]
    grow(tmp_path, "images/1.png")
    (tmp_path / "masks").mkdir()
    savemat(tmp_path / "masks" / "1.mat", held, do_compression=packed)
    assert shown(tmp_path) == masks(defect=A)


def test_numbers_are_classes_as_in_any_mask(tmp_path: Path) -> None:
    grow(tmp_path, "images/1.png")
    (tmp_path / "masks").mkdir()
    savemat(tmp_path / "masks" / "1.mat", {"mask": np.where(A > 0, 3, np.where(B > 0, 700, 0))})
    assert sorted(np.unique(read_mask_values(tmp_path / "masks" / "1.mat"))) == [0, 3, 700]
    savemat(tmp_path / "masks" / "1.mat", {"mask": np.where(A > 0, 1, np.where(B > 0, 2, 0))})
    assert shown(tmp_path, "pit=1,dent=2") == masks(pit=A, dent=B)


def _bomb(elements: int = 1) -> bytes:
    """Packed elements of zeros, which are a thousandth of what they unpack to."""
    packed = zlib.compress(bytes(LARGEST // elements + 1), 1)
    element = struct.pack("<II", 15, len(packed)) + packed
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + elements * element


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"a": A, "b": B}, r"holds several \(a, b\); one mask"),
        ({"a": np.ones((4, 4)) / 3}, "no array of whole numbers"),
        ({"a": -np.ones((4, 4))}, "no array of whole numbers"),
        ({"a": np.array([[np.nan, 1], [0, 1]])}, "no array of whole numbers"),
        ({"a": csc_array(MARKED)}, "no array of whole numbers"),
        ({"a": "text"}, "no array of whole numbers"),
        (_truth(MARKED.astype(np.uint8)), "no Segmentation that counts from 1"),
        ({"groundTruth": {"Boundaries": MARKED}}, "no Segmentation"),
        ({"groundTruth": A}, "no Segmentation"),
        (b"", "no MATLAB file that can be read"),
        (b"MATLAB 7.3 MAT-file".ljust(512), "MATLAB 7.3 file"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + bytes(range(256)), "no MATLAB file that can be read"),
        (_bomb, "unpacks to more than 256 MB"),
        (lambda: _bomb(3), "unpacks to more than 256 MB"),
    ],
)
def test_what_is_no_mask_is_refused_in_a_sentence(held: object, says: str, tmp_path: Path) -> None:
    path = tmp_path / "1.mat"
    if isinstance(held, dict):
        savemat(path, held)
    else:
        path.write_bytes(held() if callable(held) else held)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=says) as refused:
        read_labels(path)
    assert refused.value.remedy


def test_every_flipped_byte_and_every_cut_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.mat"
    savemat(path, _truth(MARKED.astype(np.uint16) + 1), do_compression=True)
    data = path.read_bytes()
    for k in range(0, len(data), 3):
        for changed in (data[:k], data[:k] + bytes([data[k] ^ 0xFF]) + data[k + 1 :]):
            path.write_bytes(changed)
            with contextlib.suppress(DataError):
                assert read_labels(path).ndim == 2


def test_a_matlab_file_is_no_image_and_one_that_has_no_image_is_left_over(tmp_path: Path) -> None:
    grow(tmp_path, "images/1.png masks/1.png=A")
    savemat(tmp_path / "masks" / "2.mat", {"mask": A})
    savemat(tmp_path / "images" / "meta.mat", {"mask": A})
    problems = Problems()
    source = open_source(tmp_path, options=ReadOptions(), problems=problems)
    assert [record.file for record in source.records] == ["images/1.png"]
    assert [problem.what for problem in problems.all if problem.error] == ["the mask masks/2.mat has no image"]


def test_a_matlab_file_that_is_gone_is_said_to_be() -> None:
    with pytest.raises(DataError, match="is not there"):
        read_mask_values(Path("nowhere/1.mat"))
