"""VIA. Truth: pycocotools for outlines, pixels counted by hand, brute force for ellipses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from coigan_aug.annotations import rle
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, parse_classes
from coigan_aug.formats.tools import via
from coigan_aug.imaging import write_image
from tests.formats.trials import broken, read_or_refuse

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
POLYGON = {"name": "polygon", "all_points_x": [1, 4.5, 4, 1], "all_points_y": [1, 1, 3.2, 3]}


def region(shape: Any = POLYGON, **said: Any) -> dict[str, Any]:
    return {"shape_attributes": dict(shape), "region_attributes": said}


def export(*regions: Any, **about: Any) -> dict[str, Any]:
    entry = {"filename": "a.png", "size": 77, "regions": list(regions), "file_attributes": about}
    other = {"filename": "b.png", "size": 78, "regions": [], "file_attributes": {}}
    return {"a.png77": entry, "b.png78": other}


def opened(folder: Path, value: Any, **options: Any) -> tuple[Source, Problems]:
    for name in ("a.png", "b.png"):
        if not (folder / name).exists():
            write_image(folder / name, np.zeros((6, 8), np.uint8))
    (folder / "via.json").write_text(value if isinstance(value, str) else json.dumps(value))
    if "classes" in options:
        options["classes"] = parse_classes(options["classes"])
    problems = Problems()
    return via.read(Reading(folder / "via.json", options=ReadOptions(**options), problems=problems)), problems


def painted(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def within(cx: float, cy: float, rx: float, ry: float, theta: float) -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    for row, column in np.ndindex(6, 8):
        x, y = column + 0.5 - cx, row + 0.5 - cy
        along, across = x * math.cos(theta) + y * math.sin(theta), y * math.cos(theta) - x * math.sin(theta)
        mask[row, column] = (along / rx) ** 2 + (across / ry) ** 2 <= 1
    return mask


OUTLINE = [[1, 1, 4.5, 1, 4, 3.2, 1, 3]]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (POLYGON, coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(OUTLINE, 6, 8)))),
        ({"name": "rect", "x": 1, "y": 2, "width": 3, "height": 2}, painted(1, 2, 4, 4)),
        ({"name": "circle", "cx": 3.5, "cy": 3, "r": 2.2}, within(3.5, 3, 2.2, 2.2, 0)),
        ({"name": "ellipse", "cx": 4, "cy": 3, "rx": 3, "ry": 1, "theta": 0.5}, within(4, 3, 3, 1, 0.5)),
        ({"name": "ellipse", "cx": 4, "cy": 3, "rx": 3, "ry": 1}, within(4, 3, 3, 1, 0)),
    ],
)
@pytest.mark.parametrize("numbered", [True, False])
def test_shapes_become_masks(tmp_path: Path, shape: Any, expected: np.ndarray, numbered: bool) -> None:
    value = export(region(shape, kind="pit"))
    if numbered:  # VIA 1
        value["a.png77"]["regions"] = {"0": value["a.png77"]["regions"][0]}
    source, _ = opened(tmp_path, value)
    first, second = source.records
    assert np.array_equal(rle.decode(first.annotations[0].rle), expected)
    assert first.annotations[0].label == "pit"
    assert second.state == "clean"


def test_a_project_lists_its_classes_and_says_more_of_images_and_regions(tmp_path: Path) -> None:
    images = export(region(deep="yes", label="pit"), region(label={"crack": True, "pit": False}), strip="7", empty="")
    kinds = {"label": {"type": "dropdown", "options": {"crack": "", "pit": ""}}, "deep": {"type": "text"}}
    project = {"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {"region": kinds, "file": {}}}
    source, problems = opened(tmp_path, project)
    assert detect(tmp_path) == ("via", "VIA JSON")
    assert [found.name for found in source.classes] == ["crack", "pit"]
    record = next(source.records)
    assert [(a.label, a.attributes) for a in record.annotations] == [("pit", {"deep": "yes"}), ("crack", {})]
    assert record.source == {"strip": "7"}
    assert not problems.all


def test_the_attribute_that_names_the_class_is_told_by_its_values(tmp_path: Path) -> None:
    value = export(region(defect="pit", who="me"), region(defect="crack", who="you"))
    with pytest.raises(
        DataError, match=r"several attributes, any of which may be the class \(defect: crack, pit; who:"
    ) as e:
        opened(tmp_path, value)
    assert "--classes" in e.value.remedy
    source, _ = opened(tmp_path, value, classes="pit,crack")
    assert [a.label for a in next(source.records).annotations] == ["pit", "crack"]


def test_regions_without_any_attribute_are_of_one_class(tmp_path: Path) -> None:
    assert [found.name for found in opened(tmp_path, export(region(), region()))[0].classes] == ["1"]
    assert [found.name for found in opened(tmp_path, export(region()), classes="pit")[0].classes] == ["pit"]


def test_what_has_no_area_or_no_class_costs_its_image_its_state(tmp_path: Path) -> None:
    line = {"name": "polyline", "all_points_x": [1, 5], "all_points_y": [2, 2]}
    value = export(region(kind="pit"), region(line, kind="pit"), region({"name": "point", "cx": 1, "cy": 1}), region())
    source, problems = opened(tmp_path, value)
    assert len(next(source.records).annotations) == 1
    assert problems.lost == {"a.png"}
    assert [problem.what.partition(" (first")[0] for problem in problems.all] == [
        "1 shapes without an area (polyline; --line-width PX gives it one)",
        "1 shapes without an area (point)",
        "1 regions have no kind, which names the class of others",
    ]
    source, _ = opened(tmp_path, value, line_width=2)
    assert np.array_equal(rle.decode(next(source.records).annotations[1].rle), painted(0, 1, 6, 3))


def test_an_image_that_the_browser_turns_is_refused(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((6, 8), np.uint8))
    image.getexif()[0x0112] = 6
    image.save(tmp_path / "a.png", exif=image.getexif())
    with pytest.raises(DataError, match=r"a\.png: VIA shows it turned \(EXIF orientation 6\)"):
        list(opened(tmp_path, export(region(kind="pit")))[0].records)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[]", "its outermost value is not an object"),
        ({"_via_img_metadata": []}, "_via_img_metadata is not an object"),
        ({"a": {"regions": []}}, "the entry a names no image"),
        ({"a": {"filename": "a.png"}, "b": {"filename": "a.png"}}, "the entries a and b are of one image, a.png"),
        ({"a": {"filename": "a.png", "regions": 3}}, "a.png has no list of regions"),
        (export({"shape_attributes": {}}), "regions[0] has no shape with a name"),
        (export(region({"name": "rect", "x": "a"})), "x is 'a', a number is expected"),
        (
            export(region({"name": "polygon", "all_points_x": [1], "all_points_y": []})),
            "not two lists of as many numbers",
        ),
        (export(region({"name": "rect", "x": 1, "y": 1, "width": 90, "height": 1})), "reaches 83 px out of a.png"),
    ],
)
def test_wrong_files_are_errors_with_their_place(tmp_path: Path, value: Any, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path, value)[0].records)
    assert expected in str(caught.value)


def test_whatever_is_wrong_is_read_soundly_or_refused(tmp_path: Path) -> None:
    opened(tmp_path, export(region(kind="pit")))
    shapes = [
        POLYGON,
        {"name": "circle", "cx": 3, "cy": 3, "r": 2},
        {"name": "rect", "x": 1, "y": 1, "width": 2, "height": 2},
    ]
    for what, value in broken(export(*(region(shape, kind="pit") for shape in shapes))):
        read_or_refuse(lambda value=value: list(opened(tmp_path, value)[0].records), what)
