"""Label Studio. Truth: pycocotools for outlines, brute force for turned rectangles, masks painted by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, parse_classes
from coigan_aug.formats.tools import label_studio
from coigan_aug.formats.tools.label_studio_brush import encode_brush
from coigan_aug.imaging import write_image
from tests.formats.trials import block, broken, content, masks, peak_of, read_or_refuse, record_of, there_and_back
from tests.thorough import tries

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
SQUARE = [[12.5, 50 / 3], [50, 50 / 3], [50, 50], [12.5, 50]]
PATCH = np.zeros((6, 8), bool)
PATCH[1:4, 2:5] = PATCH[5, 7] = True


def region(kind: str, value: dict[str, Any], *labels: str, **changes: Any) -> dict[str, Any]:
    value = value | ({kind: list(labels)} if labels else {})
    about = {"id": "r1", "type": kind, "from_name": "label", "to_name": "image", "value": value, "origin": "manual"}
    return about | {"original_width": 8, "original_height": 6, "image_rotation": 0} | changes


def polygon(points: Any = None, **changes: Any) -> dict[str, Any]:
    return region("polygonlabels", {"points": points or SQUARE, "closed": True}, "pit", **changes)


def brush(mask: np.ndarray = PATCH, **changes: Any) -> dict[str, Any]:
    return region("brushlabels", {"format": "rle", "rle": list(encode_brush(mask))}, "pit", **changes)


def rectangle(rotation: float = 0, **changes: Any) -> dict[str, Any]:
    value = {"x": 25, "y": 50, "width": 25, "height": 50, "rotation": rotation}
    return region("rectanglelabels", value, "pit", **changes)


def task(*results: Any, image: str = "a.png", **changes: Any) -> dict[str, Any]:
    annotation = {"id": 31, "completed_by": 2, "result": list(results), "was_cancelled": False, "ground_truth": False}
    return {"id": 17, "data": {"image": image}, "annotations": [annotation], "predictions": []} | changes


def opened(folder: Path, value: Any, **options: Any) -> tuple[Source, Problems]:
    if not (folder / "images").exists():
        write_image(folder / "images" / "a.png", np.zeros((6, 8), np.uint8))
    (folder / "export.json").write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    problems = Problems()
    return label_studio.read(
        Reading(folder / "export.json", options=ReadOptions(**options), problems=problems)
    ), problems


def first_mask(folder: Path, *results: dict[str, Any]) -> np.ndarray:
    source, _ = opened(folder, [task(*results)])
    return rle.decode(next(source.records).annotations[0].rle)


def coco(points: list[list[float]]) -> np.ndarray:
    flat = [v * size / 100 for point in points for v, size in zip(point, (8, 6), strict=True)]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([flat], 6, 8)))


def painted(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([polygon()], painted(1, 1, 4, 3)),
        ([polygon([[3, 5], [99, 45.5], [31, 95]])], coco([[3, 5], [99, 45.5], [31, 95]])),
        ([brush()], PATCH),
        ([rectangle()], painted(2, 3, 4, 6)),
        ([rectangle(rotation=-90)], painted(2, 1, 5, 3)),
        ([region("brush", {"rle": brush()["value"]["rle"]}), region("labels", {"rle": [], "labels": ["pit"]})], None),
        ([region("labels", brush()["value"] | {"labels": ["pit"]}), region("brush", brush()["value"])], PATCH),
        ([brush(original_width=None, original_height=None)], PATCH),
    ],
)
def test_regions_become_masks(tmp_path: Path, results: list[dict[str, Any]], expected: np.ndarray | None) -> None:
    if expected is None:
        with pytest.raises(DataError, match=r"brush stroke \(rle\) is cut off"):
            first_mask(tmp_path, *results)
        return
    assert np.array_equal(first_mask(tmp_path, *results), expected)


@given(
    corner=st.tuples(st.floats(0, 60), st.floats(0, 60)), size=st.tuples(st.floats(5, 60), st.floats(5, 60)),
    degrees=st.floats(-180, 180),
)  # fmt: skip
def test_rectangles_turn_about_their_corner(
    tmp_path_factory: pytest.TempPathFactory, corner: tuple[float, float], size: tuple[float, float], degrees: float
) -> None:
    """A pixel is in when its centre, turned back about the corner, lies between the sides."""
    height, width = 30, 40
    folder = tmp_path_factory.mktemp("r")
    write_image(folder / "a.png", np.zeros((height, width), np.uint8))
    value = {"x": corner[0], "y": corner[1], "width": size[0], "height": size[1], "rotation": degrees}
    result = region("rectanglelabels", value, "pit", original_width=width, original_height=height)
    (folder / "x.json").write_text(json.dumps([task(result)]))
    source = label_studio.read(Reading(folder / "x.json"))
    found = next(source.records).annotations
    mask = rle.decode(found[0].rle) if found else np.zeros((height, width), np.uint8)
    angle = math.radians(degrees)
    for row in range(height):
        for column in range(width):
            x, y = column + 0.5 - corner[0] * width / 100, row + 0.5 - corner[1] * height / 100
            u, v = x * math.cos(angle) + y * math.sin(angle), -x * math.sin(angle) + y * math.cos(angle)
            depth = min(u, size[0] * width / 100 - u, v, size[1] * height / 100 - v)
            assert abs(depth) < 0.5 or mask[row, column] == (depth > 0)


def test_an_ellipse_has_its_area(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((300, 400), np.uint8))
    value = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 10, "rotation": 30}
    result = region("ellipselabels", value, "pit", original_width=400, original_height=300)
    (tmp_path / "x.json").write_text(json.dumps([task(result)]))
    source = label_studio.read(Reading(tmp_path / "x.json"))
    mask = rle.decode(next(source.records).annotations[0].rle)
    rows, columns = np.nonzero(mask)
    assert abs(mask.sum() - math.pi * 80 * 30) < 20
    assert abs(columns.mean() + 0.5 - 200) < 0.01
    slope = np.polyfit(columns, rows, 1)[0]
    assert slope > 0.3  # turned clockwise: what is right goes down


def test_ids_annotator_meta_and_answers_are_kept(tmp_path: Path) -> None:
    results = [
        brush(score=0.5, meta={"text": ["deep"]}),
        {"id": "r1", "type": "choices", "from_name": "grade", "value": {"choices": ["bad"]}},
        {"id": "q", "type": "rating", "from_name": "quality", "value": {"rating": 4}},
        {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right"},
    ]
    source, problems = opened(tmp_path, [task(*results)])
    record = next(source.records)
    assert record.annotations[0].attributes == {"id": "r1", "score": 0.5, "text": ["deep"], "grade": ["bad"]}
    assert record.source == {"id": 17, "annotation": 31, "annotator": 2, "quality": 4}
    assert source.description == "Label Studio JSON (1 tasks, 1 masks). Images: images/ (found beside it)"
    assert not problems.all


def test_one_annotation_of_a_task_counts(tmp_path: Path) -> None:
    def done(number: int, mask: np.ndarray, **changes: Any) -> dict[str, Any]:
        return {"id": number, "result": [brush(mask)]} | changes

    first, last, cancelled = done(1, painted(0, 0, 1, 1)), done(2, PATCH), done(3, PATCH[::-1], was_cancelled=True)
    truth = done(4, painted(0, 0, 2, 2), ground_truth=True)
    for done_ones, expected in (([first, last, cancelled], PATCH), ([truth, first, last], painted(0, 0, 2, 2))):
        source, problems = opened(tmp_path, [task(annotations=done_ones)])
        assert np.array_equal(rle.decode(next(source.records).annotations[0].rle), expected)
        assert list(source.records) == []
        assert str(problems.all[0]) == (
            "export.json  1 tasks with several annotations (first: export.json: [0] (task 17));"
            " ground truth or the last one taken"
        )
    for done_ones in ([], [cancelled]):
        source, problems = opened(tmp_path, [task(annotations=done_ones, predictions=[first]), task()])
        assert [record.annotations for record in source.records] == [()]
        assert problems.all[0].what.startswith("1 tasks without an annotation (first: export.json: [0] (task 17))")
        assert problems.all[0].done == "of unknown state"


def test_what_is_no_mask_is_counted(tmp_path: Path) -> None:
    results = [
        region("keypointlabels", {"x": 1, "y": 1, "width": 0.3}, "pit", id="k"),
        region("vectorlabels", {"vertices": [{"x": 1}]}, "pit", id="v"),
        region("polygon", {"points": SQUARE}, id="p"),
        region("polygonlabels", {"points": SQUARE, "closed": False}, "pit", id="o"),
        polygon(SQUARE[:2], id="two"),
        region("polygonlabels", {"points": SQUARE}, "pit", "deep", id="d"),
        rectangle(id="b"),
    ]
    source, problems = opened(tmp_path, [task(*results)])
    assert [annotation.label for annotation in next(source.records).annotations] == ["pit", "pit"]
    assert list(source.records) == []
    at = "export.json: [0] (task 17), region"
    assert [(problem.what, problem.done) for problem in problems.all] == [
        (f"{at} o of a.png is an open line", "dropped"),
        (f"{at} two of a.png is an open line", "dropped"),
        (f"2 regions without an area (first: {at} k)", "dropped"),
        (f"1 regions without a label (first: {at} p)", "dropped"),
        (f"1 regions of several labels (first: {at} d)", "the first label taken"),
        (f"1 rectangles, which need not be outlines (first: {at} b)", "taken as filled"),
    ]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("a b.png", "a b.png"),
        ("sub/c#1?.png", "sub/c#1?.png"),
        ("https://host:80/x/sub/a%20b.png?X-Amz=1&v=a.png", "sub/a b.png"),
        ("s3://bucket/images/a b.png", "a b.png"),
        ("/data/upload/3/1a2b3c4d-a b.png", "a b.png"),
        ("/data/upload/3/deadbeef-up.png", "deadbeef-up.png"),
        ("/data/local-files/?d=images/sub/a%20b.png", "sub/a b.png"),
        ("http://host/data/local-files/?d=images%2Fa+b.png", "a b.png"),
        ("/home/me/images/a b.png", "a b.png"),
    ],
)
def test_images_are_found_by_what_their_urls_mean(tmp_path: Path, reference: str, expected: str) -> None:
    for name in ("a b.png", "sub/a b.png", "sub/c#1?.png", "deadbeef-up.png"):
        write_image(tmp_path / "images" / name, np.zeros((6, 8), np.uint8))
    source, _ = opened(tmp_path, [task(polygon(), image=reference)], images=tmp_path / "images")
    assert [record.file for record in source.records] == [expected]


def test_other_keys_than_image_are_understood(tmp_path: Path) -> None:
    value = task(polygon())
    value["data"] = {"text": "hello", "picture": "https://x/a.png?b", "n": 3}
    assert len(list(opened(tmp_path, [value])[0].records)) == 1
    value["data"] = {"text": "hello"}
    with pytest.raises(DataError, match=r"\[0\] \(task 17\) names no image; its data has the keys: text\."):
        opened(tmp_path, [value])


def test_the_short_export_is_read(tmp_path: Path) -> None:
    size = {"original_width": 8, "original_height": 6}
    strokes = [brush()["value"] | size]
    outlines = [polygon()["value"] | size, {"x": 1, "y": 1, "width": 0.3, "keypointlabels": ["pit"]} | size]
    value = {"image": "/data/upload/1/1a2b3c4d-a.png", "id": 5, "tag": strokes, "poly": outlines, "choice": "ok"}
    value |= {"annotator": 1, "annotation_id": 9, "created_at": "2024", "lead_time": 1.5}
    source, problems = opened(tmp_path, [value])
    record = next(source.records)
    assert np.array_equal(rle.decode(record.annotations[0].rle), PATCH)
    assert np.array_equal(rle.decode(record.annotations[1].rle), painted(1, 1, 4, 3))
    assert record.source == {"id": 5, "annotation": 9, "annotator": 1, "name": "data/upload/1/1a2b3c4d-a.png"}
    assert source.description.startswith("Label Studio JSON-MIN (1 tasks, 2 masks)")
    assert list(source.records) == []
    assert [problem.done for problem in problems.all] == ["dropped"]


WHOLE = json.dumps([task(brush())]).encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "export.json:1  is not valid JSON"),
        (b"{}", "is not a list of Label Studio's tasks: its outermost value is not a list"),
        (WHOLE[:-1], "export.json:1  is not valid JSON"),
        (WHOLE + b"x", "is not valid JSON: Extra data"),
        (WHOLE[:-1] + b",]", "is not valid JSON"),
        (b"[1, 2]", "export.json: [0] is not a task"),
        (b"[" + b"[" * 100_000, "nested too deeply"),
        (WHOLE.replace(b"17", b"NaN"), "export.json holds NaN"),
        (WHOLE.replace(b"17", b"1e999"), "a number that is too large"),
        ([task(polygon(), image="../../etc/passwd.png")], "[0] (task 17)  the file name '../../etc/passwd.png' leaves"),
        ([task(polygon(), image="/data/local-files/?d=../../a.png")], "leaves the image folder"),
        ([task(polygon(), image="http://[x/a.png")], "'http://[x/a.png', which is no URL"),
        ([task(polygon(), image="data:image/png;base64,aaaa")], "holds its image's pixels instead of a name"),
        ([task(polygon(), image="b.png")], "looked for b.png"),
        ([task(), task()], "export.json: [1] (task 17)  the image a.png is named in export.json: [0] (task 17) already"),
        ([task(data=3)], "has no data or no list of annotations"),
        ([task(annotations=[3])], "has an annotation that is not an object"),
        ([task(annotations=[{"result": 3}])], "has an annotation without a list of results"),
        ([task(polygon(original_width=6, original_height=8))], "region r1 says 8 x 6. Was it turned (EXIF)"),
        ([task(polygon(image_rotation=90))], "region r1: a.png was turned by 90 degrees in Label Studio"),
        ([task(polygon([[1, 2], [3]]))], "region r1 of a.png: the points are not a list of [x, y]"),
        ([task(polygon([[1, 2], [3, 900], [5, 6]]))], "region r1: a polygon reaches 48 px out of a.png (6 x 8)"),
        ([task(region("polygonlabels", {"points": SQUARE, "polygonlabels": "pit"}))], "are not a list of names"),
        ([task(region("rectanglelabels", {"x": 1, "height": 3}, "pit"))], "y is None, a number is expected"),
        ([task(brush(np.ones((5, 8))))], "brush stroke (rle) has 160 values, an image of 6 x 8 pixels has 192"),
        ([task(region("brushlabels", {"rle": [300]}, "pit"))], "brush stroke (rle) is not a list of bytes"),
        ([task(region("brushlabels", {"rle": "abc"}, "pit"))], "brush stroke (rle) is not a list of bytes"),
        ([task(region("brushlabels", {"rle": brush()["value"]["rle"][:12]}, "pit"))], "(rle) is damaged or cut off"),
    ],
)  # fmt: skip
def test_wrong_files_are_errors_with_their_place(tmp_path: Path, value: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path / "x", value)[0].records)
    assert expected in str(caught.value)


def test_byte_order_marks_and_white_space_are_passed_over(tmp_path: Path) -> None:
    source, _ = opened(tmp_path, b"\xef\xbb\xbf \r\n" + WHOLE.replace(b"[{", b"[\r\n {", 1) + b"\r\n")
    assert len(next(source.records).annotations) == 1
    assert list(opened(tmp_path, b" [ ] ")[0].records) == []


def test_classes_are_chosen_and_come_from_the_configuration(tmp_path: Path) -> None:
    config = '<View><Labels name="l" toName="i"><Label value="line" background="#010203"/><Label value="pit"/></Labels></View>'
    (tmp_path / "label_config.xml").write_text(config)
    source, _ = opened(tmp_path, [task(polygon())])
    assert [c.name for c in source.classes] == ["line", "pit"]
    assert source.classes[0].colour == (1, 2, 3)
    source, _ = opened(tmp_path, [task(polygon())], classes=parse_classes("line"))
    with pytest.raises(DataError, match="region r1  the label pit is not among"):
        list(source.records)


def test_a_labeling_configuration_that_is_too_long_or_wrong_is_refused(tmp_path: Path) -> None:
    for text, expected in (
        ("<View>" + f"<!--{'x' * 1000}-->" * 10_000, "has over 10,000,000 bytes"),
        ("<View>", "1  is not valid XML"),
    ):
        (tmp_path / "label_config.xml").write_text(text)
        with pytest.raises(DataError, match=rf"label_config\.xml.*{expected}"):
            opened(tmp_path, [task(polygon())])


def test_the_format_is_recognised(tmp_path: Path) -> None:
    opened(tmp_path, [task(polygon())])
    assert detect(tmp_path / "export.json")[0] == "label-studio"
    (tmp_path / "x.json").write_text('[{"a": 1}]')
    assert label_studio.sniff(tmp_path / "x.json") is None


@settings(max_examples=tries(40))
@given(st.lists(st.tuples(st.sampled_from(["pit", "<böse & \"'>"]), masks()), min_size=1, max_size=3))
def test_written_masks_are_read_again_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, own: list[tuple[str, np.ndarray]]
) -> None:
    records = [record_of(f"images/ä #{k}?%20.png", pair, pair) for k, pair in enumerate(own)]
    _, found, losses, problems = there_and_back(label_studio, tmp_path_factory.mktemp("w"), records)
    assert content(found) == content(records)
    assert not problems.all
    assert sum(loss.count for loss in losses.lost()) == sum(2 for _, mask in own if not mask.any())


def test_what_is_written_has_what_an_import_needs(tmp_path: Path) -> None:
    records = [
        record_of("images/a.png", ("pit", PATCH), ("pit", PATCH), id="own", depth=[1, {"x": 2}]),
        ImageRecord(file="images/free.png", height=6, width=8),
    ]
    classes = (DefectClass(name="pit", colour=(1, 2, 255), source_id=7), DefectClass(name="<&>", colour=(0, 0, 9)))
    source, found, losses, _ = there_and_back(label_studio, tmp_path, records, classes=classes)
    assert [(c.name, c.colour) for c in source.classes] == [("pit", (1, 2, 255)), ("<&>", (0, 0, 9))]
    assert [a.attributes for a in found[0].annotations] == [
        {"id": "own", "depth": [1, {"x": 2}]}, {"id": "region-1", "depth": [1, {"x": 2}]},
    ]  # fmt: skip
    assert [record.file for record in found] == ["images/a.png", "images/free.png"]
    assert losses.lost() == ()
    assert [note.what for note in losses.noted()] == ["class ids, which the format does not keep"]
    view = ElementTree.parse(tmp_path / "label_config.xml").getroot()
    image, labels = view.find("Image"), view.find("BrushLabels")
    tasks = json.loads((tmp_path / "annotations.json").read_text())
    result = tasks[0]["annotations"][0]["result"][0]
    assert (result["from_name"], result["to_name"]) == (labels.get("name"), image.get("name"))
    assert labels.get("toName") == image.get("name")
    assert image.get("value") == "$image" and "image" in tasks[0]["data"]
    assert {label.get("value") for label in labels} >= set(result["value"]["brushlabels"])
    assert tasks[1]["annotations"] == [{"result": [], "was_cancelled": False, "ground_truth": False}]


def test_an_empty_set_is_valid(tmp_path: Path) -> None:
    path = label_studio.write(tmp_path, [], classes=(), losses=Losses(strict=True))
    assert json.loads(path.read_text()) == []


def test_every_wrong_value_is_refused_or_read(tmp_path: Path) -> None:
    whole = [task(polygon(meta={"a": 1}), rectangle(), region("brushlabels", {"rle": [0, 0]}, "pit"))]
    size = {"original_width": 8, "original_height": 6}
    short = [{"image": "a.png", "id": 5, "tag": [rectangle()["value"] | size], "annotation_id": 9}]
    refused = 0
    for what, value in (*broken(whole), *broken(short)):
        refused += bool(read_or_refuse(lambda value=value: list(opened(tmp_path / "x" / "y", value)[0].records), what))
    assert refused > 150


def test_memory_does_not_grow_with_the_masks(tmp_path: Path) -> None:
    peaks = {}
    for many in (4, 40):
        records = [record_of(f"images/{k}.png", ("pit", block(k))) for k in range(many)]
        there_and_back(label_studio, tmp_path / str(many), records)
        path = tmp_path / str(many) / "annotations.json"
        peaks[many] = peak_of(label_studio.read(Reading(path)).records)
    assert peaks[40] < 1.2 * peaks[4] + 3 * (tmp_path / "40" / "annotations.json").stat().st_size
