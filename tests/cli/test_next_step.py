"""What is said to come next can be typed as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from coigan_aug.cli.next_step import next_step
from coigan_aug.errors import EnvironmentProblem
from coigan_aug.folders import DEFAULT, Folders
from coigan_aug.stages.inspect import without_leak
from coigan_aug.training.device import choose_device
from tests.cli.calling import call
from tests.conftest import SMALL


def test_the_workspace_is_named_where_it_is_not_the_usual_one() -> None:
    assert next_step(Folders(DEFAULT), "evaluate benefit") == "Next: coigan-aug evaluate benefit"
    assert next_step(Folders(Path("my line")), "inspect", "train") == (
        "Next: coigan-aug inspect --workspace 'my line'    then    coigan-aug train --workspace 'my line'"
    )


@pytest.mark.parametrize(
    "command", ["synthesize --per-class 1 --engine transplnt", "evaluate benefit --engines transplants"]
)
def test_an_engine_that_there_is_not_is_told_with_the_one_that_was_meant(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    code, _, err = call(capsys, monkeypatch, *command.split(), *(["--out", "x"] if "synthesize" in command else []))
    assert code == 2
    assert "Did you mean 'transplant'?" in err


def test_a_training_that_minutes_ended_says_how_far_it_came_and_how_to_go_on(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [f"--set={item}" for item in (*SMALL, "train.images=200_000", "train.threads=1")]
    typed = ["train", "--recipe", "tiny", *settings, "--minutes", "0.01"]
    code, _, err = call(capsys, monkeypatch, *typed)
    assert code == 0, err
    first = int(re.search(r"  ([\d,]+) images seen", err)[1].replace(",", ""))  # type: ignore[index]
    assert f"That is {first / 200_000:.0%} of the plan of 200,000: expect faint or blurred defects" in err
    assert "Next: coigan-aug train --resume --minutes 0.01    then    coigan-aug synthesize --per-class 20" in err
    assert "begins a new run" not in err
    code, _, err = call(capsys, monkeypatch, "train", "--resume", "--minutes", "0.01")
    assert code == 0, err
    assert int(re.search(r"  ([\d,]+) images seen", err)[1].replace(",", "")) > first  # type: ignore[index]
    assert "run 002-tiny" in err
    code, _, err = call(capsys, monkeypatch, *typed)
    assert code == 0, err
    assert "This begins a new run. 002-tiny ended at 0% of its plan: coigan-aug train --resume continues it." in err
    assert "run 003-tiny" in err


@pytest.mark.parametrize(
    ("name", "gpus", "says"),
    [
        ("cuda", None, "--device cuda: no GPU found"),
        ("cuda:1", None, "--device cuda:1: no GPU found"),
        (None, 2, "--gpus 2: no"),
    ],
)
def test_a_gpu_that_there_is_not_is_told_with_the_option_that_was_given(
    monkeypatch: pytest.MonkeyPatch, name: str | None, gpus: int | None, says: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(EnvironmentProblem) as caught:
        choose_device(name, gpus=gpus)
    assert caught.value.message.startswith(says)
    assert caught.value.remedy.startswith(f"Leave out {says.split(maxsplit=1)[0]} to use the CPU")


def test_a_leak_of_files_that_are_not_imported_yet_is_mended_by_how_they_are(drawable: Path) -> None:
    assert without_leak(Path("my data")).startswith(
        "Import it with: coigan-aug import 'my data'   (without --split source"
    )
    for path in (None, drawable / "coigan", drawable / "coigan" / "dataset"):
        assert without_leak(path).startswith("Import again without --group-by none")
