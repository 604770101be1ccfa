"""The sides that a source names are taken as they are, and what is wrong with them is told."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.errors import UsageError
from coigan_aug.imaging import write_image
from tests.data.test_grouping import imported

SQUARE = [[2, 2, 9, 2, 9, 9, 2, 9]]
SIDES = ("train", "train", "train", "valid", "test", "")


def pieces(folder: Path, *, sides: tuple[str, ...] = SIDES, twin: bool = False) -> Path:
    """A COCO file whose images say their side; with `twin` the fourth shows the first one's piece, darker."""
    draw = np.random.default_rng(3)
    photographs = [
        cv2.GaussianBlur(draw.normal(128, 90, (64, 96)), (0, 0), 2) + draw.normal(0, 9, (64, 96)) for _ in sides
    ]
    if twin:
        photographs[3] = 0.9 * photographs[0] + draw.normal(0, 2, (64, 96))
    for k, image in enumerate(photographs):
        write_image(folder / "images" / f"{'abcdef'[k]}.png", np.clip(image, 0, 255).astype(np.uint8))
    value = {
        "images": [
            {"id": k, "file_name": f"{'abcdef'[k]}.png", "height": 64, "width": 96} | ({"split": side} if side else {})
            for k, side in enumerate(sides)
        ],
        "annotations": [
            {"id": k + 1, "image_id": k, "category_id": 1, "segmentation": SQUARE} for k in range(len(sides))
        ],
        "categories": [{"id": 1, "name": "pit"}],
    }
    (folder / "coco.json").write_text(json.dumps(value))
    return folder / "coco.json"


def test_train_is_train_and_all_else_is_held_out(tmp_path: Path) -> None:
    dataset, report = imported(pieces(tmp_path), tmp_path / "out", split=None)
    assert [record.split for record in dataset] == ["train", "train", "train", "test", "test", "train"]
    assert report.sides == {"train": 3, "valid": 1, "test": 1}
    assert (report.train, report.test, report.leakage) == (4, 2, 0)
    assert (report.wanted, report.deviation) == (4 / 6, 0)
    noted = [(found.what, found.done) for found in report.problems]
    assert noted == [("1 images are on no side of the source's split (first: f.png)", "taken for training")]
    saved = json.loads((tmp_path / "out" / "import.json").read_text())
    assert saved["provenance"]["sides"] == saved["sides"] == {"train": 3, "valid": 1, "test": 1}


def test_a_share_deals_anew_whatever_the_source_says(tmp_path: Path) -> None:
    dataset, report = imported(pieces(tmp_path), tmp_path / "out", split=0.5)
    assert (report.train, report.sides) == (3, {})
    assert "sides" not in dataset.manifest["provenance"]


def test_a_split_of_the_source_that_tears_a_piece_is_taken_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pieces(tmp_path, twin=True)

    def lines(split: str) -> str:
        assert run(lambda: app(["import", str(source), "--workspace", str(tmp_path / split), "--split", split])) == 0
        return capsys.readouterr().err

    torn, kept = lines("source"), lines("0.5")
    assert "Sides of the source: train 3, valid 1, test 1; what is not train is held out" in torn
    assert "1 group of near-duplicate images (2 images)\n" in torn
    assert "(share of test images with a sibling in train: 50%;" in torn
    assert "The source's split tears groups, which inflates scores. Without --split source they stay together." in torn
    assert "kept together in the split" in kept
    assert "tears" not in kept
    assert "Sides of" not in kept


def test_inspect_finds_what_a_source_tears_before_it_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def inspected(source: Path, *options: str) -> tuple[int, dict[str, object]]:
        code = run(lambda: app(["inspect", str(source), "--json", "--quiet", *options]))
        return code, json.loads(capsys.readouterr().out)

    code, found = inspected(pieces(tmp_path, twin=True), "--strict")
    assert code == 6
    assert (found["train"], found["test"], found["leakage"]) == (3, 2, 0.5)
    assert found["pairs"] == [["d.png", "a.png"]]
    assert inspected(pieces(tmp_path))[1]["leakage"] == 0
    assert inspected(pieces(tmp_path, sides=("", "", "")))[1]["split"] is None


def test_a_source_without_sides_and_a_mistyped_split_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pieces(tmp_path, sides=("", "", ""))
    with pytest.raises(UsageError, match="says of no image on which side it is") as caught:
        imported(source, tmp_path / "out", split=None)
    assert caught.value.remedy == "Give a share, such as --split 0.8"
    with pytest.raises(UsageError, match="--folds deals all images out anew"):
        imported(source, tmp_path / "out", split=None, folds=3)
    assert run(lambda: app(["import", str(source), "--workspace", str(tmp_path / "w"), "--split", "sorce"])) == 2
    assert "--split sorce is neither a share nor 'source'." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
