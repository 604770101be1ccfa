"""inspect looks for the pieces anew, and says of a split what the images say, however they were imported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coigan_aug.errors import DataError
from coigan_aug.imaging import write_image
from coigan_aug.prepare.importing import import_dataset
from coigan_aug.prepare.inspecting import Inspection, inspect_dataset
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES
from tests.prepare.test_groups import photograph, texture

PIECES, SHOTS, ODD = "abcdefghij", "uvw", "acegi"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs of each of ten pieces; masks for every second piece."""
    folder = tmp_path_factory.mktemp("photographs")
    for number, piece in enumerate(PIECES):
        for shot, letter in enumerate(SHOTS):
            write_image(
                folder / "images" / f"{piece}{letter}.png", photograph(texture(number, "grain"), 10 * number + shot)
            )
            if piece in ODD:
                mask = np.zeros((270, 330), np.uint8)
                mask[90:120, 40:100] = 255
                write_image(folder / "masks" / f"{piece}{letter}.png", mask)
    return folder


def _piece(file: str) -> str:
    return Path(file).name[0]


def _inspected(photographs: Path, out: Path, group_by: str | None) -> tuple[Inspection, Dataset]:
    import_dataset(photographs, out, group_by=group_by, split=0.6)
    return inspect_dataset(Dataset(out)), Dataset(out)


def test_an_import_without_groups_is_found_leaked_by_as_much_as_it_is(photographs: Path, tmp_path: Path) -> None:
    found, dataset = _inspected(photographs, tmp_path / "set", "none")
    split = {record.file: record.split for record in dataset}
    train = {_piece(file) for file, side in split.items() if side == "train"}
    test = [file for file, side in split.items() if side == "test"]
    leaking = [file for file in test if _piece(file) in train]
    defective = [_piece(file) for file in test if _piece(file) in ODD]
    assert leaking
    assert found.leakage == pytest.approx(len(leaking) / len(test))
    assert found.defective_leakage == pytest.approx(sum(piece in train for piece in defective) / len(defective))
    assert sorted(pair[0] for pair in found.pairs) == sorted(leaking)
    assert all(_piece(first) == _piece(second) and split[second] == "train" for first, second in found.pairs)


@pytest.mark.parametrize("group_by", [None, r"(\w)\w\.png"])
def test_an_import_that_keeps_pieces_together_is_found_clean(
    photographs: Path, tmp_path: Path, group_by: str | None
) -> None:
    found, dataset = _inspected(photographs, tmp_path / "set", group_by)
    assert found.leakage == found.defective_leakage == 0
    assert found.pairs == ()
    assert (found.train, found.test) == (len(dataset.indices("train")), len(dataset.indices("test")))
    assert found.test > 0


def test_what_is_counted_is_what_the_import_counted(photographs: Path, tmp_path: Path) -> None:
    report = import_dataset(photographs, tmp_path / "set", group_by="none")
    found = inspect_dataset(Dataset(tmp_path / "set"))
    assert found.classes == report.classes
    assert found.classes[0].median_pixels == 30 * 60
    assert (found.images, found.objects, found.defect_free) == (report.images, report.objects, report.defect_free)
    assert (found.images, found.objects, found.defect_free) == (30, 15, 15)


def test_a_data_set_of_nothing_but_training_images_has_no_leak(photographs: Path, tmp_path: Path) -> None:
    import_dataset(photographs, tmp_path / "set", split=1)
    found = inspect_dataset(Dataset(tmp_path / "set"))
    assert (found.test, found.leakage, found.defective_leakage, found.pairs) == (0, 0, 0, ())


def test_an_empty_data_set_and_a_missing_image_are_said(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        inspect_dataset(write_dataset(tmp_path / "none", [], classes=CLASSES, image_root=tmp_path, provenance={}))
    import_dataset(photographs, tmp_path / "set")
    records = list(Dataset(tmp_path / "set"))
    gone = write_dataset(tmp_path / "gone", records, classes=CLASSES[:1], image_root=tmp_path / "no", provenance={})
    with pytest.raises(DataError, match=r"au\.png is not there"):
        inspect_dataset(gone)
