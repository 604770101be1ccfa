"""Erasing from the command line: bases without defects of their own, and the learned eraser where it is asked for."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import pytest

from coigan_aug.eraser import erasing
from coigan_aug.eraser.fit import EraserSettings
from coigan_aug.sealed import read_sealed
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call
from tests.conftest import SMALL

pytestmark = pytest.mark.usefixtures("bare_pages")

TINY = ("--recipe", "tiny", *(f"--set={item}" for item in SMALL))
DRAW = ("synthesize", "--engine", "paste", "--per-class", "4", "--out", "new", "--set", "data.window=32",
        "--no-screen")  # fmt: skip


@pytest.fixture
def workspace(toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside a workspace with the small data set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    shutil.copytree(toy.folder, tmp_path / "coigan" / "dataset")
    shutil.copytree(toy.image_root, tmp_path / "images")
    return tmp_path


def test_the_share_on_erased_bases_is_said_and_noted(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call(capsys, monkeypatch, *DRAW, "--bases", "erased", "--dry-run")
    assert code == 0, err
    assert "(100%) on training images whose defects are erased" in err
    assert [path.name for path in (workspace / "new").iterdir()] == ["plan.jsonl"]
    code, out, err = call(capsys, monkeypatch, *DRAW, "--bases", "erased", "--json")
    assert code == 0, err
    made = json.loads(out)
    assert made["on_erased"] == made["images"] > 0
    assert read_sealed(workspace / "new/card.json")["bases"]["erased_share"] == 1
    code, _, err = call(capsys, monkeypatch, *DRAW, "--overwrite")
    assert code == 0, err
    assert "erased" not in err


def test_bases_that_are_not_there_are_answered_with_those_that_are(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call(capsys, monkeypatch, *DRAW, "--bases", "dirty")
    assert code == 2
    assert "no bases 'dirty'" in err
    assert "clean, erased, both" in err
    assert not (workspace / "new").exists()


def test_a_learned_eraser_is_trained_once_and_serves_training_and_synthesis(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = functools.partial(EraserSettings, width=8, depth=2, batch=4, images=16)
    monkeypatch.setattr(erasing, "EraserSettings", quick)
    learned = ("--set", "data.erase=learned")
    code, _, err = call(capsys, monkeypatch, "train", *TINY, *learned, "--images-seen", "12")
    assert code == 0, err
    files = list((workspace / "coigan/cache/erasers").glob("*.safetensors"))
    assert len(files) == 1
    code, _, err = call(capsys, monkeypatch, *DRAW, "--run", "1", "--bases", "both")
    assert code == 0, err
    assert list((workspace / "coigan/cache/erasers").glob("*.safetensors")) == files
    about = read_sealed(workspace / "new/card.json")["bases"]
    assert about["erased_by"] == "learned"
    assert len(about["eraser"]) == 64


def test_a_way_of_erasing_that_is_not_there_is_refused(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call(capsys, monkeypatch, "train", *TINY, "--set", "data.erase=magic")
    assert code == 3
    assert "telea, learned" in err
