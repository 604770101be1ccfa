"""A data set whose splits have an annotation file each is one source: images, classes, sides, problems and mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect, open_source
from coigan_aug.formats.source import Problems, ReadOptions, Source
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset

SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]
HEADED = [{"id": 0, "name": "defects", "supercategory": "none"}, {"id": 1, "name": "pit", "supercategory": "defects"}]


def coco(names: list[str], classes: dict[int, str], *, first_id: int = 0, shape: object = SQUARE) -> dict[str, Any]:
    """A COCO file whose images have one mask each, of the classes by turns."""
    ids = list(classes)
    return {
        "images": [{"id": first_id + k, "file_name": name, "height": 4, "width": 6} for k, name in enumerate(names)],
        "categories": [{"id": number, "name": name} for number, name in classes.items()],
        "annotations": [
            {"id": first_id + k, "image_id": first_id + k, "category_id": ids[k % len(ids)], "segmentation": shape}
            for k in range(len(names))
        ],
    }


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def images(folder: Path, names: list[str]) -> None:
    for name in names:
        write_image(folder / name, np.full((4, 6), 90, np.uint8))


@pytest.fixture
def roboflow(tmp_path: Path) -> Path:
    """Laid out as Roboflow exports COCO: a folder a side, which holds the images too; category 0 heads the others."""
    root = tmp_path / "export"
    for side, names in (("train", ["a.jpg", "b.jpg"]), ("valid", ["a.jpg"]), ("test", ["c.jpg"])):
        images(root / side, names)
        write(root / side / "_annotations.coco.json", coco(names, {1: "pit"}) | {"categories": HEADED})
    (root / "README.roboflow.txt").write_text("defects")
    return root


def opened(path: Path, *, problems: Problems | None = None) -> Source:
    return open_source(path, options=ReadOptions(), problems=problems or Problems(strict=True))


def test_the_files_of_all_sides_are_one_source(roboflow: Path) -> None:
    assert detect(roboflow) == ("coco", "COCO JSON")
    source = opened(roboflow)
    assert source.description == (
        "COCO JSON in 3 files (test/_annotations.coco.json, train/_annotations.coco.json, valid/_annotations.coco.json): "
        f"4 images, 1 classes. Images: {roboflow}/"
    )
    assert (source.count, source.image_root) == (4, roboflow)
    assert [(found.name, found.source_id) for found in source.classes] == [("pit", 1)]
    found = {record.file: (record.source["split"], len(record.annotations)) for record in source.records}
    assert found == {
        "test/c.jpg": ("test", 1), "train/a.jpg": ("train", 1), "train/b.jpg": ("train", 1), "valid/a.jpg": ("valid", 1),
    }  # fmt: skip


def test_cocos_own_layout_is_one_source_without_the_files_of_other_tasks(tmp_path: Path) -> None:
    for side in ("train2017", "val2017"):
        images(tmp_path / "images" / side, [f"{side}.png"])
        write(tmp_path / "annotations" / f"instances_{side}.json", coco([f"{side}.png"], {3: "pit"}))
        write(tmp_path / "annotations" / f"person_keypoints_{side}.json", coco([f"{side}.png"], {1: "person"}))
    source = opened(tmp_path)
    assert [(record.file, record.source["split"]) for record in source.records] == [
        ("train2017/train2017.png", "train"), ("val2017/val2017.png", "val"),
    ]  # fmt: skip
    assert source.image_root == tmp_path / "images"


def test_one_that_is_named_is_read_alone(roboflow: Path) -> None:
    for side, files in (("train", ["a.jpg", "b.jpg"]), ("valid", ["a.jpg"])):
        source = opened(roboflow / side / "_annotations.coco.json")
        assert [record.file for record in source.records] == files
        assert source.image_root == roboflow / side


def test_classes_are_those_of_all_files_by_name(tmp_path: Path) -> None:
    """pit has one number in both, line two; 2 is of two classes, so of none."""
    for side, classes in (("train", {1: "pit", 2: "line"}), ("test", {1: "pit", 3: "line", 2: "spot"})):
        images(tmp_path / side, [f"{side}{k}.png" for k in range(3)])
        write(tmp_path / side / "all.json", coco([f"{side}{k}.png" for k in range(3)], classes))
    source = opened(tmp_path)
    assert [(found.name, found.source_id) for found in source.classes] == [("pit", 1), ("line", None), ("spot", 2)]
    labels = {record.file: record.annotations[0].label for record in source.records}
    assert [labels[f"test/test{k}.png"] for k in range(3)] == ["pit", "line", "spot"]
    assert [labels[f"train/train{k}.png"] for k in range(3)] == ["pit", "line", "pit"]


def test_an_image_in_two_files_is_refused(tmp_path: Path) -> None:
    images(tmp_path, ["a.png", "b.png"])
    write(tmp_path / "all.json", coco(["a.png", "b.png"], {1: "pit"}))
    write(tmp_path / "copy.json", coco(["b.png"], {1: "pit"}))
    with pytest.raises(DataError, match=r"the image b\.png is in all\.json and in copy\.json\.") as caught:
        list(opened(tmp_path).records)
    assert caught.value.remedy == f"Name one of the files: {tmp_path / 'copy.json'}"


def test_what_is_wrong_says_in_which_file(roboflow: Path) -> None:
    path = roboflow / "valid" / "_annotations.coco.json"
    write(path, coco(["a.jpg"], {1: "pit"}, shape=[[1, 1, 90, 1, 90, 3]]))
    with pytest.raises(DataError, match=r"^valid/_annotations\.coco\.json: annotation 0: a polygon"):
        list(opened(roboflow, problems=Problems()).records)
    write(path, coco(["a.jpg"], {1: "pit"}, shape=[]))
    problems = Problems()
    assert len(list(opened(roboflow, problems=problems).records)) == 4
    assert [(found.file, found.done) for found in problems.all] == [("valid/_annotations.coco.json", "dropped")]
    path.write_text('{"images": [], "categories": [')
    with pytest.raises(DataError, match=r"valid/_annotations\.coco\.json"):
        opened(roboflow)


def test_inspecting_goes_on_after_a_file_that_is_broken(roboflow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (roboflow / "valid" / "_annotations.coco.json").write_text('{"images": [], "categories": [')
    run(lambda: app(["inspect", str(roboflow), "--json"]))
    out = json.loads(capsys.readouterr().out)
    assert out["images"] == 3
    assert ["valid/_annotations.coco.json" in str(found) for found in out["findings"]].count(True) == 1


def test_all_are_imported_and_converted(roboflow: Path, tmp_path: Path) -> None:
    assert run(lambda: app(["import", str(roboflow), "--workspace", str(tmp_path / "coigan"), "--quiet"])) == 0
    dataset = Dataset(tmp_path / "coigan" / "dataset")
    assert sorted(record.file for record in dataset) == ["test/c.jpg", "train/a.jpg", "train/b.jpg", "valid/a.jpg"]
    assert all(dataset.image(k).shape == (4, 6, 3) for k in range(4))
    assert run(lambda: app(["convert", str(roboflow), str(tmp_path / "out"), "--to", "yolo"])) == 0
    found = opened(tmp_path / "out", problems=Problems())
    masks = {record.file: (record.source["split"], rle.area(record.annotations[0].rle)) for record in found.records}
    assert masks == {
        "images/test/c.jpg": ("val", 6), "images/train/a.jpg": ("train", 6), "images/train/b.jpg": ("train", 6),
        "images/valid/a.jpg": ("val", 6),
    }  # fmt: skip
