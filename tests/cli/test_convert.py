"""coigan-aug convert: what it says, what it refuses, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.formats.names import NAMES
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call

Capsys = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def here(tmp_path: Path, monkeypatch: Patch) -> Path:
    """Stand in a folder with a CSV of three images, two of them with defects."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "c.png"):
        write_image(tmp_path / "images" / name, np.full((4, 6), 90, np.uint8))
    (tmp_path / "t.csv").write_text("ImageId,ClassId,EncodedPixels\nb.png,3,1 2 9 3\na.png,1,5 1\nb.png,1,20 4\n")
    return tmp_path


def _said(err: str) -> list[str]:
    """Return what was said, without the lines of progress, which tell the time."""
    return [line for line in err.splitlines() if line.startswith("  ")]


def test_a_conversion_says_what_was_made_and_what_got_lost(here: Path, capsys: Capsys, monkeypatch: Patch) -> None:
    code, out, err = call(capsys, monkeypatch, "convert", "t.csv", "coco", "--to", "coco")
    assert (code, out) == (0, "")
    assert _said(err) == [
        "  Format: Severstal RLE CSV (columns ImageId, ClassId, EncodedPixels). Images: images/ (found beside it)",
        "  3 images (1 free of defects), 3 masks -> coco/annotations.json",
    ]
    code, out, err = call(
        capsys, monkeypatch, "convert", "coco/annotations.json", "lines", "--to", "line-json", "--from", "coco"
    )
    assert code == 0
    assert _said(err)[1:] == [
        "  3 images (1 free of defects), 3 masks -> lines/dataset.jsonl",
        "  What line-json has no place for (it tells images and classes apart without):",
        "    3 image ids, which the format does not keep (first: images/a.png)",
        "    2 class ids, which the format does not keep (first: 1)",
    ]
    assert sorted(path.name for path in here.iterdir()) == ["coco", "images", "lines", "t.csv"]


def test_json_is_one_document_with_counts_losses_and_problems(here: Path, capsys: Capsys, monkeypatch: Patch) -> None:
    with (here / "t.csv").open("a") as stream:
        stream.write("c.png,1,23 9\n")
    code, out, err = call(
        capsys, monkeypatch, "convert", "t.csv", "m", "--to", "mask-folder", "--json", "--quiet", "--clip-rle",
        "--image-files", "link",
    )  # fmt: skip
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert (said["images"], said["defect_free"], said["masks"], said["classes"]) == (3, 0, 4, ["1", "3"])
    assert (said["source"], said["to"], said["image_files"]) == ("severstal", "mask-folder", "link")
    assert said["losses"] == []
    assert said["notes"] == [{"what": "class ids, which the format does not keep", "count": 2, "first": "1"}]
    assert [(problem["row"], problem["done"]) for problem in said["problems"]] == [(5, "cut")]
    assert said["annotations"] == "m/masks"
    assert (here / "m/images/a.png").samefile(here / "images/a.png")


def test_polygons_say_for_whom_they_are(here: Path, capsys: Capsys, monkeypatch: Patch) -> None:
    for reader, says in (("pycocotools", "cv2.fillPoly draws them larger"), ("cv2", "pycocotools draws them smaller")):
        code, _, err = call(capsys, monkeypatch, "convert", "t.csv", reader, "--to", "coco", "--polygons", reader)
        assert code == 0, err
        assert f"The polygons are for {reader}, exact to the pixel; {says} by a pixel's edge." in err
        top = json.loads((here / reader / "annotations.json").read_text())
        assert all(isinstance(item["segmentation"], list) for item in top["annotations"])


def test_a_workspace_is_converted_and_its_split_not_passed_over(
    toy: Dataset, here: Path, capsys: Capsys, monkeypatch: Patch
) -> None:
    workspace = toy.folder.parent
    code, _, err = call(capsys, monkeypatch, "convert", str(workspace), "lines", "--to", "line-json")
    assert code == 0, err
    assert "The split into train and test is not written: line-json does not say it." in err
    code, _, err = call(capsys, monkeypatch, "convert", str(workspace), "new", "--to", "coco", "--crowd")
    assert code == 0, err
    assert "Format: Dataset (12 images, 2 classes)" in err
    assert "The split" not in err
    items = json.loads((here / "new/annotations.json").read_text())["annotations"]
    assert {item["iscrowd"] for item in items} == {1}


def test_binary_lines_and_a_size_in_place_of_images(here: Path, capsys: Capsys, monkeypatch: Patch) -> None:
    for image in (here / "images").iterdir():
        image.unlink()
    code, _, err = call(capsys, monkeypatch, "convert", "t.csv", "b", "--to", "line-json", "--binary", "--size", "4x6")
    assert code == 0, err
    assert (here / "b/dataset.jsonl").read_bytes()[0] >= 0xE0
    assert not (here / "b/data").exists()
    assert "2 images (0 free of defects), 3 masks -> b/dataset.jsonl" in err


TO = ("--to", "coco")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["t.csv", "o"], 2, ["--to"]),
        (["nowhere.csv", "o", *TO], 3, ["nowhere.csv does not exist", "Name an annotation file"]),
        (["images", "o", *TO], 3, ["images is of no format known", "no mask belongs to an image", "MASKS --images IMAGES"]),
        (["t.csv", "o", "--to", "cocoa"], 2, ["There is no format 'cocoa'. Did you mean 'coco'?", "Formats: coco,"]),
        (["t.csv", "o", *TO, "--from", "cvs"], 2, ["There is no format 'cvs'.", "Formats: coco,"]),
        (
            ["t.csv", "o", *TO, "--from", "coco"],
            3,
            ["t.csv can't be read as coco; it looks like severstal (", "or give severstal."],
        ),
        (["t.csv", "o", *TO, "--binary"], 2, ["--binary is for line-json, not for coco.", "--to line-json"]),
        (["t.csv", "o", "--to", "severstal", "--crowd"], 2, ["--crowd is for coco, not for severstal."]),
        (["t.csv", "o", *TO, "--polygons", "labelme"], 2, ["no polygons for 'labelme'", "--polygons pycocotools, or cv2"]),
        (["t.csv", "o", *TO, "--polygons", "cv2", "--crowd"], 2, ["--crowd is for run lengths"]),
        (["t.csv", "o", *TO, "--size", "256"], 2, ["--size 256 is not height x width", "--size 256x1600"]),
        (["t.csv", "o", *TO, "--size", "4x6", "--image-files", "copy"], 2, ["nothing to copy", "--image-files none"]),
        (["t.csv", "o", *TO, "--image-files", "move"], 2, ["--image-files move is none of copy, link, none"]),
        (["t.csv", "o", *TO, "--classes", "pit"], 3, ["t.csv:2  class 3 is not among the classes 1 given with --classes"]),
        (["t.csv", "o", *TO, "--images", "gone"], 3, ["the image folder gone does not exist", "--images DIR"]),
        (["t.csv", "t.csv", *TO], 2, ["t.csv lies in t.csv"]),
        (["t.csv", "images", *TO], 2, ["images/ holds files that convert did not write (such as a.png)", "another DST"]),
        (["t.csv", "images/a.png", *TO], 2, ["images/a.png is a file", "Name a folder"]),
        (["t.csv", "o", "--to", "mask-folder", "--strict", "--image-files", "none"], 3,
         ["the format can't hold images without a mask", "Without --strict they are counted"]),
        (["o2.csv", "o", *TO], 3, ["o2.csv:2  RLE run 23+9 ends outside a.png", "--clip-rle cuts it"]),
        (["o2.csv", "o", *TO, "--strict", "--clip-rle"], 3, ["ends outside a.png", "Without --strict: cut."]),
        (["o3.csv", "o", *TO], 3, ["no.png (o3.csv:3) not found in images/; 1 others were.", "--skip-missing"]),
        (["o4.csv", "o", *TO], 3, ["torn.png is cut off (no end chunk).", "--skip-broken"]),
    ],
)  # fmt: skip
def test_a_mistake_gets_its_exit_code_a_remedy_and_no_folder(
    here: Path, capsys: Capsys, monkeypatch: Patch, arguments: list[str], code: int, says: list[str]
) -> None:
    whole = (here / "images/a.png").read_bytes()
    head = "ImageId,ClassId,EncodedPixels\n"
    (here / "o2.csv").write_text(f"{head}a.png,1,23 9\n")
    (here / "o3.csv").write_text(f"{head}a.png,1,1 1\nno.png,1,1 1\n")
    (here / "o4.csv").write_text(f"{head}torn.png,1,1 1\n")
    if "o4.csv" in arguments:
        (here / "images/torn.png").write_bytes(whole[:-12])
    found, out, err = call(capsys, monkeypatch, "convert", *arguments)
    assert found == code, err
    assert out == ""
    for text in says:
        assert text in err
    assert len(err.strip().splitlines()) <= 8
    assert not (here / "o").exists()
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(("option", "name"), [("--skip-missing", "no.png"), ("--skip-broken", "torn.png")])
def test_what_is_left_out_is_said(here: Path, capsys: Capsys, monkeypatch: Patch, option: str, name: str) -> None:
    (here / "images/torn.png").write_bytes((here / "images/a.png").read_bytes()[:-12])
    with (here / "t.csv").open("a") as stream:
        stream.write("no.png,1,1 1\n" * (name == "no.png"))
    if name == "no.png":
        (here / "images/torn.png").unlink()
    code, _, err = call(capsys, monkeypatch, "convert", "t.csv", "o", *TO, option)
    assert code == 0, err
    assert "1 problem in the source:" in err
    assert name in err
    assert "image left out" in err


def test_a_finished_folder_is_kept_or_replaced(here: Path, capsys: Capsys, monkeypatch: Patch) -> None:
    assert call(capsys, monkeypatch, "convert", "t.csv", "o", *TO)[0] == 0
    code, _, err = call(capsys, monkeypatch, "convert", "t.csv", "o", "--to", "severstal")
    assert code == 2
    assert err.splitlines() == ["  o/ already holds 3 images as coco.", "  --overwrite, or another DST"]
    code, _, err = call(capsys, monkeypatch, "convert", "t.csv", "o", "--to", "severstal", "--overwrite")
    assert code == 0, err
    assert sorted(path.name for path in (here / "o").iterdir()) == [".convert", "annotations.csv", "images"]


def test_a_conversion_at_work_holds_its_folder(here: Path, capsys: Capsys, monkeypatch: Patch) -> None:
    from coigan_aug.files import folder_lock

    with folder_lock(here / ".o.convert"):
        code, _, err = call(capsys, monkeypatch, "convert", "t.csv", "o", *TO)
    assert code == 2
    assert "is in use by process" in err
    assert not (here / "o").exists()


def test_a_place_that_cannot_be_written_is_named(here: Path, capsys: Capsys, monkeypatch: Patch) -> None:
    code, _, err = call(capsys, monkeypatch, "convert", "t.csv", "t.csv/o", *TO)
    assert code == 5, err
    assert "Can't write" in err
    assert "Choose a folder that you may write to." in err


def test_the_help_names_every_format(capsys: Capsys, monkeypatch: Patch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = call(capsys, monkeypatch, "convert", "--help")
    assert code == 0
    assert all(name in out for name in NAMES)
