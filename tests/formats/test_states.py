"""Which images are annotated, clean or unknown, told by hand for a small input of each family of formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.converting import convert
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.source import Problems, ReadOptions
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset, record_from, record_to
from coigan_aug.store.writer import write_dataset

SQUARE = [[10, 5], [30, 5], [30, 15], [10, 15]]
FLAT = [value for point in SQUARE for value in point]
Tell = Callable[[Path], tuple[Path, dict[str, str]]]


def _images(folder: Path, *names: str) -> None:
    for name in names:
        write_image(folder / name, np.full((40, 60), 90, np.uint8))


def _mask(path: Path, *, empty: bool = False) -> None:
    pixels = np.zeros((40, 60), np.uint8)
    pixels[5:15, 10:30] = 0 if empty else 255
    write_image(path, pixels)


def _json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _coco(path: Path, said: Mapping[str, list[Any]]) -> Path:
    _images(path.parent, *said)
    items = [(k, shape) for k, shapes in enumerate(said.values(), start=1) for shape in shapes]
    annotations = [
        {"id": n, "image_id": k, "category_id": 1, "bbox": [10, 5, 20, 10], "area": 200, "iscrowd": 0}
        | ({} if shape is None else {"segmentation": shape})
        for n, (k, shape) in enumerate(items, start=1)
    ]
    images = [{"id": k, "file_name": name, "height": 40, "width": 60} for k, name in enumerate(said, start=1)]
    return _json(path, {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "d"}]})


def coco(home: Path) -> tuple[Path, dict[str, str]]:
    path = _coco(
        home / "a.json",
        {
            "mask.png": [[FLAT]],
            "none.png": [],
            "box.png": [None],
            "both.png": [[FLAT], None],
            "line.png": [[[10, 5, 30, 5]]],
            "stray.png": [[FLAT, [1, 1, 2, 2]]],
            "nothing.png": [{"size": [40, 60], "counts": [2400]}],
        },
    )
    states = {"mask.png": "annotated", "none.png": "clean", "stray.png": "annotated"}
    return path, states | dict.fromkeys(["box.png", "both.png", "line.png", "nothing.png"], "unknown")


def several(home: Path) -> tuple[Path, dict[str, str]]:
    _coco(home / "train" / "a.json", {"a.png": [None], "b.png": [[FLAT]]})
    _coco(home / "val" / "a.json", {"a.png": [], "b.png": [[FLAT]]})
    return home, {
        "train/a.png": "unknown",
        "train/b.png": "annotated",
        "val/a.png": "clean",
        "val/b.png": "annotated",
    }


def rle_csv(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    rows = "ImageId,ClassId,EncodedPixels\na.jpg,1,5 10\nb.jpg,1,\nc.jpg,1,5 0\n"
    return _text(home / "a.csv", rows), {
        "a.jpg": "annotated",
        "b.jpg": "clean",
        "c.jpg": "unknown",
        "d.jpg": "clean",
    }


def line_json(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "data", "a.png", "b.png", "c.png", "d.png")
    points: dict[str, list[Any]] = {"a.png": [SQUARE], "b.png": [[[1, 1], [9, 9]]], "c.png": [[]], "d.png": []}
    lines = [
        {"img": name, "polygons": [{"label": "1", "points": own} for own in parts]} for name, parts in points.items()
    ]
    path = _text(home / "dataset.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    states = {"a.png": "annotated", "b.png": "unknown", "c.png": "unknown", "d.png": "clean"}
    return path, {f"data/{name}": state for name, state in states.items()}


def labelme(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home, "a.png", "b.png", "c.png", "d.png")
    kinds = {"a": [("polygon", SQUARE)], "b": [("linestrip", [[1, 1], [9, 9], [20, 9]])], "c": []}
    for name, drawn in kinds.items():
        shapes = [
            {"label": "d", "points": points, "shape_type": kind, "group_id": None, "flags": {}}
            for kind, points in drawn
        ]
        about = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.png", "imageData": None}
        _json(home / f"{name}.json", about | {"imageHeight": 40, "imageWidth": 60})
    return home, {"a.png": "annotated", "b.png": "unknown", "c.png": "clean", "d.png": "clean"}


def cvat(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "images", "a.png", "b.png", "c.png")
    points = ";".join(f"{x},{y}" for x, y in SQUARE)
    inner = {"a.png": f'<polygon label="d" points="{points}"/>', "b.png": '<polyline label="d" points="1,1;9,9"/>'}
    body = "".join(
        f'<image id="{k}" name="{name}" width="60" height="40">{inner.get(name, "")}</image>'
        for k, name in enumerate(["a.png", "b.png", "c.png"])
    )
    path = _text(home / "annotations.xml", f"<annotations><version>1.1</version>{body}</annotations>")
    return path, {"images/a.png": "annotated", "images/b.png": "unknown", "images/c.png": "clean"}


def label_studio(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home, "a.png", "b.png", "c.png", "d.png")
    size = {"original_width": 60, "original_height": 40}
    share = [[100 * x / 60, 100 * y / 40] for x, y in SQUARE]
    drawn = {"id": "r", "type": "polygonlabels", "value": {"points": share, "polygonlabels": ["d"]}} | size
    annotations: dict[str, list[Any]] = {
        "a.png": [{"result": [drawn]}],
        "b.png": [],
        "c.png": [{"result": [drawn], "was_cancelled": True}],
        "d.png": [{"result": []}],
        "not there.png": [],
    }
    tasks = [
        {"id": k, "data": {"image": name}, "annotations": own} for k, (name, own) in enumerate(annotations.items())
    ]
    states = {"a.png": "annotated", "b.png": "unknown", "c.png": "unknown", "d.png": "clean"}
    return _json(home / "tasks.json", tasks), states


def supervisely(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "ds" / "img", "a.png", "b.png", "c.png")
    outline = {"geometryType": "polygon", "classTitle": "d", "points": {"exterior": SQUARE, "interior": []}}
    line = outline | {"geometryType": "line"}
    for name, objects in {"a": [outline], "b": [line], "c": list[Any]()}.items():
        about = {"size": {"height": 40, "width": 60}, "objects": objects, "tags": []}
        _json(home / "ds" / "ann" / f"{name}.png.json", about)
    _json(home / "meta.json", {"classes": [{"title": "d", "shape": "any", "color": "#FF0000"}], "tags": []})
    return home, {"ds/img/a.png": "annotated", "ds/img/b.png": "unknown", "ds/img/c.png": "clean"}


def yolo(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "images", "a.png", "b.png", "c.png", "d.png")
    _text(home / "data.yaml", "train: images\nval: images\nnames: [d]\n")
    outline = " ".join(f"{x / 60} {y / 40}" for x, y in SQUARE)
    for name, text in {"a": f"0 {outline}\n", "b": "0 0.5 0.5 0.2 0.2\n", "c": ""}.items():
        _text(home / "labels" / f"{name}.txt", text)
    states = {"a.png": "annotated", "b.png": "unknown", "c.png": "clean", "d.png": "clean"}
    return home / "data.yaml", {f"images/{name}": state for name, state in states.items()}


def voc(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "JPEGImages", "a.jpg", "b.jpg", "c.jpg")
    for name, value in {"a": 1, "c": 0}.items():
        pixels = np.zeros((40, 60), np.uint8)
        pixels[5:15, 10:30] = value
        write_image(home / "SegmentationClass" / f"{name}.png", pixels)
    _text(home / "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\nd:128,0,0::\n")
    states = {"a.jpg": "annotated", "b.jpg": "unknown", "c.jpg": "clean"}
    return home, {f"JPEGImages/{name}": state for name, state in states.items()}


def voc_polygons(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home, "a.png", "b.png", "c.png")
    corners = "".join(f"<x{k}>{x}</x{k}><y{k}>{y}</y{k}>" for k, (x, y) in enumerate(SQUARE, start=1))
    box = "<bndbox><xmin>10</xmin><ymin>5</ymin><xmax>30</xmax><ymax>15</ymax></bndbox>"
    size = "<size><width>60</width><height>40</height><depth>3</depth></size>"
    for name, inner in {"a": f"{box}<polygon>{corners}</polygon>", "b": box}.items():
        text = f"<annotation><filename>{name}.png</filename>{size}<object><name>d</name>{inner}</object></annotation>"
        _text(home / f"{name}.xml", text)
    return home, {"a.png": "annotated", "b.png": "unknown", "c.png": "clean"}


def masks_of_most(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "images", "a.png", "b.png", "c.png", "d.png")
    for name in ("a", "b"):
        _mask(home / "masks" / f"{name}.png")
    _mask(home / "masks" / "c.png", empty=True)
    states = {"a.png": "annotated", "b.png": "annotated", "c.png": "clean", "d.png": "unknown"}
    return home, {f"images/{name}": state for name, state in states.items()}


def masks_of_defects_only(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "images", "a.png", "b.png", "c.png")
    _mask(home / "masks" / "a.png")
    return home, {"images/a.png": "annotated", "images/b.png": "clean", "images/c.png": "clean"}


def masks_without_an_image(home: Path) -> tuple[Path, dict[str, str]]:
    _images(home / "images", "a.png", "b.png", "c.png")
    _mask(home / "masks" / "a.png")
    _mask(home / "masks" / "other.png")
    return home, {"images/a.png": "annotated", "images/b.png": "unknown", "images/c.png": "unknown"}


def folders_of_defects(home: Path) -> tuple[Path, dict[str, str]]:
    names = ["good/0", "scratch/0", "scratch/1", "scratch/2", "scratch/3", "dent/0"]
    _images(home / "test", *(f"{name}.png" for name in names))
    for name in ("scratch/1", "scratch/2"):
        _mask(home / "ground_truth" / f"{name}_mask.png")
    _mask(home / "ground_truth" / "scratch" / "3_mask.png", empty=True)
    states = dict.fromkeys(names, "unknown") | {"good/0": "clean", "scratch/3": "clean"}
    states |= dict.fromkeys(["scratch/1", "scratch/2"], "annotated")
    return home, {f"test/{name}.png": state for name, state in states.items()}


FAMILIES: list[Tell] = [
    coco, several, rle_csv, line_json, labelme, cvat, label_studio, supervisely, yolo, voc, voc_polygons,
    masks_of_most, masks_of_defects_only, masks_without_an_image, folders_of_defects,
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_an_image_that_lost_an_annotation_is_unknown_and_no_other_is(family: Tell, tmp_path: Path) -> None:
    path, states = family(tmp_path)
    source = open_source(path, options=ReadOptions(), problems=Problems())
    root = source.image_root.resolve().relative_to(tmp_path.resolve())
    assert {(root / record.file).as_posix(): record.state for record in source.records} == states


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_unknown_as_clean_takes_what_is_left(family: Tell, tmp_path: Path) -> None:
    path, states = family(tmp_path)
    source = open_source(path, options=ReadOptions(unknown_as_clean=True), problems=Problems())
    found = [record.state for record in source.records]
    assert "unknown" not in found
    assert len(found) == len(states)


def test_only_unknown_records_say_their_state() -> None:
    record = ImageRecord(file="a.png", height=4, width=4)
    assert "state" not in record_to(record)
    value = record_to(ImageRecord(file="a.png", height=4, width=4, unknown=True))
    assert value["state"] == "unknown"
    assert record_from(value).state == "unknown"
    assert record_from(record_to(record)).state == "clean"
    with pytest.raises(KeyError):
        record_from(value | {"state": "perhaps"})


@pytest.mark.parametrize("to", ["coco", "mask-folder", "yolo"])
def test_converting_leaves_out_unknown_images_without_a_mask_and_counts_them(tmp_path: Path, to: str) -> None:
    path, _ = coco(tmp_path / "in")
    made = convert(path, tmp_path / "out", to=to)
    assert (made.images, made.defect_free) == (4, 1)
    losses = {loss.what: loss.count for loss in made.losses}
    assert losses["images of unknown state, which are left out"] == 3
    assert losses["images of unknown state, of which only the masks that could be used are written"] == 1
    written = {file.name for file in (tmp_path / "out").rglob("*.png") if "masks" not in file.parts}
    assert written == {"mask.png", "none.png", "both.png", "stray.png"}
    as_clean = convert(path, tmp_path / "all", to=to, options=ReadOptions(unknown_as_clean=True))
    assert (as_clean.images, as_clean.defect_free) == (7, 4)


def test_a_data_set_keeps_unknown_images_through_a_conversion_from_it(tmp_path: Path) -> None:
    path, _ = coco(tmp_path / "in")
    source = open_source(path, options=ReadOptions(), problems=Problems())
    records = list(source.records)
    write_dataset(tmp_path / "set", records, classes=source.classes, image_root=source.image_root, provenance={})
    assert [record.state for record in Dataset(tmp_path / "set")] == [record.state for record in records]
    assert convert(tmp_path / "set", tmp_path / "out", to="coco").images == 4


def test_a_set_of_boxes_alone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = _coco(tmp_path / "in" / "a.json", {"a.png": [None], "b.png": [None], "c.png": []})
    with pytest.raises(DataError, match="2 are of unknown state: 2 annotations have a box and no mask") as refused:
        convert(path, tmp_path / "out", to="coco")
    assert "--unknown-as clean" in refused.value.remedy
    assert "polygons or masks" in refused.value.remedy
