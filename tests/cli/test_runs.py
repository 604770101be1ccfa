"""`coigan-aug runs`: what was trained, how far, and which run is drawn with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from coigan_aug.files import folder_lock
from coigan_aug.sealed import append_line, read_sealed, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.run import Best, RunEnd
from tests.cli.calling import call
from tests.training.test_runs import begin


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coigan").mkdir()
    return tmp_path / "coigan" / "runs"


def test_runs_are_listed_with_state_length_and_distance(
    here: Path, toy: Dataset, small: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = begin(here, toy, small, saved=24, finished=True), begin(here, toy, small, saved=8)
    write_sealed(whole.folder / "run.json", RunEnd(images=24, generator="g", best=Best(0.0412, 16)))
    whole.note_seconds(754)
    with stopped.metrics.open("wb") as stream:
        for images, kid in ((4, 0.5), (8, 0.25), (12, 0.75)):
            append_line(stream, {"images": images, "generator_adversarial": 0.7})
            append_line(stream, {"images": images, "kid": kid})
    code, out, err = call(capsys, monkeypatch, "runs", "--json")
    assert code == 0
    first, second = json.loads(out)["runs"]
    assert first == {
        "name": "001-tiny", "recipe": "tiny", "state": "finished", "samples": 24, "planned": 24, "steps": 6,
        "minutes": 12.6, "kid": 0.0412, "kid_samples": 16, "usual": True, "drawable": True, "bundled": False,
        "folder": "coigan/runs/001-tiny",
    }  # fmt: skip
    assert (second["state"], second["samples"], second["steps"], second["minutes"]) == ("stopped", 8, 2, None)
    assert (second["kid"], second["kid_samples"], second["usual"]) == (0.25, 8, False)
    for text in ("001-tiny", "finished", "8 of 24", "0.041", "001-tiny is drawn with where --run names none."):
        assert text in err
    assert "002-tiny goes on with: coigan-aug train --resume" in err
    assert max(len(line) for line in err.splitlines()) <= 80
    with folder_lock(stopped.folder):
        _, out, _ = call(capsys, monkeypatch, "runs", "--json", "--quiet")
    assert [row["state"] for row in json.loads(out)["runs"]] == ["finished", "training"]
    (whole.folder / "run.json").unlink()
    _, _, err = call(capsys, monkeypatch, "runs", "--workspace", "coigan")
    assert "002-tiny is drawn with where --run names none, for none is finished." in err


def test_a_run_of_an_earlier_version_and_one_that_came_with_the_program_are_listed(
    here: Path, toy: Dataset, small: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for run, more in ((begin(here, toy, small), {}), (begin(here, toy, small, saved=4), {"bundled": True})):
        start = read_sealed(run.folder / "start.json")
        write_sealed(run.folder / "start.json", {key: start[key] for key in start if key != "recipe"} | more)
    code, out, err = call(capsys, monkeypatch, "runs", "--json")
    assert code == 0
    assert [(row["recipe"], row["bundled"], row["drawable"]) for row in json.loads(out)["runs"]] == [
        ("tiny", False, False),
        ("tiny", True, True),
    ]
    assert "bundled" in err


def test_what_draws_says_which_run_it_took_where_a_newer_one_is_not_finished(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = drawable / "coigan" / "runs"
    shutil.copytree(runs / "001-tiny", runs / "002-tiny")
    (runs / "002-tiny" / "run.json").unlink()
    asked = ("synthesize", "--per-class", "1", "--dry-run", "--out", "made")
    code, _, err = call(capsys, monkeypatch, *asked)
    assert code == 0
    assert "run 001-tiny is taken; 002-tiny is newer, but not finished (--run 002-tiny takes it)." in err
    _, _, err = call(capsys, monkeypatch, *asked, "--run", "2")
    assert "is taken" not in err


def test_a_workspace_without_runs_says_how_to_get_one(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, "runs", "--json")
    assert (code, json.loads(out)) == (0, {"runs": []})
    assert "Next: coigan-aug train" in err
    code, _, err = call(capsys, monkeypatch, "runs", "--workspace", "nowhere")
    assert code == 3
    assert "nowhere is no folder" in err
