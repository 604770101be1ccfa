"""inspect at the command line: what a person reads fits 80 columns, --json is one document, the page is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.imaging import write_image

from .calling import call

CLASSES = ["scratch", "a class with quite a long name indeed"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside a COCO file of 24 images; one of its masks can't be read, one lies in both classes."""
    draw = np.random.default_rng(0)
    images, annotations = [], []
    for k in range(24):
        write_image(tmp_path / "images" / f"{k:02d}.png", draw.integers(0, 255, (60, 80)).astype(np.uint8))
        images.append({"id": k, "file_name": f"{k:02d}.png", "height": 60, "width": 80, "strip": k // 4})
        for kind in (0, 1) if k % 2 else ():
            left, top = 5 + k, 8 + 20 * (kind and k != 5)
            square = [left, top, left + 12, top, left + 12, top + 9, left, top + 9]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": k, "category_id": kind + 1, "segmentation": [square]}
            )
    annotations[0]["segmentation"] = {"size": [60, 80], "counts": [10, 5]}
    categories = [{"id": k + 1, "name": name} for k, name in enumerate(CLASSES)]
    value = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "coco.json").write_text(json.dumps(value))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    return tmp_path


def test_a_teams_file_is_inspected_before_it_is_imported(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, "inspect", "coco.json")
    assert (code, out) == (0, "")
    assert max(len(line) for line in err.splitlines() if line and line[0] in "┏┃┡│├└") <= 80
    assert "2 errors, " in err  # the annotation, and its image, which is unknown now
    assert "ERROR  places of the source that are wrong or odd: 1" in err
    assert "coco.json  annotation 1" in err
    assert "05.png  a mask of scratch (id 5) shares the same pixels with one of a class with quite" in err
    assert "train" not in err.split("ERROR")[0]
    assert not (folder / "coigan").exists()


def test_names_do_not_steer_the_terminal_and_end_no_page(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    value = json.loads((folder / "coco.json").read_text())
    value["categories"] = [{"id": 1, "name": "\x1b[31mpit\x00\x9b\n"}, {"id": 2, "name": "[red]a[/x]\u202eb"}]
    (folder / "images" / "01.png").rename(folder / "images" / "\x1b]0;\x07.png")
    value["images"][1]["file_name"] = "\x1b]0;\x07.png"
    (folder / "coco.json").write_text(json.dumps(value))
    code, _, err = call(capsys, monkeypatch, "inspect", "coco.json", "--html", "page.html")
    assert code == 0
    page = (folder / "page.html").read_text()
    for text in (err, page):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert r"\x1b[31mpit\x00\x9b" in text
    assert r"[red]a[/x]\u202eb"[:12] in err
    assert r"\x1b]0;\x07.png" in err


def test_json_is_one_document_that_holds_everything(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, "inspect", "coco.json", "--json", "--quiet", "--html", "page.html")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["images"], found["objects"], found["errors"]) == (24, 22, 2)  # an unknown image counts in no class
    assert [own["name"] for own in found["statistics"]] == CLASSES
    assert {"areas", "aspects", "per_image", "pixel_share", "places"} <= set(found["statistics"][0])
    assert found["looks"]["sizes"] == [["60 x 80", 24]]
    assert found["split"] is None
    assert {item["kind"] for item in found["findings"]} == {"source", "mask in two classes", "class", "unknown"}
    assert (folder / "page.html").stat().st_size > 10_000


def test_strict_ends_with_6_where_something_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(capsys, monkeypatch, "inspect", "coco.json", "--strict", "--quiet") == (
        6,
        "",
        "  2 things are wrong.\n",
    )


def test_a_workspace_gets_its_page_and_its_folds_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    value = json.loads((folder / "coco.json").read_text())
    (folder / "coco.json").write_text(json.dumps(value | {"annotations": value["annotations"][1:]}))
    arguments = ("--group-by", "strip", "--folds", "3", "--fold", "2")
    code, _, err = call(capsys, monkeypatch, "import", "coco.json", *arguments)
    assert code == 0, err
    assert "6 groups (24 images) kept together in the split" in err
    assert "3 folds, in coigan/dataset/folds.json" in err
    assert "fold 2 is the test set" in err
    assert "In train: of each class 66.7% of the objects, give or take" in err
    code, _, err = call(capsys, monkeypatch, "inspect")
    assert code == 0, err
    assert "3 folds of 8, 8, 8 images" in err
    assert "page -> coigan/inspect.html" in err
    page = (folder / "coigan" / "inspect.html").read_text()
    assert "The folds of the cross validation" in page


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere"], 3, "nowhere does not exist"),
        ([], 3, "coigan/dataset holds no data set"),
        (["coco.json", "--format", "cocoa"], 2, "no format 'cocoa'"),
        (["coco.json", "--images", "none"], 3, "image folder none does not exist"),
    ],
)
def test_what_can_not_be_inspected_is_said_briefly(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, says: str,
) -> None:  # fmt: skip
    found, out, err = call(capsys, monkeypatch, "inspect", *arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err
