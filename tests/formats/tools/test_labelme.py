"""labelme. Truth: Pillow's ImageDraw, which labelme's own exports draw with, and masks painted by hand."""

from __future__ import annotations

import base64
import io
import json
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.formats.tools import labelme
from coigan_aug.imaging import write_image
from tests.formats.trials import (
    block,
    broken,
    content,
    masks,
    peak_of,
    read_or_refuse,
    record_of,
    there_and_back,
    write_images,
)  # fmt: skip
from tests.thorough import tries

SQUARE = [[1.2, 1.9], [4.7, 1.2], [4.1, 3.8], [1.0, 3.0]]
PATCH = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)


def picture(mask: np.ndarray, mode: str = "L") -> str:
    stream = io.BytesIO()
    Image.fromarray(mask).convert(mode).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def shape(points: Any = None, **changes: Any) -> dict[str, Any]:
    value = {"label": "pit", "points": SQUARE if points is None else points, "group_id": None}
    return value | {"shape_type": "polygon", "flags": {}, "description": ""} | changes


def patch(points: Any = None, **changes: Any) -> dict[str, Any]:
    return shape([[2, 1], [4, 2]] if points is None else points, shape_type="mask", mask=picture(PATCH)) | changes


def document(*shapes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    value = {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": "a.png", "imageData": None}
    return value | {"imageHeight": 6, "imageWidth": 8} | changes


def opened(folder: Path, value: Any, **options: Any) -> tuple[Source, Problems]:
    if not (folder / "a.png").exists():
        write_image(folder / "a.png", np.zeros((6, 8), np.uint8))
    text = value if isinstance(value, (str, bytes)) else json.dumps(value)
    (folder / "a.json").write_bytes(text.encode() if isinstance(text, str) else text)
    problems = Problems()
    return labelme.read(Reading(folder, options=ReadOptions(**options), problems=problems)), problems


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


CLEAR = np.dstack([np.full((2, 3, 3), 255, np.uint8), PATCH * 255])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (shape([[1, 1], [4.9, 1], [4, 3.9], [1, 3]]), painted(1, 1, 5, 4)),
        (shape([[1, 1], [4, 1], [4, 3], [1, 3]], shape_type=None), painted(1, 1, 5, 4)),
        (shape([[4.9, 3.9], [1.5, 1.5]], shape_type="rectangle"), painted(1, 1, 5, 4)),
        (shape([[1, 1], [4, 1], [4, 3], [1, 3]], shape_type="rectangle"), painted(1, 1, 5, 4)),
        (shape([[1, 1], [4, 1], [4, 3], [1, 3]], shape_type="oriented_rectangle"), painted(1, 1, 5, 4)),
        (shape([[1, 1], [4, 1], [4, 3], [1, 3]], shape_type="rotation", direction=0.1), painted(1, 1, 5, 4)),
        (shape([[1, 1], [4, 1], [4, 3], [1, 3]], shape_type="quadrilateral"), painted(1, 1, 5, 4)),
        (shape([[6, 4], [8, 6]], shape_type="rectangle"), painted(6, 4, 8, 6)),
        (patch(), placed(PATCH, 2, 1)),
        (patch(mask=picture(PATCH * 255)), placed(PATCH, 2, 1)),
        (patch(mask=picture(PATCH * 255, "1")), placed(PATCH, 2, 1)),
        (patch(mask=picture(PATCH * 255, "P")), placed(PATCH, 2, 1)),
        (patch(mask=picture(PATCH * 255, "RGB")), placed(PATCH, 2, 1)),
        (patch(mask=picture(CLEAR, "RGBA")), placed(PATCH, 2, 1)),
        (patch([[2.3, 0.8], [4.6, 1.9]]), placed(PATCH, 2, 1)),
        (patch([[1.6, 1.4], [4.4, 2.4]]), placed(PATCH, 2, 1)),
    ],
)
def test_shapes_become_masks(tmp_path: Path, value: dict[str, Any], expected: np.ndarray) -> None:
    assert np.array_equal(first_mask(tmp_path, value), expected)


def drawn(height: int, width: int, kind: str, points: list[list[float]]) -> np.ndarray:
    """Draw a shape as labelme's exports do."""
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    if kind == "circle":
        (cx, cy), end = points
        radius = math.dist((cx, cy), end)
        pen.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), outline=1, fill=1)
    else:
        pen.polygon([tuple(point) for point in points], outline=1, fill=1)
    return np.array(image)


def read_shape(folder: Path, value: dict[str, Any]) -> np.ndarray:
    """Read one shape of an image of 40 x 30 pixels."""
    write_image(folder / "a.png", np.zeros((40, 30), np.uint8))
    (folder / "a.json").write_text(json.dumps(document(value, imageHeight=40, imageWidth=30)))
    source = labelme.read(Reading(folder))
    found = next(source.records).annotations
    return rle.decode(found[0].rle) if found else np.zeros((40, 30), np.uint8)


POINT = st.tuples(st.floats(-9, 39), st.floats(-9, 49)).map(list)


@settings(max_examples=tries(60))
@given(st.lists(POINT, min_size=3, max_size=7))
def test_polygons_are_those_of_labelmes_exports(tmp_path_factory: pytest.TempPathFactory, points: list[Any]) -> None:
    found = read_shape(tmp_path_factory.mktemp("p"), shape(points))
    assert np.array_equal(found, drawn(40, 30, "polygon", points))


@settings(max_examples=tries(60))
@given(POINT, st.tuples(st.floats(-15, 15), st.floats(-15, 15)))
def test_circles_are_those_of_labelmes_exports(
    tmp_path_factory: pytest.TempPathFactory, centre: list[float], reach: tuple[float, float]
) -> None:
    points = [centre, [centre[0] + reach[0], centre[1] + reach[1]]]
    found = read_shape(tmp_path_factory.mktemp("c"), shape(points, shape_type="circle"))
    assert np.array_equal(found, drawn(40, 30, "circle", points))


@settings(max_examples=tries(60))
@given(st.lists(POINT, min_size=3, max_size=3))
def test_polygons_hold_the_pixels_that_lie_inside(tmp_path_factory: pytest.TempPathFactory, points: list[Any]) -> None:
    found = read_shape(tmp_path_factory.mktemp("p"), shape(points))
    vertices = np.trunc(points).astype(np.int32)
    outline = np.zeros((40, 30), np.uint8)
    cv2.polylines(outline, [vertices], isClosed=True, color=1, thickness=3)
    inside = [[cv2.pointPolygonTest(vertices, (x, y), False) >= 0 for x in range(30)] for y in range(40)]
    assert (outline[found != np.array(inside)] > 0).all()


def test_parts_of_a_group_are_one_object_and_what_was_said_is_kept(tmp_path: Path) -> None:
    one, two = [[0, 0], [1, 0], [1, 1], [0, 1]], [[5, 3], [6, 3], [6, 4], [5, 4]]
    shapes = [
        shape(one, group_id=1, flags={"deep": True}, description="a part", depth=3),
        shape(two, group_id=1),
        shape(one, group_id=1, label="line"),
        shape(two),
        shape(two, label=7, line_color=None),
    ]
    source, problems = opened(tmp_path, document(*shapes, flags={"blurred": True}))
    record = next(source.records)
    assert [c.name for c in source.classes] == ["pit", "line", "7"]
    assert [annotation.label for annotation in record.annotations] == ["pit", "line", "pit", "7"]
    assert np.array_equal(rle.decode(record.annotations[0].rle), painted(0, 0, 2, 2) + painted(5, 3, 7, 5))
    assert record.annotations[0].attributes == {
        "group_id": 1, "flags": {"deep": True}, "description": "a part", "depth": 3,
    }  # fmt: skip
    assert record.annotations[3].attributes == {}
    assert record.source == {"flags": {"blurred": True}}
    assert not problems.all
    assert source.description == "labelme JSON (1 files, 5 shapes with an area). Images: " + source.image_root.name + (
        "/ (the same folder)"
    )


def test_shapes_without_an_area_are_counted_and_rectangles_told(tmp_path: Path) -> None:
    lines = [shape([[1, 1], [2, 2]], shape_type=kind) for kind in ("line", "linestrip", "point", "line", "what")]
    source, problems = opened(
        tmp_path, document(*lines, shape([[0, 0], [1, 1]], shape_type="rectangle"), shape([[1, 1]]))
    )
    assert len(next(source.records).annotations) == 1
    assert list(source.records) == []
    name = tmp_path.name
    assert [str(problem) for problem in problems.all] == [
        "a.json  a.json: shapes[6] of a.png has fewer than 3 points; dropped",
        f"{name}/  2 shapes without an area (line; --line-width PX gives it one) (first: a.json: shapes[0]); dropped",
        f"{name}/  1 shapes without an area (linestrip; --line-width PX gives it one) (first: a.json: shapes[1]); dropped",
        f"{name}/  1 shapes without an area (point) (first: a.json: shapes[2]); dropped",
        f"{name}/  1 shapes without an area (what) (first: a.json: shapes[4]); dropped",
        f"{name}/  1 rectangles, which need not be outlines (first: a.json: shapes[5]); taken as filled",
    ]


@pytest.mark.parametrize("kind", ["line", "linestrip"])
def test_lines_become_masks_where_their_width_is_said(tmp_path: Path, kind: str) -> None:
    strip = kind == "linestrip"
    line = shape([[1, 2], [5, 2], [5, 5]] if strip else [[1, 2], [5, 2]], shape_type=kind)
    source, problems = opened(tmp_path, document(line), line_width=2)
    assert [found.name for found in source.classes] == ["pit"]
    upright = painted(4, 1, 6, 6) if strip else 0
    assert np.array_equal(rle.decode(next(source.records).annotations[0].rle), painted(0, 1, 6, 3) | upright)
    assert not problems.all
    assert not problems.lost


def png(height: int, width: int, data: bytes) -> str:
    """Write a PNG whose header says a size and whose data may be something else."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return base64.b64encode(whole).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "a.json:1  is not valid JSON"),
        (json.dumps(document(shape()))[:-9], "a.json:1  is not valid JSON"),
        (json.dumps(document(shape())).replace("1.9", "NaN"), "a.json holds NaN"),
        (json.dumps(document(shape())).replace("1.9", "1e999"), "holds a number that is too large"),
        (json.dumps(document(shape())).replace("1.9", "9" * 5000), "holds a number that is too large"),
        (json.dumps(document(shape())).replace("pit", "\\ud800"), "half a character"),
        (b"\xff\xfe{}", "a.json is not UTF-8 text"),
        ('{"shapes": ' + "[" * 100_000, "nested too deeply"),
        (document(shape(), imagePath=None), "a.json names no image (imagePath)"),
        (document(shape(), imagePath="b.png"), "none of the images named in a.json lies beside it (looked for b.png)"),
        (document(shape(), imagePath="../../etc/passwd"), "looked for etc/passwd"),
        (document(shape(), imagePath="/etc/b.png"), "looked for /etc/b.png"),
        (document(shape(), imagePath="C:\\x\\b.png"), "looked for C:/x/b.png"),
        (document(shape(), imageHeight=8, imageWidth=6), "a.json says 8 x 6. Was it turned (EXIF)"),
        (document(shapes={}), "it has no list 'shapes'"),
        (document(3), "shapes[0] is not an object"),  # type: ignore[arg-type]
        (document(shape(label="")), "a.json: shapes[0] has no label"),
        (document(shape(label=["a"])), "shapes[0] has no label"),
        (document(shape(group_id=[1])), "shapes[0] has no usable group_id"),
        (document(shape(shape_type=3)), "shapes[0] has no usable shape_type"),
        (document(shape([[1, 1, 1], [2, 2, 2], [3, 3, 3]])), "shapes[0] of a.png: the points are not a list of [x, y]"),
        (document(shape([[1, 1], [2, "2"], [3, 3]])), "the points are not a list of [x, y] in pixels"),
        (document(shape([[1, 1], [2, True], [3, 3]])), "the points are not a list of [x, y] in pixels"),
        (document(shape([[1, 1], [2, 1e300], [3, 3]])), "the points are not a list of [x, y] in pixels"),
        (document(shape([[1, 1], [40, 2], [3, 3]])), "shapes[0]: a polygon reaches 32 px out of a.png (6 x 8)"),
        (document(shape([[3, 3]], shape_type="circle")), "a circle has 2 points, this one has 1"),
        (document(shape([[3, 3], [90, 3]], shape_type="circle")), "a polygon reaches 84 px out of a.png"),
        (document(shape([[3, 3]] * 3, shape_type="rectangle")), "a rectangle has 2 points, this one has 3"),
        (document(patch([[1, 1]])), "a mask has 2 points, this one has 1"),
        (document(patch([[2, 1], [5, 2]])), "its mask is 2 x 3 pixels, its box is 2 x 4"),
        (document(patch([[6, 1], [8, 2]])), "its box (2 x 3 at row 1, column 6) leaves a.png (6 x 8)"),
        (document(patch([[4, 2], [2, 1]])), "its box has no pixels (0 x -1)"),
        (document(patch(mask=None)), "its mask is not base64 text (None)"),
        (document(patch(mask="!!!")), "its mask is not base64 text ('!!!')"),
        (document(patch(mask="aGFsbG8=")), "its mask is not a PNG picture"),
        (document(patch(mask=picture(PATCH)[:24])), "its mask is not a PNG picture"),
        (document(patch(mask=picture(PATCH)[:60])), "its mask is a damaged PNG picture"),
        (document(patch(mask=png(2, 3, b"no"))), "its mask is a damaged PNG picture"),
        (document(patch(mask=png(50_000, 50_000, zlib.compress(bytes(1000))))), "says it is 50000 x 50000 pixels"),
    ],
)  # fmt: skip
def test_wrong_files_are_errors_with_their_place(tmp_path: Path, value: Any, expected: str) -> None:
    write_image(tmp_path / "x" / "a.png", np.zeros((6, 8), np.uint8))
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path / "x", value)[0].records)
    assert expected in str(caught.value)


def test_a_picture_of_compressed_nothing_is_not_unpacked(tmp_path: Path) -> None:
    bomb = png(6, 8, zlib.compress(bytes(200_000_000), 9))
    source, _ = opened(tmp_path, document(patch([[0, 0], [7, 5]], mask=bomb)))
    assert peak_of(source.records) < 30_000_000


def test_the_place_of_images_is_understood(tmp_path: Path) -> None:
    for name in ("images/a.png", "images/sub/a.png", "images/sub/free.png", "images/ü b.png"):
        write_image(tmp_path / name, np.zeros((6, 8), np.uint8))
    for name, image in (("a", "..\\images\\a.png"), ("sub/a", "../../images/sub/a.png"), ("u", "../images/ü b.png")):
        (tmp_path / "labels" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "labels" / f"{name}.json").write_text(json.dumps(document(shape(), imagePath=image)))
    for options in (ReadOptions(), ReadOptions(images=tmp_path / "images"), ReadOptions(images=tmp_path)):
        problems = Problems()
        source = labelme.read(Reading(tmp_path / "labels", options=options, problems=problems))
        found = [(source.image_root / record.file).relative_to(tmp_path).as_posix() for record in source.records]
        assert found == ["images/a.png", "images/sub/a.png", "images/ü b.png", "images/sub/free.png"]
        assert [problem.done for problem in problems.all] == ["taken as defect-free"]


def test_each_folder_has_its_own_images(tmp_path: Path) -> None:
    for name in ("pit/a", "line/a"):
        write_image(tmp_path / "x" / f"{name}.png", np.zeros((6, 8), np.uint8))
        (tmp_path / "x" / f"{name}.json").write_text(json.dumps(document(shape(label=name.partition("/")[0]))))
    source = labelme.read(Reading(tmp_path / "x"))
    assert [(record.file, record.annotations[0].label) for record in source.records] == [
        ("line/a.png", "line"), ("pit/a.png", "pit"),
    ]  # fmt: skip
    assert source.image_root == (tmp_path / "x").resolve()


def test_one_file_is_read_alone(tmp_path: Path) -> None:
    opened(tmp_path, document(shape()))
    write_image(tmp_path / "b.png", np.zeros((6, 8), np.uint8))
    source = labelme.read(Reading(tmp_path / "a.json"))
    assert [record.file for record in source.records] == ["a.png"]
    (tmp_path / "c.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match=r"c\.json is not a labelme file"):
        labelme.read(Reading(tmp_path / "c.json"))


def test_other_json_files_are_left_out_and_an_image_has_one_file(tmp_path: Path) -> None:
    (tmp_path / "z.json").write_text("[1]")
    (tmp_path / "card.json").write_text('{"engine": "gan"}')  # of a synthesized set: nobody forgot it there
    source, problems = opened(tmp_path, document(shape()))
    assert source.count == 1
    assert problems.all[0].what == "1 JSON files are not labelme's (first: z.json)"
    (tmp_path / "b.json").write_text(json.dumps(document(shape())))
    with pytest.raises(DataError, match=r"b\.json  the image a\.png is named in a\.json already"):
        opened(tmp_path, document(shape()))


def test_pixels_in_the_file_are_not_used_and_missed_images_are_explained(tmp_path: Path) -> None:
    source, problems = opened(tmp_path / "x", document(shape(), imageData="no base64!"))
    assert len(list(source.records)) == 1
    (tmp_path / "x" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.json holds the pixels itself \(imageData\), which are not used"):
        labelme.read(Reading(tmp_path / "x", problems=problems))
    source = labelme.read(
        Reading(tmp_path / "x", options=ReadOptions(images=tmp_path / "x", skip_missing=True), problems=problems)
    )
    assert list(source.records) == []
    assert str(problems.all[-1]).startswith("a.json  a.png not found in")


def test_labels_txt_gives_the_order_and_classes_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nline\n\npit\n")
    source, _ = opened(tmp_path, document(shape()))
    assert [c.name for c in source.classes] == ["line", "pit"]
    source, _ = opened(tmp_path, document(shape()), classes=parse_classes("hole=pit,scratch=line"))
    assert next(source.records).annotations[0].label == "hole"
    source, _ = opened(tmp_path, document(shape()), classes=parse_classes("line"))
    with pytest.raises(DataError, match=r"a\.json: shapes\[0\]  the label pit is not among"):
        list(source.records)


def test_the_format_is_recognised(tmp_path: Path) -> None:
    opened(tmp_path, document(shape(), imageData="x" * 300_000))
    assert detect(tmp_path) == ("labelme", "labelme JSON (1 files)")
    assert detect(tmp_path / "a.json")[0] == "labelme"
    (tmp_path / "a.json").write_text('{"shapes": 1}')
    assert labelme.sniff(tmp_path) is None


@given(st.lists(st.tuples(st.sampled_from(["pit", 'böse / " ']), masks()), min_size=1, max_size=3), st.booleans())
def test_written_masks_are_read_again_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, own: list[tuple[str, np.ndarray]], polygons: bool
) -> None:
    records = [record_of(f"images/ä {k}.png", pair, pair) for k, pair in enumerate(own)]
    folder = tmp_path_factory.mktemp("w")
    _, found, losses, problems = there_and_back(labelme, folder, records, polygons=polygons)
    assert content(found) == content(records)
    assert not problems.all
    assert sum(loss.count for loss in losses.lost()) == sum(2 for _, mask in own if not mask.any())


@settings(max_examples=tries(60))
@given(masks())
def test_written_polygons_are_the_same_pixels_in_labelmes_own_drawing(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray
) -> None:
    folder = tmp_path_factory.mktemp("w")
    there_and_back(labelme, folder, [record_of("a.png", ("pit", mask))], polygons=True)
    height, width = mask.shape
    shapes = json.loads((folder / "a.json").read_text())["shapes"]
    whole = sum((drawn(height, width, "polygon", value["points"]) for value in shapes), np.zeros((height, width)))
    assert np.array_equal(whole > 0, mask)


def test_what_is_said_of_objects_is_written_and_groups_stay_apart(tmp_path: Path) -> None:
    mask = np.array([[1, 0, 1]], bool)
    records = [
        record_of("s/a.jpg", ("pit", mask), ("pit", mask), group_id=1, flags={"x": True}, depth=0.5, points=3),
        record_of("s/a.png", ("pit", mask), description="d", flags={"x": 3}),
    ]
    _, found, losses, _ = there_and_back(
        labelme, tmp_path, records, polygons=True, classes=make_classes(["pit", "never"], source_ids=[3, None])
    )
    assert content(found) == content(records)
    said = {record.file: [a.attributes for a in record.annotations] for record in found}
    assert said["s/a.jpg"][0] == {"group_id": 1, "flags": {"x": True}, "depth": 0.5}
    assert [value["group_id"] for value in said["s/a.jpg"]] == [1, 2]
    assert said["s/a.png"] == [{"group_id": 1, "description": "d"}]
    assert sorted(path.name for path in (tmp_path / "s").glob("*.json")) == ["a.json", "a.png.json"]
    assert (tmp_path / "labels.txt").read_text() == "pit\nnever\n"
    assert {loss.what: loss.count for loss in losses.lost()} == {
        "attributes that labelme has other uses for, which are not written": 3,
        "group_ids that objects of one class share, which become others": 1,
    }


def test_defect_free_images_have_a_file_too(tmp_path: Path) -> None:
    record = ImageRecord(file="images/a.png", height=2, width=3)
    write_images(tmp_path, [record])
    assert labelme.write(tmp_path, [record], classes=(), losses=Losses(strict=True)) == tmp_path
    value = json.loads((tmp_path / "images" / "a.json").read_text())
    assert (value["imagePath"], value["imageData"], value["shapes"]) == ("a.png", None, [])


def test_every_wrong_value_is_refused_or_read(tmp_path: Path) -> None:
    whole = document(shape(group_id=1, flags={"a": True}), patch(), shape([[1, 1], [3, 3]], shape_type="rectangle"))
    refused = 0
    for what, value in broken(whole):
        refused += bool(read_or_refuse(lambda value=value: list(opened(tmp_path / "x" / "y", value)[0].records), what))
    assert refused > 80


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    peaks = {}
    for many in (4, 40):
        records = [record_of(f"images/{k}.png", ("pit", block(k))) for k in range(many)]
        there_and_back(labelme, tmp_path / str(many), records)
        source = labelme.read(Reading(tmp_path / str(many)))
        peaks[many] = peak_of(source.records)
    assert peaks[40] < 1.2 * peaks[4]
