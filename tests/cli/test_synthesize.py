"""synthesize and merge from the command line: plans, a single image, regions of interest, shares, and wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.files import sha256
from coigan_aug.imaging import read_image, write_image
from coigan_aug.sealed import read_lines, read_sealed, write_sealed
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("bare_pages")

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "card.json", "preview.html")  # these two name the command
    }


def test_a_plan_made_by_a_dry_run_gives_what_the_command_itself_gives(
    drawable: Path, capsys: Capture, monkeypatch: Patch
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
    assert _files(drawable / "planned") == _files(drawable / "direct")


def test_one_image_drawn_alone_has_the_pixels_that_it_has_in_a_batch(
    drawable: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    code, _, err = call(
        capsys, monkeypatch, "synthesize", "--per-class", "3", "--out", "set", "--no-screen", "--defects-per-image", "2"
    )
    assert code == 0, err
    for row in list(read_lines(drawable / "set/plan.jsonl"))[:2]:
        arguments = []
        for k, defect in enumerate(row["defects"]):
            mask = rle.decode(rle.Rle(*defect["size"], defect["counts"]))
            write_image(drawable / f"mask{k}.png", mask * np.uint8(255))
            contrast = str(defect["contrast"])
            arguments += ["--mask", f"mask{k}.png", "--class", defect["class"], f"--contrast={contrast}"]
        code, out, err = call(
            capsys, monkeypatch, "synthesize", "--image", f"images/{row['base']}", *arguments, "--seed", str(row["seed"]),
            "--out", "one.png", "--overwrite", "--json",
        )  # fmt: skip
        assert code == 0, err
        alone, batch = read_image(drawable / "one.png"), read_image(drawable / "set" / row["file"])
        assert (alone == batch).all()
        base = read_image(drawable / "images" / row["base"])
        assert json.loads(out)["pixels_changed"] == int((alone != base).sum()) > 0


def test_what_a_single_image_needs_is_said(drawable: Path, capsys: Capture, monkeypatch: Patch) -> None:
    base = next((drawable / "images").iterdir())
    write_image(drawable / "small.png", np.ones((5, 5), np.uint8))
    write_image(drawable / "empty.png", np.zeros((72, 96), np.uint8))
    write_image(drawable / "mask.png", np.ones((72, 96), np.uint8))
    shot = ["synthesize", "--image", str(base), "--out", "one.png"]
    for more, code, said in (
        ([], 2, "0 --mask, 0 --class"),
        (["--mask", "mask.png"], 2, "Give a --class"),
        (["--mask", "mask.png", "--class", "dent"], 2, "there is no class 'dent'"),
        (["--mask", "small.png", "--class", "spot"], 3, "small.png is 5 x 5 pixels"),
        (["--mask", "empty.png", "--class", "spot"], 3, "empty.png is empty"),
        (["--mask", "mask.png", "--class", "spot", "--out", "one.jpg"], 2, "keeps every byte"),
    ):
        found, _, err = call(capsys, monkeypatch, *shot, *more)
        assert found == code, err
        assert said in err
        assert not (drawable / "one.png").exists()
    (drawable / "one.png").write_bytes(b"mine")
    found, _, err = call(capsys, monkeypatch, *shot, "--mask", "mask.png", "--class", "spot")
    assert found == 2
    assert "--overwrite" in err
    assert (drawable / "one.png").read_bytes() == b"mine"


def test_shares_made_by_two_commands_are_the_set_made_by_one(
    drawable: Path, capsys: Capture, monkeypatch: Patch
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
    assert _files(drawable / "merged") == _files(drawable / "whole")
    assert (drawable / "coigan/synthetic/merged/dataset.json").exists()


def test_defects_stay_in_the_region_of_interest(drawable: Path, capsys: Capture, monkeypatch: Patch) -> None:
    roi = np.zeros((72, 96), np.uint8)
    roi[:, 48:] = 255
    write_image(drawable / "roi.png", roi)
    ask = ["synthesize", "--per-class", "4", "--no-screen", "--roi", "roi.png"]
    code, _, err = call(capsys, monkeypatch, *ask, "--out", "right")
    assert code == 0, err
    for record in Dataset(drawable / "coigan/synthetic/right"):
        for annotation in record.annotations:
            assert not rle.decode(annotation.rle)[:, :48].any()
    write_image(drawable / "roi.png", roi[:40])
    code, _, err = call(capsys, monkeypatch, *ask, "--out", "wrong")
    assert code == 3
    assert "roi.png is 40 x 96 pixels" in err
    assert not (drawable / "wrong/card.json").exists()


def test_all_kinds_of_shapes_can_be_asked_for(drawable: Path, capsys: Capture, monkeypatch: Patch) -> None:
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
    kinds = {defect["shape"] for row in read_lines(drawable / "out/plan.jsonl") for defect in row["defects"]}
    assert kinds <= {"real", "recombined", "warped"}
    assert "real" in kinds
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "4", "--out", "o", "--shapes", "round")
    assert code == 3
    assert "real, warped, recombined, learned" in err


def test_a_benefit_measurement_decides_the_engine_of_each_class(
    drawable: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "2", "--out", "plain", "--no-screen")
    assert code == 0, err
    assert "engine  gan (nothing is measured of this run yet: coigan-aug evaluate benefit)" in err
    card = read_sealed(drawable / "plain/card.json")
    _measured(drawable, card, {"gan": (0.2, 0.5), "paste": (0.4, 0.1), "poisson": (0.1, 0.1), "real": (0.3, 0.6)})
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "2", "--out", "chosen", "--no-screen")
    assert code == 0, err
    assert "spot: paste, IoU 40.0 against 30.0 without" in err
    assert "line: gan, IoU 50.0 against 60.0 without; no engine helps" in err
    assert "only what is helped:  --per-class spot=500" in err
    engines = read_sealed(drawable / "chosen/card.json")["engines"]
    assert engines == {"line": {"gan": 2}, "spot": {"paste": 2}}


def _measured(drawable: Path, card: dict, scores: dict) -> None:
    arms = [
        {"name": name, "source": name, "share": 0.35, "iou": {"spot": spot, "line": line}}
        for name, (spot, line) in scores.items()
    ]
    result = {
        "format_version": 1, "kind": "benefit", "verdict": "", "command": "", "settings": {}, "warnings": [],
        "pictures": [], "seconds": 1.0, "numbers": {"arms": arms},
        "measured_on": {"dataset": card["data"], "generator": card["generator"]["sha256"]},
    }  # fmt: skip
    (drawable / "coigan/results/001-benefit").mkdir(parents=True)
    write_sealed(drawable / "coigan/results/001-benefit/result.json", result)


def test_the_cap_on_the_synthetic_share_is_said_and_kept(drawable: Path, capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = call(
        capsys, monkeypatch, "synthesize", "--per-class", "50", "--with-real", "--out", "both", "--no-screen", "--json"
    )
    assert code == 0, err
    assert "At most 35% of the images with defects may be synthetic" in err
    made, card = json.loads(out), read_sealed(drawable / "both/card.json")
    assert made["real"] > 0
    assert 0.2 < card["real"]["synthetic_share"] <= 0.36  # parts of a number may make an image more
    annotations = read_sealed(drawable / "both/annotations.json")
    assert len(annotations["images"]) == made["images"] + made["real"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, ["What is to be made?", "--per-class crack=800,fray=200"]),
        (["--per-class", "5", "--balance"], 2, ["exclude each other"]),
        (["--per-class", "dent=5"], 2, ["no class 'dent'", "Classes: spot, line"]),
        (["--per-class", "x"], 2, ["is not a count"]),
        (["--per-class", "5", "--defects-per-image", "some"], 2, ["neither a number"]),
        (
            ["--per-class", "5", "--engine", "magic"],
            2,
            ["no engine 'magic'", "auto, gan, transplant, paste, poisson, patch"],
        ),
        (["--per-class", "5", "--image-format", "gif"], 2, ["png or jpeg"]),
        (["--per-class", "5", "--format", "pascal"], 2, ["no format 'pascal'"]),
        (["--per-class", "5", "--shard", "5/4"], 2, ["--shard 5/4"]),
        (["--per-class", "5", "--roi", "nowhere"], 3, ["nowhere is not there"]),
        (
            ["--per-class", "5", "--truncation", "0.7"],
            2,
            ["run 001-tiny has none (model.generator: unet)", "style_unet"],
        ),
        (["--per-class", "5", "--truncation", "1.7"], 3, ["synthesize.truncation is 1.7; allowed: 0.0 to 1.0"]),
        (["--per-class", "5", "--truncation", "0", "--engine", "paste"], 2, ["--engine paste, which has no latent"]),
        (["--plan", "nowhere.jsonl"], 3, ["nowhere.jsonl does not exist", "--dry-run"]),
        (["--per-class", "5", "--gpus", "3"], 4, ["--gpus 3: no GPU found"]),
    ],
)
def test_a_mistake_is_answered_with_the_way_out(
    drawable: Path, capsys: Capture, monkeypatch: Patch, arguments: list[str], code: int, says: list[str]
) -> None:
    found, out, err = call(capsys, monkeypatch, "synthesize", *arguments, "--out", "o")
    assert found == code, err
    assert out == ""
    assert len(err.splitlines()) <= 6
    for text in says:
        assert text in err
    assert not (drawable / "o").exists() or not (drawable / "o/card.json").exists()


def test_foreign_files_in_out_are_never_touched(drawable: Path, capsys: Capture, monkeypatch: Patch) -> None:
    (drawable / "o").mkdir()
    (drawable / "o/thesis.doc").write_bytes(b"years of work")
    found, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "2", "--out", "o", "--no-screen")
    assert found == 2
    assert "holds other files (thesis.doc)" in err
    assert [path.name for path in (drawable / "o").iterdir()] == ["thesis.doc"]


def test_a_set_is_added_to_from_the_command_line(drawable: Path, capsys: Capture, monkeypatch: Patch) -> None:
    ask = ["synthesize", "--per-class", "2", "--out", "o", "--no-screen"]
    code, _, err = call(capsys, monkeypatch, *ask)
    assert code == 0, err
    first = read_sealed(drawable / "o/card.json")["images"]
    code, out, err = call(capsys, monkeypatch, *ask, "--append", "--json")
    assert code == 0, err
    assert json.loads(out)["defects"] == {"spot": 4, "line": 4}
    numbers = [row["number"] for row in read_lines(drawable / "o/plan.jsonl")]
    assert numbers == sorted(numbers)
    assert json.loads(out)["images"] > first
    pictures = [sha256(path) for path in (drawable / "o/images").iterdir()]
    assert len(set(pictures)) == len(pictures), "none is made twice"


def test_processes_started_together_share_the_work(drawable: Path, capsys: Capture, monkeypatch: Patch) -> None:
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
        assert (drawable / "together/card.json").exists() == (rank == 0)
    assert _files(drawable / "together") == _files(drawable / "alone")
