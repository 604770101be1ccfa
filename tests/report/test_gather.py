"""What a report is made of: read from the workspace as the other commands leave it, whole or in part."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.evaluation.numbers import Thesis
from coigan_aug.files import sha256
from coigan_aug.folders import Folders
from coigan_aug.imaging import write_image
from coigan_aug.pictures import cell_of, contact_sheet
from coigan_aug.report.crops import close_ups, evolution
from coigan_aug.report.gather import Material, gather
from coigan_aug.report.inventory import take_inventory
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from coigan_aug.training.samples import COLUMNS

from .conftest import noise


def _gather(workspace: Path) -> Material:
    return gather(Folders(workspace))


def test_everything_in_a_workspace_is_found(full: Path) -> None:
    material = _gather(full)
    assert material.dataset is not None
    assert material.imported["groups"] == 3
    run = material.training
    assert run is not None
    assert (run.name, run.recipe, run.finished, run.images) == ("001-tiny", "tiny", True, 1200)
    assert run.generator == sha256(full / "runs" / "001-tiny" / "generator.safetensors")
    assert run.parameters is not None
    assert run.parameters > 1000
    assert len(run.metrics) == 60, "the torn last line is left out"
    assert [path.stem for path in run.samples][:2] == ["000000000300", "000000000600"]
    assert [item.command for item in material.synthetic] == ["coigan-aug synthesize --per-class 3 --out made"]
    assert [result.kind for result in material.results] == ["quality", "benefit"]
    assert material.newest(Thesis) is None


def test_an_empty_workspace_gives_nothing_and_no_error(tmp_path: Path) -> None:
    material = _gather(tmp_path)
    assert (material.dataset, material.training, material.drawn()) == (None, None, None)
    assert not material.imported
    assert not material.synthetic
    assert not material.results


def test_a_run_without_a_generator_is_one_that_has_just_begun(full: Path) -> None:
    folder = full / "runs" / "001-tiny"
    for name in ("generator.safetensors", "run.json", "metrics.jsonl", "config.yaml"):
        (folder / name).unlink()
    run = _gather(full).training
    assert run is not None
    assert (run.finished, run.images, run.parameters, run.generator, run.metrics) == (False, None, None, "", ())


def test_what_is_damaged_is_named(full: Path) -> None:
    (full / "results" / "002-benefit" / "result.json").write_text("{")
    with pytest.raises(DataError, match=r"002-benefit/result.json:1 is not valid JSON"):
        _gather(full)


def test_the_set_of_the_newest_run_is_shown_before_a_newer_one_of_another(full: Path, toy: Dataset) -> None:
    provenance = {"made_by": "coigan-aug synthesize", "run": "000-other"}
    write_dataset(
        full / "synthetic" / "newer", list(toy), classes=toy.classes, image_root=toy.image_root, provenance=provenance
    )
    now = (full / "synthetic" / "made" / "dataset.json").stat().st_mtime_ns + 10**9
    os.utime(full / "synthetic" / "newer" / "dataset.json", ns=(now, now))
    material = _gather(full)
    assert [item.name for item in material.synthetic] == ["made", "newer"]
    drawn = material.drawn()
    assert drawn is not None
    assert drawn.name == "made"


def _two_images(folder: Path) -> Dataset:
    """An image 8 x 16 with a 2 x 4 object top left and a single pixel; one with nothing."""
    mask = np.zeros((8, 16), np.uint8)
    mask[0:2, 0:4] = 1
    mask[7, 15] = 1
    spot = Annotation(label="spot", rle=rle.encode(mask))
    records = [
        ImageRecord(file="a.png", height=8, width=16, annotations=(spot,), group="g", split="train"),
        ImageRecord(file="b.png", height=8, width=16, group="g", split="test"),
    ]
    for record in records:
        write_image(folder / record.file, np.zeros((8, 16), np.uint8))
    classes = (DefectClass(name="spot", colour=(9, 8, 7)), DefectClass(name="none", colour=(1, 2, 3)))
    return write_dataset(folder / "w" / "d", records, classes=classes, image_root=folder, provenance={})


def test_the_inventory_counts_and_measures_objects_by_hand(tmp_path: Path) -> None:
    inventory = take_inventory(_two_images(tmp_path))
    assert (inventory.images, inventory.defect_free, inventory.train, inventory.test) == (2, 1, 1, 1)
    assert inventory.groups == (2,)
    spot, none = inventory.classes
    assert (spot.train, spot.test, len(none.objects)) == (2, 0, 0)
    assert sorted(spot.areas.tolist()) == [1, 8]
    assert sorted(spot.aspects.tolist()) == [1.0, 2.0]
    assert spot.places.shape == (24, 48)
    expected = np.zeros((24, 48))
    expected[:6, :12] = 1  # a pixel is 3 x 3 places
    expected[21:, 45:] = 1
    np.testing.assert_allclose(spot.places, expected, atol=1e-6)
    assert not none.places.any()


def test_close_ups_show_different_groups_over_all_sizes(tmp_path: Path) -> None:
    records = []
    for k in range(12):
        mask = np.zeros((60, 60), np.uint8)
        mask[20 : 22 + k, 20 : 22 + k] = 1
        write_image(tmp_path / f"{k:02d}.png", np.full((60, 60), 10 * k, np.uint8))
        own = (Annotation(label="spot", rle=rle.encode(mask)),)
        records.append(ImageRecord(file=f"{k:02d}.png", height=60, width=60, annotations=own, group=str(k // 2)))
    classes = (DefectClass(name="spot", colour=(255, 0, 0)),)
    dataset = write_dataset(tmp_path / "w" / "d", records, classes=classes, image_root=tmp_path, provenance={})
    objects = take_inventory(dataset).classes[0].objects
    shown = close_ups(dataset, objects, count=4)
    assert len({int(item.file[:2]) // 2 for item in shown}) == 4
    assert [item.file for item in shown] == sorted(item.file for item in shown)
    for item in shown:
        assert item.plain.shape == item.outlined.shape == (120, 120, 3)
        changed = (item.plain != item.outlined).any(axis=2)
        assert changed.any()
        assert (item.outlined[changed] == (255, 0, 0)).all()
    assert len(close_ups(dataset, objects[:2], count=4)) == 2
    assert close_ups(dataset, [], count=4) == []


def test_the_outline_of_a_large_defect_does_not_fade_when_it_is_shrunk(tmp_path: Path) -> None:
    mask = np.zeros((900, 900), np.uint8)
    mask[100:800, 100:800] = 1
    write_image(tmp_path / "a.png", np.full((900, 900), 90, np.uint8))
    record = ImageRecord(
        file="a.png", height=900, width=900, annotations=(Annotation(label="x", rle=rle.encode(mask)),)
    )
    classes = (DefectClass(name="x", colour=(255, 0, 0)),)
    dataset = write_dataset(tmp_path / "w" / "d", [record], classes=classes, image_root=tmp_path, provenance={})
    (shown,) = close_ups(dataset, take_inventory(dataset).classes[0].objects, count=4)
    red = (shown.outlined == (255, 0, 0)).all(axis=2)
    assert shown.plain.shape == (160, 160, 3)
    assert red[80].sum() == red[:, 80].sum() == 4, "two lines of two pixels"


def _sheet(level: int, rows: int = 8) -> np.ndarray:
    """A sample sheet whose picture in row r and column c is grey of level + 10 r + c."""
    cells = [[np.full((64, 64, 3), level + 10 * row + c, np.uint8) for c in range(len(COLUMNS))] for row in range(rows)]
    return contact_sheet(cells, headings=COLUMNS, classes=(DefectClass(name="x", colour=(1, 2, 3)),))


def test_the_evolution_shows_first_between_and_last_in_the_right_columns(tmp_path: Path) -> None:
    for k in range(1, 12):
        write_image(tmp_path / f"{k * 100:012d}.png", _sheet(10 * k))
    found = evolution(sorted(tmp_path.glob("*.png")), window=64)
    assert found is not None
    assert found.times == (100, 300, 600, 900, 1100)
    assert len(found.free) == len(found.paired) == 6
    assert found.free[0][0].shape == (128, 128, 3), "twice the window"
    row = [int(picture.mean()) for picture in found.free[2]]
    assert row == [110 + 20 + 1, *(images // 10 + 20 + 2 for images in found.times)]
    row = [int(picture.mean()) for picture in found.paired[0]]
    assert row == [110 + 4, *(images // 10 + 5 for images in found.times), 110 + 6]


@pytest.mark.parametrize("own", [False, True])
def test_a_window_comes_out_of_a_sheet_as_it_went_in_and_twice_as_large_at_most(tmp_path: Path, own: bool) -> None:
    """Also out of sheets of before, whose squares had 192 px whatever the window's side."""
    for window, side in (*[(40, 80)] * own, (64, 128), (100, 100), (256, 160)):
        rows = [[noise(window, window, seed=c) for c in range(len(COLUMNS))]]
        cell, heading = cell_of(window) if own else 192, {"headings": COLUMNS} if own else {}
        write_image(tmp_path / "000000000100.png", contact_sheet(rows, cell=cell, **heading))
        found = evolution([tmp_path / "000000000100.png"], window=window)
        assert found is not None
        assert found.free[0][0].shape == (side, side, 3)
        if window <= 100:
            times = side // window
            np.testing.assert_array_equal(found.free[0][0], np.kron(rows[0][1], np.ones((times, times, 1), np.uint8)))


def test_sheets_of_another_layout_are_not_cut_wrongly(tmp_path: Path) -> None:
    assert evolution([], window=64) is None
    write_image(tmp_path / "000000000100.png", np.zeros((300, 300, 3), np.uint8))
    assert evolution([tmp_path / "000000000100.png"], window=64) is None
