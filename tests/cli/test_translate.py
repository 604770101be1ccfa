"""coigan-aug translate apply and evaluate transfer, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coigan_aug.cli.transfer_tables import show_transfer
from coigan_aug.evaluation.result import Result
from coigan_aug.evaluation.transfer_numbers import AS_IT_IS, EngineNumbers, Transfer
from tests.cli.calling import call
from tests.translation.lines import dimmed, write_line


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside the workspace `coigan` and the line `b`."""
    write_line(tmp_path / "coigan", first=0)
    write_line(tmp_path / "b", first=50, count=4, look=dimmed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    return tmp_path


@pytest.mark.usefixtures("bare_pages")
def test_a_set_is_translated_told_and_shown_in_the_report(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["translate", "apply", "coigan", "--to", "b", "--out", "coco-b", "--no-screen"]
    code, out, err = call(capsys, monkeypatch, *typed, "--json")
    assert code == 0, err
    assert "engine  histogram (nothing is measured yet: coigan-aug evaluate transfer --to b)" in err
    assert "8 images by histogram: 4 spot, 4 line" in err
    assert "edges of defects moved by" in err and "Next: coigan-aug evaluate transfer --to b" in err
    value = json.loads(out)
    assert value["annotations"] == "coco-b/annotations.json" and value["translated"]["objects"] == 8
    for name in ("annotations.json", "preview.png", "card.json"):
        assert (here / "coco-b" / name).exists()
    code, _, err = call(capsys, monkeypatch, *typed)
    assert code == 2 and "already holds 8 images translated by histogram" in err and "--overwrite" in err
    code, _, err = call(capsys, monkeypatch, "report", "--quiet")
    assert code == 0, err


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["coigan", "--to", "b", "--engine", "histgram"], 2, "no engine 'histgram'. Did you mean 'histogram'?"),
        (["coigan"], 2, "--to B"),
        (["coigan", "--to", "coigan"], 2, "coigan is the set that is translated"),
        (["coigan", "--to", "nowhere"], 3, "nowhere is no folder"),
        (["nowhere", "--to", "b"], 3, "There is no synthetic set nowhere"),
        (["b/images", "--to", "b"], 3, "Import it first: coigan-aug import b/images"),
        (["coigan", "--to", "b", "--format", "coc"], 2, "no format 'coc'. Did you mean 'coco'?"),
    ],
)
def test_a_mistake_is_answered_before_any_work(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    code: int,
    says: str,
) -> None:
    found, out, err = call(capsys, monkeypatch, "translate", "apply", *more, "--out", "o", "--no-screen")
    assert (found, out) == (code, "") and says in err and "Traceback" not in err
    assert not (here / "o").exists()


def test_the_tables_name_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engines = [
        EngineNumbers(name=AS_IT_IS, kid=0.3, kid_error=0.01),
        EngineNumbers(
            name="histogram", kid=0.1, edges_moved=0.05, gap_kept=1.2, visible=1.0, found_after=0.5, found_before=0.6
        ),
    ]
    numbers = Transfer(engines=engines, best="histogram", features="f", floor=0.02)
    show_transfer(
        Result(kind="transfer", verdict="So it is.", command="", measured_on={}, settings={}, numbers=numbers),
        tmp_path / "result.json",
    )
    said = capsys.readouterr().err
    for text in ("300.0 ± 10.0", "100.0", "0.05", "120%", "floor 20.0", "So it is.", "best  histogram"):
        assert text in said


def test_an_engine_that_draws_and_was_found_best_is_named_with_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines = [EngineNumbers(name=AS_IT_IS, kid=0.3), EngineNumbers(name="patch", kid=0.1, draws=True)]
    numbers = Transfer(engines=engines, best="patch", features="f")
    measured_on = {"to_folder": "line b"}
    show_transfer(
        Result(kind="transfer", verdict="", command="", measured_on=measured_on, settings={}, numbers=numbers), tmp_path
    )
    assert "best  patch   (synthesize --on 'line b' takes it)" in capsys.readouterr().err
