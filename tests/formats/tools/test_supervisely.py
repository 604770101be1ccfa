"""Supervisely. Truth: the two calls by which its SDK fills polygons, and masks packed here by hand."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.formats.tools import supervisely
from coigan_aug.imaging import write_image
from tests.formats.tools.test_labelme import png
from tests.formats.trials import (
    block,
    broken,
    content,
    masks,
    peak_of,
    read_or_refuse,
    record_of,
    there_and_back,
)  # fmt: skip
from tests.thorough import tries

META = {
    "classes": [
        {"title": "pit", "shape": "bitmap", "color": "#FF0080", "geometry_config": {}, "id": 900},
        {"title": "böse", "shape": "polygon", "color": "red"},
    ],
    "tags": [{"name": "deep", "value_type": "none", "color": "#000000"}],
    "projectType": "images",
}
PATCH = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
SQUARE = [[1, 1], [5, 1], [5, 4], [1, 4]]


def packed(mask: np.ndarray, *, clear: bool = True) -> str:
    """Pack a mask as the SDK does: a palette of two colours, the first transparent, zipped; or plain grey."""
    image, stream = Image.fromarray(mask.astype(np.uint8)), io.BytesIO()
    if clear:
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.save(stream, format="PNG", transparency=0, optimize=0)
    else:
        image.save(stream, format="PNG")
    return base64.b64encode(zlib.compress(stream.getvalue())).decode()


def bitmap(mask: np.ndarray = PATCH, origin: Any = None, **changes: Any) -> dict[str, Any]:
    value = {"id": 7, "classId": 900, "classTitle": "pit", "geometryType": "bitmap", "tags": [], "description": ""}
    return value | {"bitmap": {"data": packed(mask), "origin": [2, 1] if origin is None else origin}} | changes


def polygon(exterior: Any = None, interior: Any = (), **changes: Any) -> dict[str, Any]:
    points = {"exterior": SQUARE if exterior is None else exterior, "interior": list(interior)}
    return {"classTitle": "pit", "geometryType": "polygon", "points": points, "tags": []} | changes


def document(*objects: Any, **changes: Any) -> dict[str, Any]:
    return {"description": "", "tags": [], "size": {"height": 6, "width": 8}, "objects": list(objects)} | changes


def opened(folder: Path, value: Any, meta: Any = META, **options: Any) -> tuple[Source, Problems]:
    if not (folder / "ds0").exists():
        write_image(folder / "ds0" / "img" / "a.png", np.zeros((6, 8), np.uint8))
        (folder / "ds0" / "ann").mkdir()
    (folder / "meta.json").write_bytes(meta if isinstance(meta, bytes) else json.dumps(meta).encode())
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    (folder / "ds0" / "ann" / "a.png.json").write_bytes(text)
    problems = Problems()
    return supervisely.read(Reading(folder, options=ReadOptions(**options), problems=problems)), problems


def first_mask(folder: Path, value: dict[str, Any], **options: Any) -> np.ndarray:
    source, _ = opened(folder, document(value), **options)
    return rle.decode(next(source.records).annotations[0].rle)


def painted(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def placed(mask: np.ndarray, left: int, top: int) -> np.ndarray:
    whole = np.zeros((6, 8), np.uint8)
    whole[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return whole


RAW = base64.b64encode(zlib.decompress(base64.b64decode(packed(PATCH)))).decode()
SDK_EXAMPLE = (
    "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44sKHhISMDuxpTYrr03F6"
    "gDIOnq5/LOqeEJgDM5ht6"
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (bitmap(), placed(PATCH, 2, 1)),
        (bitmap(origin=[2.0, 1.0]), placed(PATCH, 2, 1)),
        (bitmap(bitmap={"data": packed(PATCH, clear=False), "origin": [0, 0]}), placed(PATCH, 0, 0)),
        (bitmap(bitmap={"data": packed(PATCH * 255, clear=False), "origin": [0, 0]}), placed(PATCH, 0, 0)),
        (bitmap(bitmap={"data": RAW, "origin": [5, 4]}), placed(PATCH, 5, 4)),
        (bitmap(bitmap={"data": SDK_EXAMPLE, "origin": [1, 1]}), painted(1, 1, 4, 4) - painted(2, 2, 3, 3)),
        ({"classTitle": "pit", "bitmap": bitmap()["bitmap"]}, placed(PATCH, 2, 1)),
        ({"classTitle": "pit", "bitmap": None, "points": polygon()["points"]}, painted(1, 1, 6, 5)),
        (polygon(), painted(1, 1, 6, 5)),
        (polygon(interior=[[[2, 2], [3, 2], [3, 3], [2, 3]]]), painted(1, 1, 6, 5) - painted(2, 2, 4, 4)),
        (polygon([[5, 4], [1, 1]], geometryType="rectangle"), painted(1, 1, 6, 5)),
    ],
)
def test_objects_become_masks(tmp_path: Path, value: dict[str, Any], expected: np.ndarray) -> None:
    assert np.array_equal(first_mask(tmp_path, value), expected)


CORNER = st.tuples(st.integers(0, 7), st.integers(0, 5)).map(list)  # beyond the image OpenCV bends lines


@settings(max_examples=tries(60))
@given(
    st.lists(CORNER, min_size=3, max_size=6),
    st.lists(st.lists(CORNER, min_size=3, max_size=4), max_size=2),
)
def test_polygons_and_their_holes_are_filled_as_the_sdk_fills_them(
    tmp_path_factory: pytest.TempPathFactory, exterior: list[Any], interior: list[Any]
) -> None:
    expected = np.zeros((6, 8), np.uint8)
    cv2.fillPoly(expected, pts=[np.array(exterior, np.int32)], color=1)
    for hole in interior:
        cv2.fillPoly(expected, pts=[np.array(hole, np.int32)], color=0)
    source, _ = opened(tmp_path_factory.mktemp("p"), document(polygon(exterior, interior)))
    found = next(source.records).annotations
    assert np.array_equal(rle.decode(found[0].rle) if found else np.zeros((6, 8)), expected)


def test_classes_tags_and_ids_are_kept(tmp_path: Path) -> None:
    tags = [{"id": 3, "name": "deep", "value": None}, {"name": "mm", "value": 0.5}, {"name": "who", "value": "me"}]
    value = document(bitmap(tags=tags, description="seen"), tags=[{"name": "blurred"}])
    source, problems = opened(tmp_path, value)
    record = next(source.records)
    assert [(c.name, c.source_id) for c in source.classes] == [("pit", 900), ("böse", None)]
    assert source.classes[0].colour == (255, 0, 128)
    assert record.file == "ds0/img/a.png"
    assert record.annotations[0].attributes == {
        "id": 7, "description": "seen", "deep": True, "mm": 0.5, "who": "me",
    }  # fmt: skip
    assert record.source == {"tags": {"blurred": True}}
    assert source.description.startswith("Supervisely project (1 images, 2 classes). Images: ")
    assert not problems.all


def test_objects_without_an_area_are_counted_and_rectangles_told(tmp_path: Path) -> None:
    kinds = ["line", "point", "graph", "line"]
    objects = [polygon(geometryType=kind) for kind in kinds] + [polygon([[1, 1], [2, 2]])]
    source, problems = opened(tmp_path, document(*objects, polygon([[1, 1], [2, 2]], geometryType="rectangle")))
    assert len(next(source.records).annotations) == 1
    assert list(source.records) == []
    at = "ds0/ann/a.png.json: objects"
    assert [(problem.what, problem.done) for problem in problems.all] == [
        (f"{at}[4] of ds0/img/a.png has fewer than 3 points", "dropped"),
        (f"2 objects without an area (line; --line-width PX gives it one) (first: {at}[0])", "dropped"),
        (f"1 objects without an area (point) (first: {at}[1])", "dropped"),
        (f"1 objects without an area (graph) (first: {at}[2])", "dropped"),
        (f"1 rectangles, which need not be outlines (first: {at}[5])", "taken as filled"),
    ]


def hurt(**changes: Any) -> dict[str, Any]:
    return document(bitmap(bitmap={"data": packed(PATCH), "origin": [2, 1]} | changes))


def zipped(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "a.png.json:1  is not valid JSON"),
        (b"[]", "a.png.json is not an annotation of Supervisely: its outermost value is not an object"),
        (json.dumps(document(polygon())).encode()[:-4], "a.png.json:1  is not valid JSON"),
        (json.dumps(document(polygon())).encode().replace(b"[1, 1]", b"[NaN, 1]"), "a.png.json holds NaN"),
        (document(size=[6, 8]), "ds0/ann/a.png.json has no usable size"),
        (document(size={"height": 8, "width": 6}), "ds0/ann/a.png.json says 8 x 6. Was it turned (EXIF)"),
        (document(objects={}), "it has no list of objects"),
        (document(3), "it has no list of objects"),
        (document(polygon(classTitle=3)), "ds0/ann/a.png.json: objects[0] has no classTitle"),
        (document(polygon(classTitle="dent")), "objects[0]  the label dent is not among the classes pit,böse"),
        (document(polygon(geometryType=3)), "objects[0] has no usable geometryType"),
        (document(polygon(points=[])), "has no points with an exterior and a list of interiors"),
        (document(polygon(points={"exterior": SQUARE, "interior": 3})), "has no points with an exterior"),
        (document(polygon([[1, 2], [3]])), "objects[0] of ds0/img/a.png: the points are not a list of [x, y]"),
        (document(polygon(interior=[3])), "the points are not a list of [x, y]"),
        (document(polygon([[1, 2], [30, 1], [4, 4]])), "objects[0]: a polygon reaches 22 px out of ds0/img/a.png"),
        (document(polygon([[1, 2]], geometryType="rectangle")), "a rectangle has 2 points, this one has 1"),
        (document(polygon(tags={})), "objects[0] has tags that are not a list of objects"),
        (document(polygon(tags=[{"name": 3}])), "has a tag without a name"),
        (document(tags=[{"name": "x", "value": [1]}]), "ds0/ann/a.png.json has a tag without a name or with a value"),
        (document(bitmap(bitmap=None)), "has no bitmap with an origin"),
        (hurt(origin=[1]), "has no bitmap with an origin"),
        (hurt(origin=[1.5, 1]), "the bitmap's origin is 1.5, a whole number is expected"),
        (hurt(origin=[7, 1]), "its box (2 x 3 at row 1, column 7) leaves ds0/img/a.png (6 x 8)"),
        (hurt(origin=["x", 1]), "the bitmap's origin is 'x', a number is expected"),
        (hurt(data=None), "its mask is not base64 text (None)"),
        (hurt(data="aGFsbG8="), "its bitmap is not packed as zlib packs"),
        (hurt(data=packed(PATCH)[:40]), "its bitmap is cut off, or unpacks to more than"),
        (hurt(data=zipped(b"hello")), "its bitmap is not a PNG picture"),
        (hurt(data=zipped(bytes(300_000_000))), "its bitmap is cut off, or unpacks to more than 1,048,816 bytes"),
        (hurt(data=zipped(base64.b64decode(png(40_000, 40_000, b"")))), "says it is 40000 x 40000 pixels, larger"),
        (hurt(data=zipped(base64.b64decode(png(2, 3, b"")))), "its bitmap is a damaged PNG picture"),
    ],
)  # fmt: skip
def test_wrong_files_are_errors_with_their_place(tmp_path: Path, value: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path, value)[0].records)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (b"{", "meta.json:1  is not valid JSON"),
        ([], "meta.json is not a project's meta.json: its outermost value is not an object"),
        ({"classes": {}}, "meta.json is not a project's: it has no list 'classes'"),
        ({"classes": [3]}, "meta.json: classes[0] has no title"),
        ({"classes": [{"title": "a"}, {"title": "a"}]}, "meta.json: two classes are named a"),
    ],
)
def test_a_wrong_meta_is_an_error(tmp_path: Path, meta: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        opened(tmp_path, document(), meta)
    assert expected in str(caught.value)


def test_a_bitmap_that_leaves_the_image_is_cut_when_asked(tmp_path: Path) -> None:
    mask = first_mask(tmp_path, bitmap(origin=[6, -1]), clip_rle=True)
    assert np.array_equal(mask, placed(PATCH[1:, :2], 6, 0))


def test_a_packed_nothing_is_not_unpacked(tmp_path: Path) -> None:
    source, _ = opened(tmp_path, hurt(data=zipped(bytes(300_000_000))))
    said: list[str] = []

    def read() -> Iterator[str]:
        yield read_or_refuse(lambda: said.append(read_or_refuse(lambda: list(source.records), "bomb")), "bomb")

    assert peak_of(read()) < 10_000_000
    assert "unpacks to more than" in said[0]


def test_datasets_lie_in_folders_and_older_names_are_understood(tmp_path: Path) -> None:
    for name in ("ds0/img/a.png", "ds0/img/free.png", "deep/datasets/in/img/a.png", "old/img/b.jpg"):
        write_image(tmp_path / name, np.zeros((6, 8), np.uint8))
    for name in ("ds0/ann/a.png.json", "deep/datasets/in/ann/a.png.json", "old/ann/b.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(document(bitmap())))
    (tmp_path / "meta.json").write_text(json.dumps(META))
    problems = Problems()
    source = supervisely.read(Reading(tmp_path / "meta.json", problems=problems))
    assert [(record.file, len(record.annotations)) for record in source.records] == [
        ("deep/datasets/in/img/a.png", 1), ("ds0/img/a.png", 1), ("old/img/b.jpg", 1), ("ds0/img/free.png", 0),
    ]  # fmt: skip
    assert [str(problem) for problem in problems.all] == [
        f"{tmp_path.name}/  1 images have no file in ann/ (first: ds0/img/free.png); taken as defect-free"
    ]


def test_images_can_lie_elsewhere_or_be_missing(tmp_path: Path) -> None:
    opened(tmp_path / "p", document(bitmap()))
    for images in ("here", "there/ds0"):
        write_image(tmp_path / images / "a.png", np.zeros((6, 8), np.uint8))
        options = ReadOptions(images=tmp_path / images.partition("/")[0])
        source = supervisely.read(Reading(tmp_path / "p", options=options))
        assert [record.file for record in source.records] == [f"{images}/a.png".partition("/")[2]]
    (tmp_path / "p" / "ds0" / "img" / "a.png").unlink()
    with pytest.raises(DataError, match=r"ds0/img/a\.png \(ds0/ann/a\.png\.json\) not found"):
        supervisely.read(Reading(tmp_path / "p"))
    (tmp_path / "p" / "ds0" / "ann" / "a.png.json").unlink()
    with pytest.raises(DataError, match="holds no annotations of Supervisely"):
        supervisely.read(Reading(tmp_path / "p"))


def test_classes_are_chosen(tmp_path: Path) -> None:
    source, _ = opened(tmp_path, document(bitmap()), classes=parse_classes("hole=pit"))
    assert [(c.name, c.source_id, c.colour) for c in source.classes] == [("hole", 900, (255, 0, 128))]
    assert next(source.records).annotations[0].label == "hole"


def test_the_format_is_recognised(tmp_path: Path) -> None:
    opened(tmp_path, document(bitmap()))
    assert detect(tmp_path) == ("supervisely", "Supervisely project")
    assert detect(tmp_path / "meta.json") == ("supervisely", "Supervisely project")
    assert supervisely.sniff(tmp_path / "ds0") is None


@settings(max_examples=tries(40))
@given(st.lists(st.tuples(st.sampled_from(["pit", 'böse "']), masks()), min_size=1, max_size=3))
def test_written_masks_are_read_again_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, own: list[tuple[str, np.ndarray]]
) -> None:
    records = [record_of(f"ds0/img/ä {k}.png", pair, pair) for k, pair in enumerate(own)]
    _, found, losses, problems = there_and_back(supervisely, tmp_path_factory.mktemp("w"), records)
    assert content(found) == content(records)
    assert [record.file for record in found] == [record.file for record in records]
    assert not problems.all
    assert sum(loss.count for loss in losses.lost()) == sum(2 for _, mask in own if not mask.any())


@settings(max_examples=tries(60))
@given(masks())
def test_written_bitmaps_are_what_the_sdk_reads(mask: np.ndarray) -> None:
    """The SDK unpacks, decodes with OpenCV, and takes the alpha channel of four."""
    from coigan_aug.formats.tools.supervisely_objects import written_object

    if not mask.any():
        return
    record = record_of("a.png", ("pit", mask))
    value = written_object(record.annotations[0], {}, record, Losses())["bitmap"]
    picture = np.frombuffer(zlib.decompress(base64.b64decode(value["data"])), np.uint8)
    pixels = cv2.imdecode(picture, cv2.IMREAD_UNCHANGED)
    assert pixels.shape[2] == 4
    left, top = value["origin"]
    whole = np.zeros(mask.shape, bool)
    whole[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels[:, :, 3] > 0
    assert np.array_equal(whole, mask)


def test_classes_and_attributes_are_written(tmp_path: Path) -> None:
    mask = np.ones((2, 3), bool)
    said = {"id": 5, "description": "d", "mm": 0.5, "who": "me", "deep": True}
    odd = {"mm": "half", "flat": False, "list": [1], "description": 3, "n": 7}
    records = [record_of("ds0/img/a.png", ("pit", mask), **said), record_of("images/s/b.png", ("pit", mask), **odd)]
    records[0] = ImageRecord(
        file=records[0].file, height=2, width=3, annotations=records[0].annotations, source={"tags": {"dark": True}}
    )
    classes = (DefectClass(name="pit", colour=(1, 2, 255), source_id=7), *make_classes(["x"], source_ids=["seven"]))
    source, found, losses, _ = there_and_back(supervisely, tmp_path, records, classes=classes)
    assert [(c.name, c.source_id) for c in source.classes] == [("pit", 7), ("x", None)]
    assert source.classes[0].colour == (1, 2, 255)
    attributes = {record.file: record.annotations[0].attributes for record in found}
    assert attributes["ds0/img/a.png"] == {"description": "d", "mm": 0.5, "who": "me", "deep": True}
    assert attributes["images/s/b.png"] == {"n": 7}
    assert found[0].source == {"tags": {"dark": True}}
    assert {loss.what: loss.count for loss in losses.lost()} == {
        "attributes that are no tags of Supervisely, which are not written": 4,
        "class ids, which are numbered anew": 1,
    }
    kinds = {tag["name"]: tag["value_type"] for tag in json.loads((tmp_path / "meta.json").read_text())["tags"]}
    assert kinds == {"dark": "none", "mm": "any_number", "who": "any_string", "deep": "none", "n": "any_number"}


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("a.png", "ds0/ann/a.png.json"),
        ("images/a.png", "ds0/ann/a.png.json"),
        ("images/s/t/a.png", "s/datasets/t/ann/a.png.json"),
        ("s/datasets/t/img/a.png", "s/datasets/t/ann/a.png.json"),
        ("s/datasets/a.png", "s/datasets/datasets/ann/a.png.json"),
        ("img/a.png", "ds0/ann/a.png.json"),
        ("one/img/a.png", "one/ann/a.png.json"),
        ("myimg/a.png", "myimg/ann/a.png.json"),
    ],
)
def test_annotations_are_written_into_datasets(tmp_path: Path, file: str, place: str) -> None:
    record = record_of(file, ("pit", np.ones((2, 2))))
    supervisely.write(tmp_path, [record], classes=make_classes(["pit"], source_ids=[None]))
    assert (tmp_path / place).is_file()
    with pytest.raises(DataError, match="would both be described by"):
        supervisely.write(tmp_path, [record, record], classes=())


def test_every_wrong_value_is_refused_or_read(tmp_path: Path) -> None:
    tags = [{"name": "x", "value": 3}]
    whole = document(
        bitmap(tags=tags), polygon(SQUARE[:3], [SQUARE[:3]]), polygon([[1, 1], [3, 3]], geometryType="rectangle")
    )
    refused = 0
    for what, value in broken(whole):
        refused += bool(read_or_refuse(lambda value=value: list(opened(tmp_path, value)[0].records), what))
    for what, meta in broken(META):
        read_or_refuse(lambda meta=meta: list(opened(tmp_path, document(bitmap()), meta)[0].records), what)
    assert refused > 150


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    peaks = {}
    for many in (4, 40):
        records = [record_of(f"ds0/img/{k}.png", ("pit", block(k))) for k in range(many)]
        there_and_back(supervisely, tmp_path / str(many), records)
        source = supervisely.read(Reading(tmp_path / str(many)))
        peaks[many] = peak_of(source.records)
    assert peaks[40] < 1.2 * peaks[4]
