"""coigan-aug evaluate benefit: what it leaves, how it goes on, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from coigan_aug.data.folds import Folds, write_folds
from coigan_aug.sealed import read_sealed, write_sealed
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("few_draws", "bare_pages")

LITTLE = (
    "evaluate.segmenter=unet", "evaluate.steps=2", "evaluate.per_class=3", "evaluate.width=8", "evaluate.depth=2",
    "evaluate.batch=4", "evaluate.window=32", "evaluate.screen_steps=2", "synthesize.least_shown=0",
    "synthesize.most_seam=1000",
)  # fmt: skip


def little(*more: str) -> list[str]:
    return ["evaluate", "benefit", "--seeds", "1", *(f"--set={item}" for item in LITTLE), *more]


def test_all_arms_are_trained_scored_shown_and_kept(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, *little("--json"))
    assert code == 0, err
    value = json.loads(out)
    folder = drawable / "coigan/results/001-benefit"
    assert value == read_sealed(folder / "result.json")
    numbers = value["numbers"]
    assert [arm["name"] for arm in numbers["arms"]] == [
        "real", "real + duplicates", "real + transplant", "real + patch", "real + gan",
    ]  # fmt: skip
    assert {row["class"] for row in numbers["differences"]} == {None, "spot", "line"}
    assert numbers["about"] == "real + gan"
    for kind in ("finding", "naming"):
        assert f"{kind.capitalize()}: {numbers['verdicts'][kind]}." in err
    assert err.index("Finding any defect") < err.index("Naming its class")
    assert "(few)" in err, "so few test pieces are named beside the class"
    assert "1 seed only" in err
    for name in ("where-it-looks.png", "objects-found.png", "confusion.png", "ten-worst.png"):
        assert (folder / name).exists()
    assert {name for _, name in value["pictures"]} == {
        "where-it-looks.png",
        "objects-found.png",
        "confusion.png",
        "ten-worst.png",
    }


def test_a_measurement_takes_the_trainings_that_others_made(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More arms or seeds, and a stopped measurement, train what is missing; the numbers are as if made in one go."""
    first = json.loads(call(capsys, monkeypatch, *little("--engines", "duplicates", "--json", "--quiet"))[1])
    (arms,) = (drawable / "coigan/results/trainings").glob("*/fold-1/arms")
    stamps = {path.name: path.stat().st_mtime_ns for path in arms.iterdir()}
    assert len(stamps) == 2
    more = json.loads(call(capsys, monkeypatch, *little("--engines", "duplicates,paste", "--json", "--quiet"))[1])
    assert more["numbers"]["arms"][:2] == first["numbers"]["arms"]
    assert {path.name: path.stat().st_mtime_ns for path in arms.iterdir()}.items() > stamps.items()
    (lost,) = arms.glob("paste-*")
    lost.unlink()
    (drawable / "coigan/results/002-benefit/result.json").unlink()
    again = json.loads(call(capsys, monkeypatch, *little("--engines", "duplicates,paste", "--json", "--quiet"))[1])
    assert again["numbers"] == more["numbers"]
    before = set(arms.iterdir())
    call(capsys, monkeypatch, *little("--engines", "duplicates", "--set", "evaluate.fade=true", "--quiet"))
    (faded,) = set(arms.iterdir()) - before  # what is learnt from real images alone is the same
    assert faded.name.startswith("duplicates-faded-0.25")
    call(capsys, monkeypatch, *little("--engines", "paste", "--set", "evaluate.photometric=0.1", "--quiet"))
    assert len(list((drawable / "coigan/results/trainings").iterdir())) == 2, "another training is another one"


def test_copies_need_no_run(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(drawable / "coigan/runs")
    window = ("--set", "data.window=32")
    code, out, err = call(capsys, monkeypatch, *little("--engines", "transplant/negatives,empty", "--json", *window))
    assert code == 0, err
    numbers = json.loads(out)["numbers"]
    assert [arm["name"] for arm in numbers["arms"]] == ["real", "real + transplant/negatives", "real + empty"]
    assert numbers["about"] == "real + transplant/negatives"
    code, _, err = call(capsys, monkeypatch, *little())
    assert code == 3
    assert "has no trained run, and the arm gan draws with one" in err
    assert "--engines duplicates,transplant,patch" in err


def test_every_piece_is_tested_once_with_folds(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fold has a data set of its own that holds it out; a run that saw another fold's images is refused."""
    code, _, err = call(capsys, monkeypatch, *little("--folds", "--engines", "transplant"))
    assert code == 3
    assert "was imported without --folds" in err
    source = Dataset(drawable / "coigan/dataset")
    files = [record.file for record in source]
    folds = Folds(
        test=1, seed=0, files=(tuple(files[::2][:3] + files[1::2][:3]), tuple(files[::2][3:] + files[1::2][3:]))
    )
    write_folds(source.folder, folds)
    window = ("--set", "data.window=32")
    code, out, err = call(capsys, monkeypatch, *little("--folds", "--engines", "transplant", "--json", *window))
    assert code == 0, err
    numbers = json.loads(out)["numbers"]
    assert numbers["folds"] == 2
    assert numbers["images"]["test_defective"] == 6
    assert numbers["images"]["test_clean"] == 6
    sides = [
        {record.file for record in Dataset(drawable / f"coigan/folds/{k}/dataset") if record.split == "test"}
        for k in (1, 2)
    ]
    assert sides[0] | sides[1] == set(files)
    assert not sides[0] & sides[1]
    code, _, err = call(capsys, monkeypatch, *little("--folds", "--engines", "gan"))
    assert code == 3
    assert "coigan-aug train --workspace coigan/folds/1" in err
    shutil.copytree(drawable / "coigan/runs", drawable / "coigan/folds/1/runs")
    code, _, err = call(capsys, monkeypatch, *little("--folds", "--engines", "gan"))
    assert code == 3
    assert "it may have seen test images" in err


def test_a_budget_of_minutes_is_shared_by_all_trainings(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, *little("--minutes", "0.01", "--engines", "duplicates,paste", "--json"))
    assert code == 0, err
    assert json.loads(out)["numbers"]["steps"] >= 1
    assert [arm["name"] for arm in json.loads(out)["numbers"]["arms"]] == ["real", "real + duplicates", "real + paste"]


def test_a_set_of_ones_own_is_an_arm(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call(
        capsys, monkeypatch, "synthesize", "--engine", "paste", "--per-class", "2", "--out", "mine", "--no-screen"
    )
    assert code == 0, err
    code, out, err = call(capsys, monkeypatch, *little("--engines", "gan", "--arm", "mine=mine", "--json"))
    assert code == 0, err
    assert [arm["name"] for arm in json.loads(out)["numbers"]["arms"]] == ["real", "real + gan", "real + mine"]
    mixed = little("--engines", "gan+mine", "--arm", "mine=coigan/synthetic/mine", "--json")
    assert [arm["name"] for arm in json.loads(call(capsys, monkeypatch, *mixed)[1])["numbers"]["arms"]] == [
        "real", "real + gan + mine",
    ]  # fmt: skip


def test_single_classes_are_drawn_by_engines_of_their_own(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = "patch:LINE+transplant:Spot,duplicates:spot,duplicates"
    code, out, err = call(capsys, monkeypatch, *little("--engines", arms, "--json"))
    assert code == 0, err
    numbers = json.loads(out)["numbers"]
    assert [arm["name"] for arm in numbers["arms"]] == [
        "real", "real + patch:line + transplant:spot", "real + duplicates:spot", "real + duplicates",
    ]  # fmt: skip
    assert numbers["about"] == "real + patch:line + transplant:spot"
    (drawn,) = drawable.glob("coigan/results/trainings/*/fold-1/synthetic/patch-*")
    assert {item.label for record in Dataset(drawn) for item in record.annotations} == {"line"}
    kept = list(drawable.glob("coigan/results/trainings/*/fold-1/arms/*.npz"))
    assert len(kept) == 4, "one class or all of them are trainings of their own"


@pytest.mark.slow
def test_the_successors_protocol_runs(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coigan_aug.evaluation.protocol.EPOCHS", 1)
    monkeypatch.setattr("coigan_aug.stages.evaluate_benefit.SYNTHETIC_TILES", 6)
    monkeypatch.setattr("coigan_aug.stages.benches.SYNTHETIC_TILES", 6)
    options = ("--protocol", "coigan", "--engines", "gan", "--no-screen", "--json", "--set=evaluate.batch=40")
    code, out, err = call(capsys, monkeypatch, *little(*options))
    assert code == 0, err
    value = json.loads(out)
    assert value["numbers"]["classes"] == ["defect"]
    assert value["numbers"]["steps"] == (6 + 8 * 9) // 40
    assert value["settings"]["evaluate"]["segmenter"] == "fcn_resnet50"
    assert value["settings"]["evaluate"]["shares"][0] == pytest.approx(6 / (6 + 8 * 9), abs=0.05)


def test_a_run_of_another_split_is_refused(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = drawable / "coigan/dataset/dataset.json"
    write_sealed(manifest, read_sealed(manifest) | {"sha256": "0" * 64})
    code, _, err = call(capsys, monkeypatch, *little())
    assert code == 3
    assert "001-tiny was trained on another data set or split" in err
    assert "it may have seen test images" in err


def test_few_groups_need_a_run_that_was_trained_on_as_few(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call(capsys, monkeypatch, *little("--groups-per-class", "2"))
    assert code == 3
    assert "001-tiny was trained on all training groups" in err
    assert "coigan-aug train --set data.groups_per_class=2" in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (
            ["--engines", "paste,gam"],
            2,
            [
                "There is no engine 'gam'.",
                "Engines: gan, transplant, paste, poisson, patch. Controls: duplicates, cutmix",
            ],
        ),
        (["--arm", "mine"], 2, ["--arm mine: write  --arm NAME=FOLDER ."]),
        (["--arm", "gan=coigan/x"], 2, ["gan is an arm's name already."]),
        (["--engines", "paste/negative"], 2, ["'paste/negative' is no arm."]),
        (["--arm", "mine=nowhere"], 3, ["There is no synthetic set nowhere."]),
        (
            ["--engines", "patch:lines"],
            2,
            ["the arm patch:lines: there is no class 'lines'. Did you mean 'line'?", "Classes: spot, line."],
        ),
        (["--protocol", "cogan"], 2, ["There is no protocol 'cogan'.", "Protocols: default, coigan."]),
        (["--set", "evaluate.shares=[0.75]"], 3, ["evaluate.shares is [0.75]", "evaluate.slots=extra"]),
        (["--set", "evaluate.segmenter=unett"], 3, ["choose one of: lite0_unet, unet"]),
        (["--run", "9"], 3, ["There is no run '9'"]),
    ],
)
def test_what_can_not_be_measured_is_answered_with_what_to_type(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int,
    says: list[str],
) -> None:  # fmt: skip
    found, _, err = call(capsys, monkeypatch, *little(*arguments))
    assert found == code, err
    assert len(err.strip().splitlines()) <= 6
    for text in says:
        assert text in err
