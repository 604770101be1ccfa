"""Checks beyond the readers': each oddity put into a clean set is found, alone, and a clean set has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.data import checking
from coigan_aug.data.counting import ClassCount
from coigan_aug.data.findings import KINDS, Finding, by_kind
from coigan_aug.data.looks import Look, read_looks, same_files
from coigan_aug.errors import DataError
from coigan_aug.imaging import write_image
from tests.conftest import CLASSES


def mask(left: int, top: int, width: int, height: int, *, size: tuple[int, int] = (40, 60)) -> rle.Rle:
    pixels = np.zeros(size, np.uint8)
    pixels[top : top + height, left : left + width] = 1
    return rle.encode(pixels)


def record(*annotations: tuple[str, rle.Rle], file: str = "a.png") -> ImageRecord:
    own = tuple(Annotation(label=label, rle=found) for label, found in annotations)
    return ImageRecord(file=file, height=40, width=60, annotations=own)


LOOK = Look(height=40, width=60, channels=1, brightness=120, contrast=30, colour=0, bytes=100)


def usual(count: int, **others: object) -> list[Look]:
    """Looks that differ a little, as photographs do."""
    draw = np.random.default_rng(0)
    return [replace(LOOK, brightness=120 + 15 * float(draw.normal()), **others) for _ in range(count)]


@pytest.mark.parametrize(
    ("annotations", "kind", "says"),
    [
        ([("spot", mask(0, 0, 0, 0))], "mask empty", "has no pixels"),
        ([("spot", mask(0, 0, 60, 40))], "mask full", "covers 100.0% of the image"),
        ([("spot", mask(5, 5, 9, 9)), ("spot", mask(5, 5, 9, 9))], "mask twice", "the same pixels"),
        (
            [("spot", mask(5, 5, 30, 20)), ("spot", mask(5, 5, 30, 20)), ("spot", mask(50, 3, 4, 4))],
            "mask twice",
            "same",
        ),
        ([("spot", mask(5, 5, 9, 9)), ("line", mask(5, 5, 9, 9))], "mask in two classes", "with one of line"),
        ([("spot", mask(5, 5, 20, 20)), ("spot", mask(5, 5, 20, 19))], "mask twice", "95% of their pixels"),
        ([("spot", mask(5, 5, 10, 10)), ("line", mask(10, 5, 10, 10))], "classes overlap", "50 px, 50% of the smaller"),
    ],
)
def test_an_odd_mask_is_found_and_named(annotations: list[tuple[str, rle.Rle]], kind: str, says: str) -> None:
    found = list(checking.check_masks(record(*annotations)))
    assert [item.kind for item in found] == [kind]
    assert says in found[0].what
    assert (found[0].file, found[0].error) == ("a.png", False)


@pytest.mark.parametrize(
    "annotations",
    [
        [("spot", mask(5, 5, 10, 10)), ("line", mask(15, 5, 10, 10))],
        [("spot", mask(5, 5, 10, 10)), ("line", mask(14, 5, 10, 10))],  # one column: outlines that touch
        [("spot", mask(5, 5, 10, 10)), ("spot", mask(10, 5, 10, 10))],  # one class: one object more or less
        [("spot", mask(5, 5, 30, 20)), ("spot", mask(5, 5, 30, 18))],
        [("spot", mask(0, 0, 60, 39))],
        [],
    ],
)
def test_masks_that_touch_or_share_a_class_are_not_odd(annotations: list[tuple[str, rle.Rle]]) -> None:
    assert list(checking.check_masks(record(*annotations))) == []


def test_an_id_of_the_source_is_told() -> None:
    own = Annotation(label="spot", rle=mask(0, 0, 0, 0), attributes={"id": 17})
    assert "spot (id 17) has no pixels" in next(checking.check_masks(replace(record(), annotations=(own,)))).what


def test_damaged_masks_and_unknown_classes_are_errors_and_the_others_stay() -> None:
    good = ("spot", mask(5, 5, 9, 9))
    bad = record(good, ("spot", rle.Rle(40, 60, "n")), ("spot", rle.Rle(40, 61, good[1].counts)), ("dent", good[1]))
    kept, wrong = checking.sound_masks(bad, ("spot", "line"))
    assert [annotation.rle for annotation in kept] == [good[1]]
    assert [item.kind for item in wrong] == ["mask damaged"] * 3
    assert all(item.error for item in wrong)
    assert "dent, which is not known" in wrong[-1].what


def test_objects_under_a_size_are_counted_by_image_and_class() -> None:
    areas = [np.array([3, 100, 9]), np.array([16])]
    found = list(checking.check_tiny("a.png", areas, CLASSES, least=16))
    assert [item.what for item in found] == ["2 objects of spot under 16 px, the smallest 3 px"]
    assert list(checking.check_tiny("a.png", areas, CLASSES, least=3)) == []


def count(name: str, objects: int, **others: int) -> ClassCount:
    values = {"images": objects, "train": objects, "test": 0} | others
    return ClassCount(name=name, objects=objects, median_pixels=5.0, train_share=None, **values)


def test_few_objects_one_sided_classes_and_names_alike_are_told() -> None:
    classes = [count("Scratch", 100, train=80, test=20), count("scratch ", 19, train=10, test=9), count("pit", 50)]
    found = [item.what for item in checking.check_classes(classes, split=True)]
    assert len(found) == 3
    assert found[0].startswith("scratch  has 19 objects; with fewer than 20 expect copies")
    assert found[1] == "pit is in train only"
    assert found[2].startswith("Scratch and scratch  differ in spelling only")
    assert len(list(checking.check_classes(classes, split=False))) == 2


@pytest.mark.parametrize(
    ("look", "kind", "says"),
    [
        (replace(LOOK, brightness=240.0), "image colour", "mean brightness is 240"),
        (replace(LOOK, contrast=0.2), "image colour", "no contrast at all"),
        (replace(LOOK, colour=80.0), "image colour", "coloured, unlike the others"),
        (replace(LOOK, channels=3), "image colour", "stored in colour, unlike the others"),
    ],
)
def test_an_image_unlike_the_others_is_told(look: Look, kind: str, says: str) -> None:
    looks = [*usual(30), look]
    records = [replace(record(), file=f"{k}.png") for k in range(31)]
    found = list(checking.check_images(records, looks))
    assert [(item.kind, item.file, item.error) for item in found] == [(kind, "30.png", False)]
    assert says in found[0].what


def test_one_image_of_another_size_is_told_and_a_set_of_many_sizes_is_not_odd() -> None:
    records = [replace(record(), file=f"{k}.png") for k in range(31)]
    records[4] = replace(records[4], height=41)
    looks = usual(31)
    looks[4] = replace(looks[4], height=41)
    (found,) = checking.check_images(records, looks)
    assert (found.kind, found.file) == ("image size", "4.png")
    assert "41 x 60 px (height x width), most are 40 x 60" in found.what
    draw = np.random.default_rng(0)
    sides = draw.integers(200, 400, (31, 2)).tolist()
    varied = [replace(r, height=h, width=w) for r, (h, w) in zip(records, sides, strict=True)]
    seen = [replace(LOOK, height=h, width=w) for h, w in sides]
    assert list(checking.check_images(varied, seen)) == []
    varied[0], seen[0] = replace(varied[0], width=4000), replace(seen[0], width=4000)
    assert [item.file for item in checking.check_images(varied, seen)] == ["0.png"]


def test_missing_and_wrongly_sized_images_are_errors() -> None:
    looks: list[Look | DataError] = [*usual(2), DataError("c.png is not there."), replace(LOOK, height=60, width=40)]
    records = [replace(record(), file=name) for name in ("a.png", "b.png", "c.png", "d.png")]
    found = list(checking.check_images(records, looks))
    assert [(item.kind, item.error) for item in found] == [("image missing", True)] * 2
    assert str(found[0]) == "c.png  c.png is not there"
    assert "60 x 40 pixels, its record says 40 x 60" in found[1].what


def test_files_that_are_there_twice_are_told_and_whether_their_masks_agree(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, draw.integers(0, 255, (40, 60)).astype(np.uint8))
    for copy in ("c.png", "d.png"):
        (tmp_path / copy).write_bytes((tmp_path / "a.png").read_bytes())
    files = ["a.png", "b.png", "c.png", "d.png"]
    paths = [tmp_path / name for name in files]
    twins = same_files(paths, read_looks(paths))
    assert twins == [[0, 2, 3]]
    one = ("spot", mask(5, 5, 9, 9))
    records = [replace(record(*own), file=file) for file, own in zip(files, ([one], [], [one], []), strict=True)]
    found = [str(item) for item in checking.check_twins(records, twins)]
    assert found == [
        "c.png  the same file as a.png", "d.png  the same file as a.png, but with other masks: which are right?"
    ]  # fmt: skip


def test_looks_are_those_of_the_pixels(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 240, 2, dtype=np.uint8), (100, 1))
    write_image(tmp_path / "grey.png", ramp)
    write_image(tmp_path / "red.png", np.dstack([np.full_like(ramp, 200), ramp * 0, ramp * 0]))
    (tmp_path / "cut.png").write_bytes((tmp_path / "grey.png").read_bytes()[:60])
    seen: list[tuple[int, int]] = []
    paths = [tmp_path / name for name in ("grey.png", "red.png", "cut.png", "none.png")]
    grey, red, cut, none = read_looks(paths, progress=lambda done, total: seen.append((done, total)))
    assert isinstance(grey, Look)
    assert isinstance(red, Look)
    assert (grey.height, grey.width, grey.channels, red.channels) == (100, 120, 1, 3)
    assert grey.brightness == pytest.approx(ramp.mean(), abs=1)
    assert grey.contrast == pytest.approx(cv2.resize(ramp, (64, 64), interpolation=cv2.INTER_AREA).std(), abs=0.5)
    assert (grey.colour, red.colour) == (0, 200)
    assert red.brightness == pytest.approx(200 / 3, abs=0.1)
    assert "cut off" in str(cut)
    assert "is not there" in str(none)
    assert seen == [(4, 4)]


def test_findings_are_sorted_by_kind_with_errors_first() -> None:
    items = [
        Finding(kind="clean", what="x"),
        Finding(kind="source", what="y"),
        Finding(kind="leak", what="z", error=True),
    ]
    assert [(kind, error) for kind, error, _ in by_kind(items)] == [("leak", True), ("source", False), ("clean", False)]
    assert {kind for kind, _, _ in by_kind(items)} <= set(KINDS)
