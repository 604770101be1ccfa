"""The thesis' line-json. Truth: cv2.fillPoly, bytes written by hand as section 4.2 of the thesis shows them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pbjson
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, make_classes, parse_classes
from coigan_aug.formats.tables import line_json
from coigan_aug.formats.tables.line_json_files import Traced, packed_of, text_of
from coigan_aug.imaging import write_image

SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3]]
DENT = [[6, 0], [7, 0], [7, 2]]
RECORDS = [
    {"img": "1_0.jpg", "polygons": [{"label": "2", "points": [SQUARE, DENT]}, {"label": "0", "points": [DENT]}]},
    {"img": "1_1.jpg", "polygons": []},
]


def filled(*polygons: list[list[int]]) -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.array(polygon, np.int32)], 1)
    return mask


def write_text(folder: Path, records: list[Any], *, index: str | None = None) -> Path:
    lines = [json.dumps(record) + "\n" for record in records]
    starts = np.cumsum([0] + [len(line) for line in lines[:-1]])
    (folder / "dataset.jsonl").write_text("".join(lines))
    (folder / "index").write_text(index if index is not None else "".join(f"{start}\n" for start in starts))
    return with_images(folder, records)


def write_binary(folder: Path, records: list[Any], *, index: bytes | None = None) -> Path:
    parts = [pbjson.dumps(record) for record in records]
    ends = np.cumsum([len(part) for part in parts]).tolist()
    (folder / "dataset.jsonl").write_bytes(b"".join(parts))
    (folder / "index").write_bytes(index if index is not None else struct.pack(f"<{len(ends)}I", *ends))
    return with_images(folder, records)


def with_images(folder: Path, records: list[Any]) -> Path:
    for record in records:
        name = record.get("img") if isinstance(record, dict) else None
        if isinstance(name, str) and name and ".." not in name:
            write_image(folder / "data" / name, np.zeros((6, 8), np.uint8))
    return folder


def read(path: Path, **options: Any) -> tuple[list[ImageRecord], Problems, line_json.Source]:
    problems = Problems()
    source = line_json.read(Reading(path, options=ReadOptions(**options), problems=problems))
    return list(source.records), problems, source


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_image_records_are_read(tmp_path: Path, write: Any) -> None:
    write(tmp_path, RECORDS)
    for path in (tmp_path, tmp_path / "dataset.jsonl"):
        records, problems, source = read(path)
        assert [record.file for record in records] == ["1_0.jpg", "1_1.jpg"]
        assert [annotation.label for annotation in records[0].annotations] == ["2", "0"]
        assert np.array_equal(rle.decode(records[0].annotations[0].rle), filled(SQUARE, DENT))
        assert np.array_equal(rle.decode(records[0].annotations[1].rle), filled(DENT))
        assert not records[1].annotations
        assert not problems.all
        assert [(found.name, found.source_id) for found in source.classes] == [("0", 0), ("2", 2)]
        assert line_json.sniff(path)


@pytest.mark.parametrize("points", [SQUARE, [SQUARE]])
@pytest.mark.parametrize("write", [write_text, write_binary])
def test_object_records_are_read_at_both_depths(tmp_path: Path, write: Any, points: Any) -> None:
    folder = tmp_path / "object_dataset_3"
    folder.mkdir()
    write(folder, [{"img": "0.jpg", "points": points, "shape": [6, 8]}])
    records, _, source = read(folder)
    assert np.array_equal(rle.decode(records[0].annotations[0].rle), filled(SQUARE))
    assert [found.name for found in source.classes] == ["3"]
    assert [found.name for found in read(folder, classes=parse_classes("pit"))[2].classes] == ["pit"]


def test_points_on_the_border_line_are_moved_onto_the_last_pixel(tmp_path: Path) -> None:
    edge = [[5, 2], [8, 2], [8, 6], [5, 6]]
    write_text(tmp_path, [{"img": "0.jpg", "points": edge, "shape": [6, 8]}])
    records, problems, _ = read(tmp_path)
    assert np.array_equal(rle.decode(records[0].annotations[0].rle), filled([[5, 2], [7, 2], [7, 5], [5, 5]]))
    assert problems.all[0].done == "moved onto the last pixel"


def test_a_stray_outline_beside_usable_ones_is_left_off_and_noted(tmp_path: Path) -> None:
    write_text(tmp_path, [{"img": "0.jpg", "polygons": [{"label": "a", "points": [SQUARE, [[1, 1], [2, 2]]]}]}])
    records, problems, _ = read(tmp_path)
    assert np.array_equal(rle.decode(records[0].annotations[0].rle), filled(SQUARE))
    assert [(problem.row, problem.done) for problem in problems.all] == [(1, "left off")]
    assert not records[0].unknown


def test_a_missing_index_is_no_problem(tmp_path: Path) -> None:
    for name, write in (("text", write_text), ("binary", write_binary)):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, RECORDS)
        (folder / "index").unlink()
        records, problems, _ = read(folder)
        assert [len(record.annotations) for record in records] == [2, 0]
        assert not problems.all


@pytest.mark.parametrize(
    ("write", "index"), [(write_text, "0\n7\n"), (write_text, "x"), (write_binary, b"\0\0\0\0"), (write_binary, b"abc")]
)
def test_a_stale_index_is_noted_and_not_used(tmp_path: Path, write: Any, index: Any) -> None:
    write(tmp_path, RECORDS, index=index)
    records, problems, _ = read(tmp_path)
    assert len(records) == 2
    assert [(problem.file, problem.done) for problem in problems.all] == [("index", "not used")]


def one(**changes: Any) -> list[Any]:
    return [{"img": "0.jpg", "polygons": [{"label": "a", "points": [SQUARE]} | changes]}]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([3], "dataset.jsonl:1  is not an object"),
        ([{"img": ""}], "dataset.jsonl:1  names no image"),
        ([{"img": "0.jpg"}], "neither a list of polygons nor points"),
        ([{"img": "0.jpg", "polygons": [4]}], "neither a list of polygons nor points"),
        ([RECORDS[1], RECORDS[1]], "dataset.jsonl:2  the image 1_1.jpg was in record 1 already"),
        (one(label=None), "no usable label (None)"),
        (one(points=[[1, 2, 3]]), "are not lists of [x, y]"),
        (one(points=[[[1, 2], [3]]]), "are not lists of [x, y]"),
        (one(points=[[[1, 2], [3, "z"], [4, 5]]]), "are not lists of [x, y]"),
        (one(points=7), "are not lists of [x, y]"),
        (one(points=[[[0.1, 0.2], [0.9, 0.2], [0.5, 0.7]]]), "lie between 0 and 1; pixels are expected"),
        (one(points=[[[1, 1], [40, 1], [4, 4]]]), "the point (40, 1) lies outside 0.jpg (6 x 8)"),
        (one(points=[[[1, 1], [-1, 1], [4, 4]]]), "the point (-1, 1) lies outside"),
        ([{"img": "0.jpg", "points": SQUARE, "shape": [8, 6]}], "the shape is [8, 6], 0.jpg is 6 x 8"),
        ([RECORDS[1], {"img": "../x.jpg", "polygons": []}], "dataset.jsonl:2  the file name '../x.jpg' leaves"),
    ],
)
def test_wrong_records_are_errors_with_their_line(tmp_path: Path, records: list[Any], expected: str) -> None:
    write_text(tmp_path, records)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"img": "a.jpg", "polygons": [}\n', "dataset.jsonl:1  is not valid JSON"),
        (b'{"img": "a.jpg", "polygons": NaN}\n', "dataset.jsonl:1  holds NaN"),
        (b'{"img": "\xff"}\n', "dataset.jsonl:1  is not UTF-8"),
        (pbjson.dumps(RECORDS[0])[:-9], "dataset.jsonl is cut off or damaged after record 0"),
    ],
)
def test_damaged_files_are_errors(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "dataset.jsonl").write_bytes(data)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert expected in str(caught.value)


def test_clipping_cuts_polygons_that_leave_the_image(tmp_path: Path) -> None:
    write_text(tmp_path, one(points=[[[5, 1], [12, 1], [12, 2], [5, 2]]]))
    records, problems, _ = read(tmp_path, clip_rle=True)
    assert np.array_equal(rle.decode(records[0].annotations[0].rle), filled([[5, 1], [7, 1], [7, 2], [5, 2]]))
    assert problems.all[0].done == "cut"
    write_text(tmp_path, one(points=[[[1, 1], [4e9, 1], [4, 4]]]))
    with pytest.raises(DataError, match="lies outside"):
        read(tmp_path, clip_rle=True)


def test_labels_are_named(tmp_path: Path) -> None:
    write_text(tmp_path, RECORDS)
    records, _, source = read(tmp_path, classes=parse_classes("pit=0,crack=2"))
    assert [(found.name, found.source_id) for found in source.classes] == [("pit", 0), ("crack", 2)]
    assert [annotation.label for annotation in records[0].annotations] == ["crack", "pit"]
    with pytest.raises(DataError, match="label 2 is not among the classes pit,crack") as caught:
        read(tmp_path, classes=parse_classes("pit,crack"))
    assert "--classes pit=2,crack=0" in caught.value.remedy


@pytest.mark.parametrize("binary", [False, True])
def test_written_masks_are_read_again_exactly(tmp_path: Path, binary: bool) -> None:
    random = np.random.default_rng(1)
    classes = make_classes(["scratch", "pit"], source_ids=[4, 9])
    records = []
    for k in range(8):
        masks = [(random.random((15, 17)) < share).astype(np.uint8) for share in (0.6, 0.9, 0.02)][: k % 4]
        labels = ("scratch", "pit", "pit")
        annotations = tuple(
            Annotation(label=a, rle=rle.encode(m)) for a, m in zip(labels, masks, strict=False) if m.any()
        )
        records.append(ImageRecord(file=f"data/{k}.png", height=15, width=17, annotations=annotations))
        write_image(tmp_path / records[-1].file, np.zeros((15, 17), np.uint8))
    path = line_json.write(tmp_path, records, classes=classes, binary=binary)
    found, problems, source = read(path)
    assert not problems.all
    assert [known.name for known in source.classes] == ["scratch", "pit"]
    for before, after in zip(records, found, strict=True):
        assert f"data/{after.file}" == before.file
        assert [(a.label, a.rle) for a in after.annotations] == [(a.label, a.rle) for a in before.annotations]


def test_the_text_index_has_starts_and_the_binary_one_ends(tmp_path: Path) -> None:
    record = ImageRecord(file="data/1_0.jpg", height=4, width=4)
    line_json.write(tmp_path, [record] * 4, classes=())
    assert (tmp_path / "index").read_text() == "0\n35\n70\n105\n"
    line_json.write(tmp_path, [record] * 2, classes=(), binary=True)
    size = len(pbjson.dumps({"img": "1_0.jpg", "polygons": []}))
    assert (tmp_path / "index").read_bytes() == struct.pack("<2I", size, 2 * size)


@pytest.mark.parametrize("reach", [1, 9, 10, 255, 1599, 65_535, 65_536, 10**6])
def test_the_text_of_polygons_is_that_of_python(reach: int) -> None:
    draw = np.random.default_rng(reach)
    parts = [draw.integers(0, reach + 1, (count, 2)).astype(np.int32) for count in (1, 3, 50)]
    parts.append(np.array([[0, reach]], np.int32))
    traced = Traced('a "ü"\\.jpg', [("0", parts), ("1", parts[:1])])
    polygons = [{"label": label, "points": [points.tolist() for points in own]} for label, own in traced.polygons]
    value = {"img": traced.image, "polygons": polygons}
    assert text_of(traced) == json.dumps(value, ensure_ascii=False).encode() + b"\n"
    assert pbjson.loads(packed_of(traced)) == value
