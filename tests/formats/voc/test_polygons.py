"""Pascal VOC's XML files with polygons. Truth: files as supervision writes them, pixels counted by hand, cv2.fillPoly."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import CoiganError, DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, parse_classes
from coigan_aug.formats.voc import voc
from coigan_aug.imaging import write_image
from tests.thorough import tries

H, W = 12, 16
BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>"
SIZE = f"<size><width>{W}</width><height>{H}</height><depth>3</depth></size>"
SQUARE = [(3, 2), (3, 5), (6, 5), (6, 2)]
SUPERVISION = """<?xml version="1.0" ?>
<annotation>
  <folder>VOC</folder>
  <filename>a.png</filename>
  <source>
    <database>roboflow.ai</database>
  </source>
  <size>
    <width>16</width>
    <height>12</height>
    <depth>3</depth>
  </size>
  <segmented>0</segmented>
  <object>
    <name>blowhole</name>
    <bndbox>
      <xmin>2</xmin>
      <ymin>5</ymin>
      <xmax>10</xmax>
      <ymax>11</ymax>
    </bndbox>
    <polygon>
      <x1>5</x1>
      <y1>5</y1>
      <x2>2</x2>
      <y2>8</y2>
      <x3>4</x3>
      <y3>11</y3>
      <x4>10</x4>
      <y4>9</y4>
    </polygon>
  </object>
</annotation>
"""


def polygon(*points: tuple[object, object]) -> str:
    inner = "".join(f"<x{k}>{x}</x{k}><y{k}>{y}</y{k}>" for k, (x, y) in enumerate(points, start=1))
    return f"<polygon>{inner}</polygon>"


def thing(*polygons: str, name: str = "pit", about: str = "", box: str = BOX) -> str:
    return f"<object><name>{name}</name>{about}{box}{''.join(polygons)}</object>"


def xml(*objects: str, size: str = SIZE) -> str:
    return "\n".join(["<annotation>", size, *objects, "</annotation>"])


def dataset(folder: Path, texts: dict[str, str | bytes], images: tuple[str, ...] = ("images/a.png",)) -> Path:
    for name in images:
        write_image(folder / name, np.zeros((H, W), np.uint8))
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def opened(path: Path, **options: Any) -> tuple[Source, list[ImageRecord], list[str]]:
    problems = Problems()
    options["classes"] = parse_classes(options["classes"]) if "classes" in options else ()
    source = voc.read(Reading(path, options=ReadOptions(**options), problems=problems))
    records = list(source.records)
    problems.check_broken()
    return source, records, [str(problem) for problem in problems.all]


def masks(record: ImageRecord) -> list[tuple[str, list[list[int]]]]:
    return [(a.label, rle.decode(a.rle).tolist()) for a in record.annotations]


def square(left: int = 2, top: int = 1, right: int = 6, bottom: int = 5) -> list[list[int]]:
    picture = np.zeros((H, W), int)
    picture[top:bottom, left:right] = 1
    return picture.tolist()


def test_a_file_of_supervision_is_drawn_as_supervision_draws_it(tmp_path: Path) -> None:
    dataset(tmp_path, {"annotations/a.xml": SUPERVISION})
    assert detect(tmp_path) == ("voc", "Pascal VOC (XML files with polygons)")
    source, (record,), problems = opened(tmp_path)
    expected = np.zeros((H, W), np.uint8)
    cv2.fillPoly(expected, [np.array([[4, 4], [1, 7], [3, 10], [9, 8]], np.int32)], 1)
    assert masks(record) == [("blowhole", expected.tolist())]
    assert rle.box(record.annotations[0].rle) == (1, 4, 9, 7)  # the <bndbox>, 1-based
    assert record.file == "a.png"
    assert [found.name for found in source.classes] == ["blowhole"]
    assert "1 XML files, 1 objects with polygons" in source.description
    assert not problems


def test_pixels_are_counted_from_1_and_the_outline_belongs_to_the_mask(tmp_path: Path) -> None:
    dataset(
        tmp_path, {"annotations/a.xml": xml(thing(polygon(*SQUARE)), thing(polygon((1, 1), (W, 1), (W, H), (1, H))))}
    )
    _, (record,), problems = opened(tmp_path)
    assert masks(record) == [("pit", square()), ("pit", square(0, 0, W, H))]
    assert not problems


@pytest.mark.parametrize(("value", "left"), [("2.5", 2), ("3.5", 2), ("2.4", 1), ("2.6", 2), (" 3\n", 2), ("3e0", 2)])
def test_fractions_are_rounded_as_numpy_rounds_them_after_the_shift(tmp_path: Path, value: str, left: int) -> None:
    points = [(value, y) for _, y in SQUARE[:2]] + SQUARE[2:]
    dataset(tmp_path, {"annotations/a.xml": xml(thing(polygon(*points)))})
    assert masks(opened(tmp_path)[1][0]) == [("pit", square(left))]


def test_polygons_of_an_object_are_parts_of_its_mask_and_its_attributes_are_kept(tmp_path: Path) -> None:
    other = polygon((10, 2), (10, 5), (12, 5), (12, 2))
    about = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><occluded>0</occluded>"
    shuffled = "<polygon><y2>5</y2><x4>6</x4><y1>2</y1><x1>3</x1><x2>3</x2><y3>5</y3><x3>6</x3><y4>2</y4></polygon>"
    dataset(tmp_path, {"annotations/a.xml": xml(thing(shuffled, other, about=about), thing(other, box=""))})
    _, (record,), problems = opened(tmp_path)
    second = square(9, 1, 12, 5)
    assert masks(record) == [("pit", np.maximum(square(), second).tolist()), ("pit", second)]
    assert [dict(a.attributes) for a in record.annotations] == [{"pose": "Left", "truncated": 1}, {}]
    assert not problems


PLACES = [
    ("images/a.png", "annotations/a.xml"),
    ("images/sub/a.png", "annotations/sub/a.xml"),
    ("JPEGImages/a.png", "Annotations/a.xml"),
    ("images/train/a.png", "annotations/train/a.xml"),
    ("train/images/a.png", "train/annotations/a.xml"),
    ("train/a_png.rf.0f.png", "train/a_png.rf.0f.xml"),
    ("a.png", "a.xml"),
    ("a.png", "Annotations/a.XML"),
    ("images/a.png", "a.xml"),
    ("images/a.png", "images/a.xml"),
]


@pytest.mark.parametrize(("image", "file"), PLACES)
def test_the_file_of_an_image_lies_beside_it_or_in_annotations(tmp_path: Path, image: str, file: str) -> None:
    dataset(tmp_path, {file: xml(thing(polygon(*SQUARE)))}, (image,))
    assert detect(tmp_path)[0] == "voc"
    source, (record,), problems = opened(tmp_path)
    assert (source.image_root / record.file).is_file()
    assert masks(record) == [("pit", square())]
    assert not problems


def test_folders_of_a_split_say_it_as_lists_do(tmp_path: Path) -> None:
    names = ("train/a", "valid/b", "test/c", "more/d")
    texts = {f"{name}.xml": xml(thing(polygon(*SQUARE))) for name in names}
    dataset(tmp_path / "folders", dict(texts), tuple(f"{name}.png" for name in names))
    found = {record.file: dict(record.source) for record in opened(tmp_path / "folders")[1]}
    assert found == {
        "train/a.png": {"split": "train"}, "valid/b.png": {"split": "val"}, "test/c.png": {"split": "test"}, "more/d.png": {},
    }  # fmt: skip
    lists = {"ImageSets/Segmentation/train.txt": "a\nclean\n", "ImageSets/Segmentation/test.txt": "later\n"}
    dataset(
        tmp_path / "lists",
        {"Annotations/a.xml": texts["train/a.xml"]} | lists,
        tuple(f"JPEGImages/{name}.png" for name in ("a", "clean", "later", "unlisted")),
    )
    _, records, problems = opened(tmp_path / "lists")
    assert {record.file: (len(record.annotations), record.source["split"]) for record in records} == {
        "a.png": (1, "train"), "clean.png": (0, "train"),
    }  # fmt: skip
    assert problems == [
        "lists/  1 images of train.txt have no XML file (first: clean); taken as defect-free",
        "lists/  1 images of test.txt have no XML file (first: later); left out, not annotated",
    ]


def test_what_has_no_polygon_is_told(tmp_path: Path) -> None:
    few = polygon((1, 1), (4, 1))
    texts = {"annotations/a.xml": xml(thing(), thing(few), thing(few, polygon(*SQUARE)), thing(name="dent"))}
    dataset(tmp_path, texts | {"annotations/b.xml": xml()}, ("images/a.png", "images/b.png", "images/c.png"))
    source, records, problems = opened(tmp_path)
    assert [len(record.annotations) for record in records] == [1, 0, 0]
    assert [found.name for found in source.classes] == ["pit"]
    assert problems == [
        f"{tmp_path.name}/  1 images have no XML file (first: c); taken as defect-free",
        "a.xml  a.xml:4 of a.png: 1 polygons have fewer than 3 points; dropped",
        "a.xml  a.xml:5 of a.png: 1 polygons have fewer than 3 points; left off",
        "a.xml  2 objects of XML files have a box and no polygon (first: a.xml:3); dropped",
    ]


def test_polygons_that_leave_the_image_are_told(tmp_path: Path) -> None:
    zero, far = polygon((0, 1), (0, 4), (4, 4), (4, 1)), polygon((3, 2), (3, 20), (6, 20), (6, 2))
    dataset(tmp_path, {"annotations/a.xml": xml(thing(zero), thing(far), thing(polygon(*[(W + 2, 1)] * 3)))})
    _, (record,), problems = opened(tmp_path)
    assert masks(record) == [("pit", square(0, 0, 4, 4)), ("pit", square(2, 1, 6, H))]
    assert problems == [
        "a.xml  a.xml:4 of a.png: a polygon reaches 7 px out of the image; cut",
        "a.xml  a.xml:5 of a.png has no pixels; dropped",
        "a.xml  1 objects have a corner before the first pixel: were their pixels counted from 0? (first: a.xml:3); "
        "taken as counted from 1",
    ]


def test_classes_can_be_chosen_and_renamed(tmp_path: Path) -> None:
    dataset(tmp_path, {"annotations/a.xml": xml(thing(polygon(*SQUARE)), thing(polygon(*SQUARE), name="Böse"))})
    source, (record,), _ = opened(tmp_path, classes="hole=pit,bad=böse")
    assert [found.name for found in source.classes] == ["hole", "bad"]
    assert [a.label for a in record.annotations] == ["hole", "bad"]
    with pytest.raises(DataError, match=r"a\.xml:4  the label Böse is not among the classes hole"):
        opened(tmp_path, classes="hole=pit")


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]>'
GOOD = xml(thing(polygon(*SQUARE)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (xml(thing(polygon((1, 1), (2, "x"), (3, 3)))), "a.xml:3 of a.png: y2 is 'x', a number is expected"),
        (xml(thing(polygon((1, 1), (2, "nan"), (3, 3)))), "y2 is 'nan', a number is expected"),
        (xml(thing(polygon((1, 1), (2, ""), (3, 3)))), "y2 is '', a number is expected"),
        (xml(thing(polygon((1, 1), (2, "1e300"), (3, 3)))), "y2 is '1e300', a number is expected"),
        (xml(thing(polygon((1, 1), (500, 1), (3, 3)))), "a.xml:3: a polygon reaches 483 px out of a.png (12 x 16)"),
        (GOOD.replace("<y4>2</y4>", ""), "a.xml:3 of a.png: a polygon is not a list of x1, y1, x2, y2, ... (7 values)"),
        (GOOD.replace("x4>", "x3>"), "a polygon is not a list of x1, y1"),
        (GOOD.replace("<y4>2</y4>", "<y4>2</y4><z1>3</z1>"), "a polygon is not a list of x1, y1"),
        (GOOD.replace("<y4>2</y4>", "<y04>2</y04>"), "a polygon is not a list of x1, y1"),
        (GOOD.replace("<x1>", "<pt><x1>").replace("</x1>", "</x1></pt>"), "a polygon is not a list of x1, y1"),
        (xml(thing(polygon(*SQUARE), name=" ")), "a.xml:3  an object of a.png has no name"),
        (
            xml(size="<size><width>7</width><height>5</height></size>"),
            "a.png is 12 x 16 pixels (height x width), a.xml says 5 x 7",
        ),
        (xml(size=f"<size><width>{H}</width><height>{W}</height></size>"), "Was it turned (EXIF)"),
        (BOMB + GOOD, "a.xml:1  has a document type (DTD) or entities"),
        (GOOD[:-5], "is not valid XML"),
        (b"", "is not valid XML"),
    ],
)
def test_what_is_wrong_or_dangerous_is_refused(tmp_path: Path, text: str | bytes, expected: str) -> None:
    dataset(tmp_path, {"annotations/a.xml": text, "annotations/b.xml": GOOD}, ("images/a.png", "images/b.png"))
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert expected in str(caught.value)


def test_images_that_are_missing_broken_or_elsewhere(tmp_path: Path) -> None:
    texts = {f"annotations/{name}.xml": GOOD for name in "abc"}
    dataset(tmp_path / "v", dict(texts), ("images/a.png", "images/b.png"))
    with pytest.raises(DataError, match="the image annotations/c is not in images/"):
        opened(tmp_path / "v")
    (tmp_path / "v" / "images" / "b.png").write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        opened(tmp_path / "v", skip_missing=True)
    _, records, problems = opened(tmp_path / "v", skip_missing=True, skip_broken=True)
    assert [record.file for record in records] == ["a.png"]
    assert len(problems) == 2
    dataset(tmp_path / "w", {}, ("a.png", "b.png", "c.png"))
    for place in ("v", "v/annotations"):
        _, records, problems = opened(tmp_path / place, images=tmp_path / "w")
        assert [masks(record) for record in records] == [[("pit", square())]] * 3
        assert not problems


def test_files_that_lie_outside_are_not_read(tmp_path: Path) -> None:
    dataset(tmp_path / "v", {"annotations/a.xml": GOOD}, ("images/a.png", "images/b.png"))
    (tmp_path / "secret.xml").write_text(GOOD)
    (tmp_path / "v" / "annotations" / "b.xml").symlink_to(tmp_path / "secret.xml")
    with pytest.raises(DataError, match="leads out"):
        opened(tmp_path / "v")


@pytest.mark.parametrize(
    "text",
    [
        xml(thing()),
        "<annotation><object><name>pit</name><polygon><pt><x>1</x><y>1</y></pt></polygon></object></annotation>",
        "<svg><polygon points='1,1'/></svg>",
    ],
)
def test_xml_without_such_polygons_is_none_of_this(tmp_path: Path, text: str) -> None:
    dataset(tmp_path, {"labels/a.xml": text})
    with pytest.raises(DataError, match="is of no format known here"):
        detect(tmp_path)
    refused(tmp_path)


def test_polygons_of_cvat_are_not_vocs(tmp_path: Path) -> None:
    image = "<image><polygon points='1,1;2,2;3,1'/></image>"
    dataset(tmp_path, {"labels/a.xml": f"<annotations><version>1.1</version>{image}</annotations>"})
    assert detect(tmp_path)[0] == "cvat"
    refused(tmp_path)


def refused(path: Path) -> None:
    with pytest.raises(
        DataError, match=r"holds no SegmentationClass/ with \.png files, and no \.xml files with polygons"
    ):
        opened(path)


def test_masks_count_where_there_are_both(tmp_path: Path) -> None:
    dataset(tmp_path, {"Annotations/a.xml": GOOD}, ("JPEGImages/a.png",))
    write_image(tmp_path / "SegmentationClass" / "a.png", np.array(square(0, 0, 2, 2), np.uint8))
    (record,) = opened(tmp_path, classes="pit")[1]
    assert masks(record) == [("pit", square(0, 0, 2, 2))]


@settings(max_examples=tries(100), deadline=None)
@given(st.lists(st.tuples(st.integers(-3, W + 3), st.floats(-3, H + 3)), min_size=3, max_size=8))
def test_any_polygons_are_drawn_as_cv2_draws_each_on_the_image(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[int, float]]
) -> None:
    text = xml(thing(polygon(*points)), thing(polygon(*points), polygon(*SQUARE)))
    expected = np.zeros((H, W), np.uint8)
    cv2.fillPoly(expected, [np.round(np.array(points, float) - 1).astype(np.int32)], 1)
    (record,) = opened(dataset(tmp_path_factory.mktemp("voc"), {"annotations/a.xml": text}))[1]
    alone = [("pit", expected.tolist())] if expected.any() else []
    assert masks(record) == [*alone, ("pit", (expected | np.array(square())).tolist())]


@settings(max_examples=tries(60), deadline=None)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_give_errors_for_people_only(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    texts = {"annotations/a.xml": GOOD, "annotations/b.xml": data}
    folder = dataset(tmp_path_factory.mktemp("fuzz"), texts, ("images/a.png", "images/b.png"))
    with contextlib.suppress(CoiganError):
        opened(folder)
