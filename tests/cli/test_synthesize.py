"""synthesize and merge from the command line: plans, a single image, regions of interest, shares, and wrong input."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.cli.main import app, run
from coigan_aug.files import read_json, read_lines, sha256, write_json
from coigan_aug.imaging import read_image, write_image
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call
from tests.conftest import SMALL

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def trained(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the small data set and a run of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(toy.image_root, folder / "images")
    shutil.copytree(toy.folder, folder / "coigan" / "dataset")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settings = [f"--set={item}" for item in (*SMALL, "train.images=8")]
        patch.setattr(sys, "argv", ["coigan-aug", "train", "--recipe", "tiny", "--quiet", *settings])
        assert run(app) == 0
    return folder


@pytest.fixture
def workspace(trained: Path, tmp_path: Path, monkeypatch: Patch) -> Path:
    """Stand beside a copy of it."""
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    shutil.copytree(trained, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "card.json", "preview.html")  # these two name the command
    }


def test_a_plan_made_by_a_dry_run_gives_what_the_command_itself_gives(
    workspace: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    ask = ["synthesize", "--per-class", "spot=4,line=2", "--defects-per-image", "1-2", "--no-screen"]
    code, out, err = call(capsys, monkeypatch, *ask, "--out", "planned", "--dry-run", "--json")
    assert code == 0, err
    assert json.loads(out)["defects"] == {"spot": 4, "line": 2}
    code, _, err = call(
        capsys, monkeypatch, "synthesize", "--plan", "planned/plan.jsonl", "--out", "planned", "--no-screen"
    )
    assert code == 0, err
    code, _, err = call(capsys, monkeypatch, *ask, "--out", "direct")
    assert code == 0, err
    assert _files(workspace / "planned") == _files(workspace / "direct")


def test_one_image_drawn_alone_has_the_pixels_that_it_has_in_a_batch(
    workspace: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    code, _, err = call(
        capsys, monkeypatch, "synthesize", "--per-class", "3", "--out", "set", "--no-screen", "--defects-per-image", "2"
    )
    assert code == 0, err
    for row in list(read_lines(workspace / "set/plan.jsonl"))[:2]:
        arguments = []
        for k, defect in enumerate(row["defects"]):
            mask = rle.decode(rle.Rle(*defect["size"], defect["counts"]))
            write_image(workspace / f"mask{k}.png", mask * np.uint8(255))
            contrast = str(defect["contrast"])
            arguments += ["--mask", f"mask{k}.png", "--class", defect["class"], f"--contrast={contrast}"]
        code, out, err = call(
            capsys, monkeypatch, "synthesize", "--image", f"images/{row['base']}", *arguments, "--seed", str(row["seed"]),
            "--out", "one.png", "--overwrite", "--json",
        )  # fmt: skip
        assert code == 0, err
        alone, batch = read_image(workspace / "one.png"), read_image(workspace / "set" / row["file"])
        assert (alone == batch).all()
        base = read_image(workspace / "images" / row["base"])
        assert json.loads(out)["pixels_changed"] == int((alone != base).sum()) > 0


def test_what_a_single_image_needs_is_said(workspace: Path, capsys: Capture, monkeypatch: Patch) -> None:
    base = next((workspace / "images").iterdir())
    write_image(workspace / "small.png", np.ones((5, 5), np.uint8))
    write_image(workspace / "empty.png", np.zeros((72, 96), np.uint8))
    write_image(workspace / "mask.png", np.ones((72, 96), np.uint8))
    shot = ["synthesize", "--image", str(base), "--out", "one.png"]
    for more, code, said in (
        ([], 2, "0 --mask, 0 --class"),
        (["--mask", "mask.png"], 2, "Give a --class"),
        (["--mask", "mask.png", "--class", "dent"], 2, "has no such class"),
        (["--mask", "small.png", "--class", "spot"], 3, "small.png is 5 x 5 pixels"),
        (["--mask", "empty.png", "--class", "spot"], 3, "empty.png is empty"),
        (["--mask", "mask.png", "--class", "spot", "--out", "one.jpg"], 2, "keeps every byte"),
    ):
        found, _, err = call(capsys, monkeypatch, *shot, *more)
        assert found == code, err
        assert said in err
        assert not (workspace / "one.png").exists()
    (workspace / "one.png").write_bytes(b"mine")
    found, _, err = call(capsys, monkeypatch, *shot, "--mask", "mask.png", "--class", "spot")
    assert found == 2
    assert "--overwrite" in err
    assert (workspace / "one.png").read_bytes() == b"mine"


def test_shares_made_by_two_commands_are_the_set_made_by_one(
    workspace: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    ask = ["synthesize", "--per-class", "3", "--no-screen"]
    for out, more in (("whole", []), ("a", ["--shard", "1/2"]), ("b", ["--shard", "2/2"])):
        code, _, err = call(capsys, monkeypatch, *ask, "--out", out, *more)
        assert code == 0, err
        assert ("the last of the others finishes" in err) == bool(more)
    code, _, err = call(capsys, monkeypatch, "merge", "a", "--out", "merged")
    assert code == 3
    assert "not finished: 2/2" in err
    code, out, err = call(capsys, monkeypatch, "merge", "a", "b", "--out", "merged", "--json")
    assert code == 0, err
    assert json.loads(out)["defects"] == {"spot": 3, "line": 3}
    assert _files(workspace / "merged") == _files(workspace / "whole")
    assert (workspace / "coigan/synthetic/merged/dataset.json").exists()


def test_defects_stay_in_the_region_of_interest(workspace: Path, capsys: Capture, monkeypatch: Patch) -> None:
    roi = np.zeros((72, 96), np.uint8)
    roi[:, 48:] = 255
    write_image(workspace / "roi.png", roi)
    ask = ["synthesize", "--per-class", "4", "--no-screen", "--roi", "roi.png"]
    code, _, err = call(capsys, monkeypatch, *ask, "--out", "right")
    assert code == 0, err
    for record in Dataset(workspace / "coigan/synthetic/right"):
        for annotation in record.annotations:
            assert not rle.decode(annotation.rle)[:, :48].any()
    write_image(workspace / "roi.png", roi[:40])
    code, _, err = call(capsys, monkeypatch, *ask, "--out", "wrong")
    assert code == 3
    assert "roi.png is 40 x 96 pixels" in err
    assert not (workspace / "wrong/card.json").exists()


def test_all_kinds_of_shapes_can_be_asked_for(workspace: Path, capsys: Capture, monkeypatch: Patch) -> None:
    code, _, err = call(
        capsys,
        monkeypatch,
        "synthesize",
        "--per-class",
        "4",
        "--out",
        "out",
        "--no-screen",
        "--shapes",
        "real,recombined",
    )
    assert code == 0, err
    kinds = {defect["shape"] for row in read_lines(workspace / "out/plan.jsonl") for defect in row["defects"]}
    assert kinds <= {"real", "recombined", "warped"}
    assert "real" in kinds
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "4", "--out", "o", "--shapes", "round")
    assert code == 3
    assert "real, warped, recombined, learned" in err


def test_a_benefit_measurement_decides_the_engine_of_each_class(
    workspace: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "2", "--out", "plain", "--no-screen")
    assert code == 0, err
    assert "engine  gan (nothing is measured of this run yet: coigan-aug evaluate benefit)" in err
    card = read_json(workspace / "plain/card.json")
    _measured(workspace, card, {"gan": (0.2, 0.5), "paste": (0.4, 0.1), "poisson": (0.1, 0.1), "real": (0.3, 0.6)})
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "2", "--out", "chosen", "--no-screen")
    assert code == 0, err
    assert "spot: paste, IoU 40.0 against 30.0 without" in err
    assert "line: gan, IoU 50.0 against 60.0 without; no engine helps" in err
    engines = read_json(workspace / "chosen/card.json")["engines"]
    assert engines == {"line": {"gan": 2}, "spot": {"paste": 2}}


def _measured(workspace: Path, card: dict, scores: dict) -> None:
    arms = [
        {"name": name, "source": name, "share": 0.35, "iou": {"spot": spot, "line": line}}
        for name, (spot, line) in scores.items()
    ]
    result = {
        "format_version": 1, "kind": "benefit", "verdict": "", "command": "", "settings": {}, "warnings": [],
        "pictures": [], "seconds": 1.0, "numbers": {"arms": arms},
        "measured_on": {"dataset": card["data"], "generator": card["generator"]["sha256"]},
    }  # fmt: skip
    (workspace / "coigan/results/001-benefit").mkdir(parents=True)
    write_json(workspace / "coigan/results/001-benefit/result.json", result)


def test_the_cap_on_the_synthetic_share_is_said_and_kept(workspace: Path, capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = call(
        capsys, monkeypatch, "synthesize", "--per-class", "50", "--with-real", "--out", "both", "--no-screen", "--json"
    )
    assert code == 0, err
    assert "At most 35% of the images with defects may be synthetic" in err
    made, card = json.loads(out), read_json(workspace / "both/card.json")
    assert made["real"] > 0
    assert 0.2 < card["real"]["synthetic_share"] <= 0.36  # parts of a number may make an image more
    annotations = read_json(workspace / "both/annotations.json")
    assert len(annotations["images"]) == made["images"] + made["real"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, ["What is to be made?", "--per-class crack=800,fray=200"]),
        (["--per-class", "5", "--balance"], 2, ["exclude each other"]),
        (["--per-class", "dent=5"], 2, ["no class 'dent'", "Classes: spot, line"]),
        (["--per-class", "x"], 2, ["is not a count"]),
        (["--per-class", "5", "--defects-per-image", "some"], 2, ["neither a number"]),
        (["--per-class", "5", "--engine", "magic"], 2, ["no engine 'magic'", "auto, gan, paste, poisson"]),
        (["--per-class", "5", "--image-format", "gif"], 2, ["png or jpeg"]),
        (["--per-class", "5", "--format", "pascal"], 2, ["no format 'pascal'"]),
        (["--per-class", "5", "--shard", "5/4"], 2, ["--shard 5/4"]),
        (["--per-class", "5", "--roi", "nowhere"], 3, ["nowhere is not there"]),
        (["--plan", "nowhere.jsonl"], 3, ["nowhere.jsonl does not exist", "--dry-run"]),
        (["--per-class", "5", "--gpus", "3"], 4, ["3 GPUs asked for, 0 found"]),
    ],
)
def test_a_mistake_is_answered_with_the_way_out(
    workspace: Path, capsys: Capture, monkeypatch: Patch, arguments: list[str], code: int, says: list[str]
) -> None:
    found, out, err = call(capsys, monkeypatch, "synthesize", *arguments, "--out", "o")
    assert found == code, err
    assert out == ""
    assert len(err.splitlines()) <= 6
    for text in says:
        assert text in err
    assert not (workspace / "o").exists() or not (workspace / "o/card.json").exists()


def test_foreign_files_in_out_are_never_touched(workspace: Path, capsys: Capture, monkeypatch: Patch) -> None:
    (workspace / "o").mkdir()
    (workspace / "o/thesis.doc").write_bytes(b"years of work")
    found, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "2", "--out", "o", "--no-screen")
    assert found == 2
    assert "holds other files (thesis.doc)" in err
    assert [path.name for path in (workspace / "o").iterdir()] == ["thesis.doc"]


def test_a_set_is_added_to_from_the_command_line(workspace: Path, capsys: Capture, monkeypatch: Patch) -> None:
    ask = ["synthesize", "--per-class", "2", "--out", "o", "--no-screen"]
    code, _, err = call(capsys, monkeypatch, *ask)
    assert code == 0, err
    first = read_json(workspace / "o/card.json")["images"]
    code, out, err = call(capsys, monkeypatch, *ask, "--append", "--json")
    assert code == 0, err
    assert json.loads(out)["defects"] == {"spot": 4, "line": 4}
    numbers = [row["number"] for row in read_lines(workspace / "o/plan.jsonl")]
    assert numbers == sorted(numbers)
    assert json.loads(out)["images"] > first
    pictures = [sha256(path) for path in (workspace / "o/images").iterdir()]
    assert len(set(pictures)) == len(pictures), "none is made twice"


def test_processes_started_together_share_the_work(workspace: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """As torchrun starts them, here one after the other: the last one finishes the set."""
    ask = ["synthesize", "--per-class", "3", "--no-screen", "--device", "cpu"]
    code, _, err = call(capsys, monkeypatch, *ask, "--out", "alone")
    assert code == 0, err
    for rank in (1, 0):
        for name, value in {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "MASTER_PORT": 29500}.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        code, _, err = call(capsys, monkeypatch, *ask, "--out", "together")
        assert code == 0, err
        assert (workspace / "together/card.json").exists() == (rank == 0)
    assert _files(workspace / "together") == _files(workspace / "alone")
