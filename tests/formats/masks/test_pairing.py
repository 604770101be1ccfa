"""Pairing any two folders, refusals, and what inspection says. Truth: the trees are made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.data.inspecting import inspect_subject
from coigan_aug.data.opening import opened
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.masks.pairing import parse_pair
from coigan_aug.formats.source import Problems, ReadOptions, parse_classes
from tests.formats.masks.trees import PHOTO, A, B, grow

# Two folders, and names that differ


@dataclass(frozen=True)
class Pairing:
    """Two folders (or one), the regular expression, and the images with what is on them."""

    files: str
    images: Mapping[str, object]
    pair: str | None = None
    at: tuple[str, str | None] = ("ann", "pictures")
    orphans: int = 0


@pytest.mark.parametrize(
    "case",
    [
        Pairing("pictures/0.jpg ann/0.png=A pictures/1.jpg ann/1.png=B",
                {"pictures/0.jpg": [A], "pictures/1.jpg": [B]}),
        Pairing("pictures/s/0.jpg ann/s/0_GT.png=A", {"pictures/s/0.jpg": [A]}),
        Pairing("pictures/0.jpg ann/deep/0.png=A", {"pictures/0.jpg": [A]}),
        Pairing("data/pictures/0.jpg ann/0.png=A ann/7.png=A", {"0.jpg": [A]}, at=("ann", "data/pictures"), orphans=1),
        Pairing("set/0.jpg set/ann/0.png=A", {"0.jpg": [A]}, at=("set/ann", "set")),
        Pairing("set/pictures/0.jpg set/0.png=A", {"0.jpg": [A]}, at=("set", "set/pictures")),
        Pairing("pictures/scan12.jpg ann/12_GT_v3.png=A", {"pictures/scan12.jpg": [A]}, r"(?P<key>\d+)(_GT|$)"),
        Pairing("pictures/12.jpg ann/lot_12_GT.png=A ann/lot_13_GT.png=A", {"pictures/12.jpg": [A]}, r"(?P<key>\d+)_GT",
                orphans=1),
        Pairing("images/a-01.jpg masks/b-01.png=A", {"images/a-01.jpg": [A]}, r"-(?P<key>\d+)", at=("", None)),
        Pairing("a01.jpg a01zz.png=A", {"a01.jpg": [A]}, r"(?P<key>a\d+)zz", at=("", None)),
    ],
)  # fmt: skip
def test_any_two_folders_pair_by_names_or_by_an_expression(case: Pairing, tmp_path: Path) -> None:
    grow(tmp_path, case.files)
    masks, images = case.at
    options = ReadOptions(images=None if images is None else tmp_path / images, pair=parse_pair(case.pair))
    problems = Problems()
    records = list(open_source(tmp_path / masks, options=options, problems=problems).records)
    shown = {record.file: [(rle.decode(a.rle) * 255).tolist() for a in record.annotations] for record in records}
    assert shown == {name: [mask.tolist() for mask in own] for name, own in case.images.items()}  # type: ignore[attr-defined]
    assert sum("has no image" in problem.what for problem in problems.all) == case.orphans


@pytest.mark.parametrize(("text", "says"), [("(", "is not a regular expression"), (r"(\d+)", "no group named key")])
def test_an_expression_that_can_not_pair_is_refused_with_one_that_can(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        parse_pair(text)
    assert parse_pair(refused.value.remedy.partition("'")[2].rpartition("'")[0]) is not None


# Refusals


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ("images/1.png masks/2.png=A", ["no mask belongs to an image", "masks/2.png"]),
        ("test/cut/1.png train/good/1.png", ["MVTec AD, MPDD: no ground_truth/KIND/NAME"]),
        ("0.jpg 0.png", ["0.png is no mask but a photograph: "]),
        ("images/1.png masks/1.png", ["1.png is no mask but a photograph"]),
        ("img_dir/train/1.png other/1.png", ["mmsegmentation: no ann_dir/NAME"]),
        ("kos01/Part1.jpg kos01/Part2.jpg", ["no "]),
    ],
)
def test_a_refusal_says_which_layouts_are_near_and_what_they_miss(files: str, says: list[str], tmp_path: Path) -> None:
    grow(tmp_path, files)
    with pytest.raises(DataError) as refused:
        open_source(tmp_path, options=ReadOptions(), problems=Problems())
    for text in says:
        assert text in refused.value.message
    assert "coigan-aug import MASKS --images IMAGES" in refused.value.remedy


def test_a_mask_that_is_the_same_dark_picture_as_its_image_is_none(tmp_path: Path) -> None:
    dark = np.where(A > 0, PHOTO, 0).astype(np.uint8)
    dark[8:14] = PHOTO[8:14]
    grow(tmp_path, {"0.jpg": dark, "0.png": dark})
    with pytest.raises(DataError, match=r"0\.png is no mask but the same picture as 0\.jpg"):
        open_source(tmp_path, options=ReadOptions(), problems=Problems())


# Classes, junk, inspection


@pytest.mark.parametrize("classes", ["defect", "flaw"])
def test_one_name_merges_all_classes_and_keeps_their_objects(classes: str, tmp_path: Path) -> None:
    grow(tmp_path, "images/1.png masks/cut/1.png=A masks/pit/1.png=B")
    options = ReadOptions(classes=parse_classes(classes))
    source = open_source(tmp_path, options=options, problems=Problems())
    (record,) = source.records
    assert [known.name for known in source.classes] == [classes]
    assert [(rle.decode(a.rle) * 255).tolist() for a in record.annotations] == [A.tolist(), B.tolist()]


def test_what_systems_leave_beside_files_is_passed_over(tmp_path: Path) -> None:
    grow(tmp_path, "images/1.png masks/1.png=A")
    for name in ("images/._1.png", "masks/._1.png", "images/Thumbs.db", "masks/.DS_Store", "__MACOSX/images/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"junk")
    problems = Problems(strict=True)
    assert [record.state for record in open_source(tmp_path, options=ReadOptions(), problems=problems).records] == [
        "annotated"
    ]


def test_inspection_has_an_error_for_each_orphan_and_unknown_image_and_no_other(tmp_path: Path) -> None:
    grow(
        tmp_path,
        "test/cut/0.png test/cut/1.png test/good/0.png ground_truth/cut/0_mask.png=A ground_truth/cut/7_mask.png=A",
    )
    for folder, wrong in ((tmp_path, 2), (grow(tmp_path / "whole", "test/cut/0.png ground_truth/cut/0.png=A"), 0)):
        with opened(folder) as subject:
            errors = [finding for finding in inspect_subject(subject).findings if finding.error]
        assert len(errors) == wrong
    with opened(tmp_path) as subject:
        errors = [str(finding) for finding in inspect_subject(subject).findings if finding.error]
    assert "ground_truth/cut/7_mask.png has no image" in errors[0]
    assert errors[1].startswith("test/cut/1.png")
