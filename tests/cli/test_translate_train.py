"""translate train at the command line: a run, the same command again, one that is continued, and mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from coigan_aug.store.dataset import Dataset
from coigan_aug.translation.network import load_translator
from tests.cli.calling import call

QUICK = [
    f"--set={item}"
    for item in (
        "data.window=32", "translate.width=4", "translate.blocks=1", "translate.discriminator_width=4", "log.watch_every=0",
        "train.threads=1", "train.precision=float32",
    )
]  # fmt: skip


@pytest.fixture
def here(toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside a workspace with the small data set, and a folder of its images as the other line."""
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    shutil.copytree(toy.image_root, tmp_path / "images")
    shutil.copytree(toy.folder, tmp_path / "coigan" / "dataset")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_begun_continued_and_named(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["translate", "train", "--to", "images", "--recipe", "tiny", "--device", "cpu", *QUICK]
    code, out, err = call(capsys, monkeypatch, *typed, "--attention", "mask", "--images-seen", "4", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["run"], told["images"], told["planned"]) == ("001-tiny", 4, 4)
    assert "A: 8 images, 5 of them with masks. B: 12 images." in err
    engine = load_translator(here / "coigan" / "translators" / "001-tiny")
    assert engine.about()["attention"] == "mask"
    code, _, err = call(capsys, monkeypatch, "translate", "train", "--to", "images", "--resume", "--images-seen", "8")
    assert code == 0 and "continuing 001-tiny at 4 images" in err
    assert not (here / "coigan" / "runs").exists(), "what restyles is no run to draw defects with"
    code, _, err = call(capsys, monkeypatch, *typed, "--dry-run")
    assert code == 0 and "plan    32 x 32 windows, batch 2, 6,000 images" in err
    assert len(list((here / "coigan" / "translators").glob("0*"))) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--to", "nope"], 3, "nope is neither a data set nor a folder of images"),
        (["--to", "images", "--workspace", "new"], 3, "new holds no data set whose look could be changed"),
        (["--to", "images", "--attention", "cam"], 3, "choose one of: none, gradcam, mask"),
        (["--to", "images", "--from", "images"], 2, "images is the line whose look is to be changed"),
        (["--to", "coigan", "--from", "images", "--attention", "mask"], 3, "has no masks, so none can count more"),
        (["--to", "images", "--recipe", "coigan"], 3, "no recipe 'coigan'"),
        (["--to", "images", "--resume"], 3, "holds no run to continue"),
        ([], 2, "--to"),
    ],
)
def test_mistakes_are_told_with_what_to_do(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int,
    says: str,
) -> None:  # fmt: skip
    found, out, err = call(capsys, monkeypatch, "translate", "train", "--device", "cpu", *arguments)
    assert found == code, err
    assert says in err
    assert not out
