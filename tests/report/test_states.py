"""Each sentence of preview and report holds for the state that it speaks of, and is not said of another one."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from coigan_aug.folders import Folders
from coigan_aug.report.contents import Contents, compose
from coigan_aug.report.gather import gather
from coigan_aug.report.html import render
from coigan_aug.report.missing import missing_of
from coigan_aug.report.preview import write_preview
from coigan_aug.sealed import read_sealed, write_sealed
from coigan_aug.store.card import read_card
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.rejected import read_rejected

from .test_html import MADE

pytestmark = pytest.mark.usefixtures("bare_pages")


def change_card(workspace: Path, **values: Any) -> None:
    """Write other values into the card of the synthetic set."""
    path = workspace.parent / "made" / "card.json"
    write_sealed(path, read_sealed(path) | values)


def _contents(workspace: Path) -> Contents:
    return compose(gather(Folders(workspace)), command="coigan-aug report")


def pages(workspace: Path) -> list[str]:
    """Return the text of preview and report, without style and tags."""
    out = workspace.parent / "made"
    preview = write_preview(
        out, workspace=Folders(workspace), real=Dataset(workspace / "dataset"),
        synthetic=Dataset(workspace / "synthetic" / "made"), card=read_card(out / "card.json"),
        rejected=read_rejected(out),
    ).read_text()  # fmt: skip
    texts = (preview, render(_contents(workspace), made=MADE))
    return [
        re.sub(r"\s+", " ", html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", t, flags=re.S))) for t in texts
    ]


PASSED = "every defect that was drawn passed"


@pytest.mark.parametrize(
    ("screening", "said", "not_said"),
    [
        ({"on": False, "rejected": {}, "missing": {}}, "Not screened: whatever was drawn is in it.", PASSED),
        ({"on": True, "rejected": {}, "missing": {}}, f"Screened: {PASSED}.", "ot screened"),
        (None, "The set does not say whether it was screened.", PASSED),
    ],
)
def test_a_set_is_said_to_have_passed_a_screen_only_if_there_was_one(
    full: Path, screening: dict[str, Any] | None, said: str, not_said: str
) -> None:
    change_card(full, screening=screening)
    for text in pages(full):
        assert said in text
        assert not_said not in text


def test_what_the_screen_looked_at_is_said_by_its_limits(full: Path) -> None:
    change_card(full, screening={"on": True, "limits": {"least_shown": 0.3, "most_seam": 2.5}})
    for text in pages(full):
        assert "Looked at in each: whether it can be seen; whether an edge shows round it." in text
        assert "segmenter of the real images" not in text


def test_fewer_than_were_asked_for_are_in_the_headline(full: Path) -> None:
    change_card(full, screening={"on": True, "missing": {"line": 8}}, defects={"spot": 6, "line": 6})
    preview, report = pages(full)
    said = "12 images with 12 defects of 2 classes: asked for 20, got 12."
    for text in (preview, report):
        assert text.index(said) < text.index("Real beside synthetic")
    assert "line: asked for 14, got 6: no try at the others was kept." in preview
    change_card(full, screening={"on": True, "missing": {}})
    assert not any("asked for" in text.lower() for text in pages(full))


def begin_second(workspace: Path, *, saved: int = 8) -> None:
    """A second run, newer than the first and not finished, with a generator."""
    runs = workspace / "runs"
    shutil.copytree(runs / "001-tiny", runs / "002-tiny")
    (runs / "002-tiny" / "run.json").unlink()
    (runs / "002-tiny" / "checkpoints").mkdir(exist_ok=True)
    (runs / "002-tiny" / "checkpoints" / f"{saved:012d}-{0:012d}-{'0' * 16}.pt").touch()
    start = read_sealed(runs / "002-tiny" / "start.json")
    write_sealed(runs / "002-tiny" / "start.json", start | {"command": "coigan-aug train --seed 5"})


def test_a_second_run_that_is_not_finished_is_named_and_not_taken(full: Path) -> None:
    begin_second(full)
    contents = _contents(full)
    assert contents.material.training is not None
    assert contents.material.training.name == "001-tiny"
    (said,) = contents.notes["run"]
    assert said.startswith("002-tiny is newer, but not finished (8 of 24 samples): shown is 001-tiny")
    for text in pages(full):
        assert "Drawn by run 001-tiny" in text
        assert "002-tiny, which is not finished" not in text.partition("More of them")[0]


def test_each_set_names_the_run_that_drew_it_and_its_state(full: Path) -> None:
    begin_second(full)
    change_card(full, generator={"run": "002-tiny"}, command="coigan-aug synthesize --run 2")
    for text in pages(full):
        assert "Drawn by run 002-tiny, which is not finished (8 of 24 samples)." in text
        assert "coigan-aug train --seed 5" in text, "the training of that run made it"
    change_card(full, generator={"run": "007-gone"})
    for text in pages(full):
        assert "Drawn by run 007-gone, which is not in this workspace now." in text
    (row,) = _contents(full).sets
    assert (row.name, row.images, row.defects) == ("made", 12, 12)
    assert row.drawn_by == "drawn by run 007-gone, which is not in this workspace now"


def test_a_set_of_copies_was_drawn_by_no_run(full: Path) -> None:
    path = full / "synthetic" / "made" / "dataset.json"
    manifest = read_sealed(path)
    write_sealed(path, manifest | {"provenance": {"made_by": manifest["provenance"]["made_by"]}})
    change_card(full, generator={}, engine="transplant")
    for text in pages(full):
        assert "Real defects moved to other images." in text
        assert "Drawn by run" not in text


def test_only_an_unfinished_run_is_shown_as_one(full: Path) -> None:
    (full / "runs" / "001-tiny" / "run.json").unlink()
    (said,) = _contents(full).notes["run"]
    assert said == "001-tiny is not finished: 0 of 24 samples were seen."


def test_the_commands_hold_the_training_and_the_workspace_each_once(full: Path) -> None:
    workspace = full.rename(full.parent / "line 2")
    runs = "coigan-aug train --recipe tiny --workspace 'elsewhere/it'"
    start = workspace / "runs" / "001-tiny" / "start.json"
    write_sealed(start, read_sealed(start) | {"command": runs})
    option = f"--workspace '{workspace}'"
    made = "coigan-aug synthesize --per-class 3 --out made"
    preview, report = pages(workspace)
    for text in (preview, report):
        for line in (f"coigan-aug import strips.csv {option}", runs, f"{made} {option}"):
            assert text.count(line) == 1
        assert (
            text.index("import strips.csv") < text.index("train --recipe tiny") < text.index("synthesize --per-class 3")
        )
        assert f"coigan-aug evaluate benefit {option}" in text
    assert f"{runs} --workspace" not in report, "as it was given"


def test_the_model_that_comes_with_the_program_is_known_and_its_log_is_not_missed(full: Path) -> None:
    start = full / "runs" / "001-tiny" / "start.json"
    write_sealed(start, read_sealed(start) | {"bundled": True, "command": "coigan-aug demo"})
    (full / "runs" / "001-tiny" / "metrics.jsonl").unlink()
    shutil.rmtree(full / "runs" / "001-tiny" / "samples")
    for text in pages(full):
        assert "Drawn by the model that comes with the program (001-tiny)." in text
        assert "No model has been trained" not in text
    missing = {item.section: item.why for item in missing_of(_contents(full))}
    assert list(missing) == ["samples", "training"]
    assert all("The model came with the program" in why for why in missing.values())
    write_sealed(start, read_sealed(start) | {"bundled": False})
    whys = [item.why for item in missing_of(_contents(full))]
    assert [why.split()[1] for why in whys] == ["training", "log"], "it was trained here, too short for either"


@pytest.mark.parametrize(
    ("imported", "said"),
    [
        ({"groups": 3, "leakage": 0.0}, "No group is torn by the split"),
        ({"groups": 3, "leakage": 0.5}, "The split tears groups"),
        ({"groups": 0, "grouping": "near-duplicates"}, "No near-duplicates were found"),
        ({"groups": 0, "grouping": "none"}, "was not looked at"),
    ],
)
def test_what_is_said_of_the_split_goes_by_what_was_imported(full: Path, imported: dict[str, Any], said: str) -> None:
    path = full / "dataset" / "import.json"
    write_sealed(path, read_sealed(path) | imported)
    every = ("No group is torn", "The split tears groups", "No near-duplicates were found", "was not looked at")
    text = pages(full)[1]
    assert [words for words in every if words in text] == [words for words in every if words in said]


def test_the_whole_workspace_says_nothing_of_what_is_missing(full: Path) -> None:
    assert "Not there yet" not in pages(full)[1]
    shutil.rmtree(full / "results")
    text = pages(full)[1]
    assert "Whether they help a segmenter is not measured yet." in text
    assert "Not there yet" in text
