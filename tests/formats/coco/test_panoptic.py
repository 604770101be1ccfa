"""COCO panoptic. Truth: pictures of numbers painted by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.errors import DataError
from coigan_aug.formats.coco import coco
from coigan_aug.formats.detect import detect
from coigan_aug.formats.reading import Reading, with_states
from coigan_aug.formats.source import Problems, ReadOptions, Source
from coigan_aug.imaging import write_image
from tests.formats.trials import broken, read_or_refuse

PIT, CRACK = 70_000, 260
FIRST = {
    "image_id": 1,
    "file_name": "a.png",
    "segments_info": [
        {"id": PIT, "category_id": 3, "area": 4, "bbox": [0, 0, 2, 2], "iscrowd": 0},
        {"id": CRACK, "category_id": 5, "iscrowd": 1},
        {"id": 9, "category_id": 0},
    ],
}
VALUE: dict[str, Any] = {
    "images": [{"id": k, "file_name": f"{'abc'[k - 1]}.png", "height": 6, "width": 8} for k in (1, 2, 3)],
    "categories": [
        {"id": 0, "name": "_background_"},
        {"id": 3, "name": "pit"},
        {"id": 5, "name": "crack", "isthing": 1},
    ],
    "annotations": [FIRST, {"image_id": 2, "file_name": "b.png", "segments_info": []}],
}


def painted(**boxes: tuple[int, int, int, int]) -> np.ndarray:
    picture = np.zeros((6, 8), np.int64)
    for name, (left, top, right, bottom) in boxes.items():
        picture[top:bottom, left:right] = int(name[1:])
    return picture


NUMBERS = painted(n9=(0, 0, 8, 6), n70000=(0, 0, 2, 2), n260=(3, 1, 7, 4))


def opened(folder: Path, value: Any, *, pictures: str = "p") -> tuple[Source, Problems]:
    (folder / "p.json").write_text(json.dumps(value))
    for name, numbers in (("a", NUMBERS), ("b", np.zeros((6, 8), np.int64)), ("c", np.zeros((6, 8), np.int64))):
        write_image(folder / "images" / f"{name}.png", np.zeros((6, 8), np.uint8))
        if name != "c":
            shown = np.dstack([numbers % 256, numbers // 256 % 256, numbers // 65536]).astype(np.uint8)
            write_image(folder / pictures / f"{name}.png", shown)
    problems = Problems()
    reading = Reading(folder / "p.json", options=ReadOptions(), problems=problems)
    return with_states(coco.read(reading), reading), problems


@pytest.mark.parametrize("pictures", ["p", "annotations_panoptic", "other"])
def test_segments_become_masks(tmp_path: Path, pictures: str) -> None:
    source, problems = opened(tmp_path, VALUE, pictures=pictures)
    assert detect(tmp_path)[0] == "coco"
    assert [found.name for found in source.classes] == ["pit", "crack"]
    first, second, third = source.records
    masks = [(a.label, rle.decode(a.rle), a.attributes) for a in first.annotations]
    assert [(label, about) for label, _, about in masks] == [
        ("pit", {"id": PIT}),
        ("crack", {"id": CRACK, "iscrowd": 1}),
    ]
    assert all(np.array_equal(mask, about["id"] == NUMBERS) for _, mask, about in masks)
    assert [first.state, second.state, third.state] == ["annotated", "clean", "unknown"]
    assert [str(problem) for problem in problems.all] == [
        "p.json  1 images have no picture of their segments (first: c.png); of unknown state"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"file_name": "x.png"}, "the picture x.png of the segments of a.png is not in"),
        (
            {"segments_info": FIRST["segments_info"][:2]},
            "a.png has pixels of segment 9, which segments_info does not name",
        ),
        ({"segments_info": [{"id": 9, "category_id": 77}]}, "has the class 77, which is not among the classes"),
        ({"segments_info": FIRST["segments_info"] + FIRST["segments_info"]}, f"segments_info[3] has id {PIT} again"),
        ({"image_id": 2}, "annotations[1] is of image 2, which has a picture already"),
        ({"image_id": 7}, "annotations[0] is of image 7, which is not among the images"),
    ],
)
def test_wrong_files_are_errors_with_their_place(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path, VALUE | {"annotations": [FIRST | change, VALUE["annotations"][1]]})[0].records)
    assert expected in str(caught.value)


def test_whatever_is_wrong_is_read_soundly_or_refused(tmp_path: Path) -> None:
    opened(tmp_path, VALUE)
    for what, value in broken(copy.deepcopy(VALUE)):
        (tmp_path / "p.json").write_text(json.dumps(value))
        read_or_refuse(lambda: list(coco.read(Reading(tmp_path / "p.json")).records), what)
