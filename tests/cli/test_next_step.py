"""What is said to come next can be typed as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from coigan_aug.cli.next_step import next_step
from coigan_aug.folders import DEFAULT, Folders
from tests.cli.calling import call


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
