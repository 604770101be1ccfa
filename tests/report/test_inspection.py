"""The page of an inspection: what it says is what was found, nothing foreign is in it, every part may be missing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass
from coigan_aug.data.findings import KINDS
from coigan_aug.data.folds import FOLDS
from coigan_aug.data.inspecting import inspect_subject
from coigan_aug.data.opening import opened, subject_of
from coigan_aug.files import write_json
from coigan_aug.imaging import write_image
from coigan_aug.report.crops import whole_image
from coigan_aug.report.inspection import MOST_BYTES, SECTIONS, compose_inspection, write_inspection
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset

from .test_html import ADDRESS, EVIL, Outline


def odd_copy(toy: Dataset, folder: Path) -> Dataset:
    """Copy the small data set and put one oddity of most kinds into it."""
    shutil.copytree(toy.image_root, folder / "images")
    records = list(toy)
    spot = records[0].annotations[0]
    records[0] = replace(records[0], annotations=(*records[0].annotations, spot, replace(spot, label="line")))
    empty = Annotation(label="spot", rle=rle.encode(np.zeros((72, 96), np.uint8)))
    speck = np.zeros((72, 96), np.uint8)
    speck[3, 3] = 1
    records[1] = replace(records[1], annotations=(empty, Annotation(label="line", rle=rle.encode(speck))))
    write_image(folder / "images" / "05.png", np.full((72, 96), 90, np.uint8))
    shutil.copy(folder / "images" / "02.png", folder / "images" / "03.png")
    (folder / "images" / "07.png").unlink()
    provenance = {"format": "coco", "split": 0.75}
    return write_dataset(
        folder / "dataset", records, classes=toy.classes, image_root=folder / "images", provenance=provenance
    )


def page_of(dataset: Dataset, out: Path) -> str:
    path = write_inspection(out, inspect_subject(subject_of(dataset)), dataset)
    assert path == out
    return out.read_text()


def test_every_oddity_is_shown_with_its_picture_and_nothing_foreign_is_in_it(toy: Dataset, tmp_path: Path) -> None:
    dataset = odd_copy(toy, tmp_path)
    write_json(
        dataset.folder / FOLDS,
        {"test": 1, "seed": 0, "files": [[r.file for r in dataset][:6], [r.file for r in dataset][6:]]},
    )
    page = page_of(dataset, tmp_path / "page.html")
    outline = Outline(page)
    assert [item["id"] for item in outline.all("section")] == ["verdict", *SECTIONS]
    for kind in (
        "mask twice",
        "mask in two classes",
        "mask empty",
        "object tiny",
        "image colour",
        "image twice",
        "class",
    ):
        assert KINDS[kind][1:] in page, kind
    assert "07.png  the image is not there" in page
    assert "Something is wrong" in page
    assert not ADDRESS.search(page)
    assert all((item["src"] or "").startswith("data:image/webp;base64,") for item in outline.all("img"))
    shown = [item["alt"] or "" for item in outline.all("img")]
    assert any(alt.startswith(KINDS["object tiny"]) for alt in shown)
    assert not any("07.png" in alt for alt in shown)
    assert "The folds of the cross validation" in page
    assert len(page.encode()) < MOST_BYTES


def test_a_source_without_a_split_says_nothing_of_one(toy: Dataset, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\n00.png,1,2000 9 2072 9\n")
    shutil.copytree(toy.image_root, tmp_path / "images")
    with opened(tmp_path / "train.csv") as subject:
        found = inspect_subject(subject)
        page = write_inspection(tmp_path / "page.html", found, subject.dataset).read_text()
    sections = [item["id"] for item in Outline(page).all("section")]
    assert sections == ["verdict", *(name for name in SECTIONS if name != "split")]
    assert "in train" not in page.lower()


def test_names_are_escaped(toy: Dataset, tmp_path: Path) -> None:
    classes = (DefectClass(name=EVIL, colour=(1, 2, 3)), toy.classes[1])
    records = [
        replace(r, annotations=tuple(replace(a, label=EVIL if a.label == "spot" else a.label) for a in r.annotations))
        for r in toy
    ]
    dataset = write_dataset(
        tmp_path / "dataset", records, classes=classes, image_root=toy.image_root, provenance={"format": EVIL}
    )
    page = page_of(dataset, tmp_path / "page.html")
    assert EVIL not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_without_objects_and_with_unknown_classes_the_page_is_written_all_the_same(
    toy: Dataset, tmp_path: Path
) -> None:
    bare = [replace(record, annotations=()) for record in toy]
    dataset = write_dataset(
        tmp_path / "bare", bare, classes=toy.classes, image_root=toy.image_root, provenance={}
    )  # fmt: skip
    assert "Examples" not in page_of(dataset, tmp_path / "bare.html")
    empty = write_dataset(tmp_path / "none", bare, classes=(), image_root=toy.image_root, provenance={})
    page = compose_inspection(inspect_subject(subject_of(empty)), empty)
    assert (page.counts, page.places, page.examples) == ((), (), ())
    assert page.images
    broken = [
        replace(r, annotations=(Annotation(label="nobody", rle=rle.encode(np.eye(72, 96, dtype=np.uint8))),))
        for r in toy
    ]
    dataset = write_dataset(
        tmp_path / "broken", broken, classes=toy.classes, image_root=toy.image_root, provenance={}
    )  # fmt: skip
    page_text = page_of(dataset, tmp_path / "broken.html")
    assert "or are of no known class" in page_text


def test_a_whole_image_is_outlined_where_its_masks_are(toy: Dataset) -> None:
    shot = whole_image(toy, 0)
    assert shot.plain.shape == shot.outlined.shape == (72, 96, 3)
    changed = (shot.plain != shot.outlined).any(axis=2)
    union = np.max([rle.decode(a.rle) for a in toy[0].annotations], axis=0)
    assert changed.any()
    assert not changed[cv2.dilate(union, np.ones((3, 3), np.uint8)) == 0].any()


@pytest.mark.parametrize("name", ["dataset", "other"])
def test_the_title_is_the_workspace_or_the_folder(toy: Dataset, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "strips" / name
    dataset = write_dataset(folder, list(toy), classes=toy.classes, image_root=toy.image_root, provenance={})
    found = inspect_subject(subject_of(dataset))
    assert compose_inspection(found, dataset).title == ("strips" if name == "dataset" else "other")
