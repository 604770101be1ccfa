"""The three commands on real photographs, where the magnetic-tile set is at hand; see examples/magnetic_tile.md."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.imaging import read_image
from coigan_aug.store.dataset import Dataset

BESIDE = Path(__file__).parents[3] / "shared" / "data" / "magnetic-tile"
DATA = Path(os.environ.get("MAGNETIC_TILE", BESIDE))
CLASSES = ("blowhole", "break", "crack", "fray", "uneven")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="set MAGNETIC_TILE to the folder of MT_*/"),
]


def _coigan(*arguments: str, cwd: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.delenv("COIGAN_WORKSPACE", raising=False)
        patch.setattr(sys, "argv", ["coigan-aug", *arguments])
        assert run(app) == 0


@pytest.fixture(autouse=True)
def bare(bare_pages: None) -> None:
    """The pages are looked at in tests/report."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose `coigan` holds the photographs imported, and in `report.json` what import said."""
    folder = tmp_path_factory.mktemp("tiles")
    with (folder / "report.json").open("w") as report, contextlib.redirect_stdout(report):
        _coigan("import", str(DATA), "--json", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose `coigan` holds some photographs of each kind, imported from `data`: enough to train and draw."""
    folder = tmp_path_factory.mktemp("few")
    for kind in sorted(DATA.glob("MT_*")):
        images = sorted(kind.rglob("*.jpg"))
        for image in images[:: max(len(images) // 16, 1)]:
            for file in (image, image.with_suffix(".png")):
                to = folder / "data" / file.relative_to(DATA)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
    _coigan("import", "data", cwd=folder)
    return folder


def test_all_photographs_are_imported_with_their_pieces_kept_together(imported: Path) -> None:
    report = json.loads((imported / "report.json").read_text())
    assert report["images"] == 1344
    assert report["defect_free"] == 952 + 4
    assert report["leakage"] == 0
    assert report["random_leakage"] > 0.9
    assert {item["name"] for item in report["classes"]} == set(CLASSES)


def test_train_and_synthesize_on_real_photographs(few: Path) -> None:
    _coigan(
        "train", "--recipe", "tiny", "--images-seen", "24", "--set", "train.threads=1", "--set", "log.watch_every=0",
        cwd=few,
    )  # fmt: skip
    _coigan("synthesize", "--per-class", "2", "--out", "coco", "--no-screen", cwd=few)
    coco, made = COCO(str(few / "coco" / "annotations.json")), Dataset(few / "coigan" / "synthetic" / "coco")
    card = json.loads((few / "coco" / "card.json").read_text())
    assert card["defects"] == dict.fromkeys(CLASSES, 2)
    assert len(coco.anns) == 10
    source = Dataset(few / "coigan" / "dataset")
    position = {record.file: k for k, record in enumerate(source)}
    for record in made:
        base = source[position[record.source["base"]]]
        assert base.split == "train"
        pixels, before = read_image(few / "coco" / record.file), read_image(few / "data" / base.file)
        assert pixels.shape == before.shape
        union = np.max([rle.decode(annotation.rle) for annotation in record.annotations], axis=0)
        outside = grow(union, card["margin_px"]) == 0
        assert (pixels[outside] == before[outside]).all()


@pytest.mark.parametrize("engine", ["poisson"])  # paste differs by what tests/synthesis/test_paste.py covers
def test_copies_of_real_defects_need_no_training(few: Path, engine: str) -> None:
    _coigan(
        "synthesize",
        "--engine",
        engine,
        "--per-class",
        "2",
        "--windows",
        "--out",
        "copies",
        "--no-screen",
        cwd=few,
    )
    card = json.loads((few / "copies" / "card.json").read_text())
    assert card["engine"] == engine
    assert card["generator"] == {}
    source = Dataset(few / "coigan" / "dataset")
    position = {record.file: k for k, record in enumerate(source)}
    for record in Dataset(few / "coigan" / "synthetic" / "copies"):
        left, top, width, height = record.source["region"]
        base = read_image(few / "data" / source[position[record.source["base"]]].file)[
            top : top + height, left : left + width
        ]
        made = read_image(few / "copies" / record.file)
        union = np.max([rle.decode(annotation.rle) for annotation in record.annotations], axis=0)
        outside = grow(union, card["margin_px"]) == 0
        assert (made[outside] == base[outside]).all()
        assert (made[union != 0] != base[union != 0]).any()
