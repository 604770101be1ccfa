"""Telling formats apart, and what --classes means."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.detect import FORMATS, detect, format_named, open_source
from coigan_aug.formats.names import NAMES
from coigan_aug.formats.source import ClassChoice, Problems, ReadOptions, make_classes, output_ids, parse_classes
from coigan_aug.imaging import write_image


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "ImageId,ClassId,EncodedPixels\n", "severstal"),
        ("a.csv", "ImageId_ClassId,EncodedPixels\n", "severstal"),
        ("a.json", json.dumps({"info": {}, "images": [], "annotations": [], "categories": []}), "coco"),
        ("dataset.jsonl", '{"img": "a.jpg", "polygons": []}\n', "line-json"),
        ("a.json", json.dumps({"version": "5", "shapes": [{"label": "images"}], "imagePath": "a.png"}), "labelme"),
        (
            "a.json",
            json.dumps([{"id": 1, "annotations": [{"result": []}], "data": {"image": "a.png"}}]),
            "label-studio",
        ),
        ("a.json", json.dumps([{"id": 1, "image": "a.png", "annotation_id": 1}]), "label-studio"),
        ("a.xml", "<?xml version='1.0'?>\n<annotations>\n<version>1.1</version></annotations>", "cvat"),
    ],
)
def test_files_are_told_apart(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    assert detect(tmp_path / name)[0] == expected


def test_folders_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "dataset.jsonl").write_text('{"img": "a.jpg", "polygons": []}\n')
    assert detect(tmp_path / "lines")[0] == "line-json"
    texts = {"p/meta.json": '{"classes": []}', "p/ds0/ann/a.png.json": "{}"}
    texts["images/labels/a.json"] = '{"shapes": [], "imagePath": "../images/a.png"}'
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    assert detect(tmp_path / "p")[0] == "supervisely"
    write_image(tmp_path / "images" / "images" / "a.png", np.zeros((4, 4), np.uint8))
    assert detect(tmp_path / "images")[0] == "labelme"
    for name in ("images/a.png", "masks/a.png"):
        write_image(tmp_path / "both" / name, np.zeros((4, 4), np.uint8))
    assert detect(tmp_path / "both")[0] == "mask-folder"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text(""), "an empty file"),
        (lambda path: path.write_text("hello,world\n1,2\n"), "a file that begins with 'hello,world'"),
        (lambda path: path.write_bytes(bytes(range(256))), "a binary file"),
        (lambda path: path.mkdir(), "an empty folder"),
        (lambda path: (path / "x.txt").parent.mkdir() or (path / "x.txt").write_text(""), "a folder with x.txt"),
    ],
)
def test_unknown_sources_say_what_was_seen(tmp_path: Path, make: object, expected: str) -> None:
    make(tmp_path / "thing")
    with pytest.raises(DataError) as caught:
        detect(tmp_path / "thing")
    assert expected in str(caught.value)


def coco_set(folder: Path, *, parts: tuple[str, ...]) -> None:
    """Make a data set as COCO and its tools lay it out: annotations/instances_PART.json, images/PART/."""
    for part in parts:
        write_image(folder / "images" / part / f"{part}.png", np.full((4, 6), 90, np.uint8))
        value = {
            "images": [{"id": 1, "file_name": f"{part}.png", "height": 4, "width": 6}],
            "categories": [{"id": 1, "name": "pit"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 4, 1, 4, 3]]}],
        }
        path = folder / "annotations" / f"instances_{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value))


def test_a_folder_means_its_only_annotation_file(tmp_path: Path) -> None:
    coco_set(tmp_path, parts=("train",))
    (tmp_path / "annotations" / "notes.json").write_text("{}")
    assert detect(tmp_path) == ("coco", "COCO JSON")
    source = open_source(tmp_path, options=ReadOptions(), problems=Problems(strict=True))
    assert [(record.file, len(record.annotations)) for record in source.records] == [("train.png", 1)]
    assert source.image_root == tmp_path / "images" / "train"


def test_of_several_annotation_files_one_is_to_be_named(tmp_path: Path) -> None:
    coco_set(tmp_path, parts=("train",))
    (tmp_path / "annotations" / "train.csv").write_text("ImageId,ClassId,EncodedPixels\ntrain.png,1,1 2\n")
    with pytest.raises(DataError) as caught:
        detect(tmp_path)
    assert caught.value.message == (
        f"{tmp_path} is a folder that holds 2 annotation files: annotations/instances_train.json, annotations/train.csv."
    )
    first = tmp_path / "annotations" / "instances_train.json"
    assert caught.value.remedy == f"Name one: {first}"
    source = open_source(first, options=ReadOptions(), problems=Problems(strict=True))
    assert [record.file for record in source.records] == ["train.png"]


def test_an_unknown_format_lists_those_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(tmp_path, options=ReadOptions(), problems=Problems(), name="cocoa")
    assert str(caught.value).startswith("There is no format 'cocoa'. Did you mean 'coco'?")
    assert all(name in caught.value.remedy for name in NAMES)


def test_the_names_that_the_help_lists_are_the_formats() -> None:
    assert tuple(known.name for known in FORMATS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_format_says_what_it_loses(name: str) -> None:
    assert isinstance(format_named(name).loses, str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a, b", [("a", ""), ("b", "")]),
        ("a=1,b=#FF0000", [("a", "1"), ("b", "#ff0000")]),
    ],
)
def test_classes_are_parsed(text: str, expected: list[tuple[str, str]]) -> None:
    assert parse_classes(text) == tuple(ClassChoice(*pair) for pair in expected)


@pytest.mark.parametrize("text", ["", "a,", "a,a", "a=1,b", "a=1,b=1", "a=", "=1"])
def test_classes_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--classes"):
        parse_classes(text)


@pytest.mark.parametrize(
    ("source_ids", "expected"),
    [([7, 3], [7, 3]), ([0, 1], [1, 2]), ([3, 3], [1, 2]), (["x", "y"], [1, 2]), ([None, 4], [1, 2])],
)
def test_ids_of_the_source_are_written_where_they_can_be(source_ids: list, expected: list[int]) -> None:
    assert list(output_ids(make_classes(["a", "b"], source_ids=source_ids)).values()) == expected


@pytest.mark.parametrize(
    ("source_ids", "expected"), [([0, 1], [0, 1]), ([4, 0], [4, 0]), ([0, 0], [1, 2]), ([-1, 0], [1, 2])]
)
def test_an_id_of_0_is_written_where_a_format_has_a_use_for_it(source_ids: list, expected: list[int]) -> None:
    assert list(output_ids(make_classes(["a", "b"], source_ids=source_ids), least=0).values()) == expected
