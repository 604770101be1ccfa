"""coigan-aug evaluate benefit: what it leaves, how it goes on, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coigan_aug.files import read_json, write_json
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call

LITTLE = (
    "evaluate.segmenter=unet", "evaluate.steps=2", "evaluate.per_class=3", "evaluate.width=8", "evaluate.depth=2",
    "evaluate.batch=4", "synthesize.least_shown=0", "synthesize.most_seam=1000",
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
    assert value == read_json(folder / "result.json")
    numbers = value["numbers"]
    assert [arm["name"] for arm in numbers["arms"]] == [
        "real", "real + duplicates", "real + paste", "real + poisson", "real + gan",
    ]  # fmt: skip
    assert {row["class"] for row in numbers["differences"]} == {None, "spot", "line"}
    assert numbers["about"] == "real + gan"
    assert value["verdict"] in err
    assert "1 seeds only" in err
    assert (folder / "where-it-looks.png").exists()
    bases = {
        name: [r.source["base"] for r in Dataset(folder / "synthetic" / name)] for name in ("gan", "paste", "poisson")
    }
    assert bases["gan"] == bases["paste"] == bases["poisson"]
    masks = {name: [r.annotations[0].rle for r in Dataset(folder / "synthetic" / name)] for name in bases}
    assert masks["gan"] == masks["paste"] == masks["poisson"]


def test_the_same_command_goes_on_with_what_is_finished(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(call(capsys, monkeypatch, *little("--json", "--quiet"))[1])
    folder = drawable / "coigan/results/001-benefit"
    (folder / "result.json").unlink()
    kept = folder / "arms" / "real-0.npz"
    (folder / "arms" / "real+gan-0.npz").unlink()
    stamp = kept.stat().st_mtime_ns
    again = json.loads(call(capsys, monkeypatch, *little("--json", "--quiet"))[1])
    assert again["numbers"] == whole["numbers"]
    assert kept.stat().st_mtime_ns == stamp


def test_a_budget_of_minutes_is_shared_by_all_trainings(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(capsys, monkeypatch, *little("--minutes", "0.01", "--engines", "paste", "--json"))
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
    code, out, err = call(
        capsys, monkeypatch, *little("--engines", "gan", "--arm", "mine=coigan/synthetic/mine", "--json")
    )
    assert code == 0, err
    assert [arm["name"] for arm in json.loads(out)["numbers"]["arms"]][2:] == ["real + gan", "real + mine"]


@pytest.mark.slow
def test_the_successors_protocol_runs(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coigan_aug.evaluation.protocol.EPOCHS", 1)
    monkeypatch.setattr("coigan_aug.cli.evaluate_benefit_body.SYNTHETIC_TILES", 6)
    options = ("--protocol", "coigan", "--minutes", "0.01", "--engines", "gan", "--json")
    code, out, err = call(capsys, monkeypatch, *little(*options))
    assert code == 0, err
    value = json.loads(out)
    assert value["numbers"]["classes"] == ["defect"]
    assert value["settings"]["evaluate"]["segmenter"] == "fcn_resnet50"
    assert value["settings"]["evaluate"]["shares"][0] == pytest.approx(6 / (6 + 8 * 9), abs=0.05)


def test_a_run_of_another_split_is_refused(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = drawable / "coigan/dataset/dataset.json"
    write_json(manifest, read_json(manifest) | {"sha256": "0" * 64})
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
        (["--engines", "paste,gam"], 2, ["There is no engine 'gam'.", "Engines: gan, paste, poisson."]),
        (["--arm", "mine"], 2, ["--arm mine: write  --arm NAME=FOLDER ."]),
        (["--arm", "gan=coigan/x"], 2, ["gan is an arm's name already."]),
        (["--arm", "mine=nowhere"], 3, ["nowhere holds no data set"]),
        (["--protocol", "cogan"], 2, ["There is no protocol 'cogan'.", "Protocols: default, coigan."]),
        (["--set", "evaluate.shares=[1.5]"], 3, ["evaluate.shares is [1.5]"]),
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
