"""Siblings of real defects from the command line."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from coigan_aug.checkpoint import load_generator
from coigan_aug.imaging import read_image
from coigan_aug.prepare.prepared import prepare
from coigan_aug.sealed import read_lines, read_sealed
from coigan_aug.stages import varying
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.projecting import project
from tests.cli.calling import call
from tests.synthesis.styled import styled_generator

pytestmark = pytest.mark.usefixtures("bare_pages")


def test_siblings_are_drawn_from_the_command_line_and_each_defect_is_projected_once(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = drawable / "coigan" / "runs" / "001-tiny" / "generator.safetensors"
    settings = load_generator(run).settings
    prepared = prepare(
        Dataset(drawable / "coigan" / "dataset"), settings.data, cache_root=drawable / "coigan" / "cache"
    )
    styled_generator(drawable, prepared, settings)
    (drawable / "generator.safetensors").rename(run)
    monkeypatch.setattr(varying, "project", functools.partial(project, steps=2))
    ask = ["synthesize", "--vary", "spot", "--per-class", "2", "--no-screen"]
    code, out, err = call(capsys, monkeypatch, *ask, "--out", "one", "--json")
    assert code == 0, err
    assert "vary    2 real defects; inside their masks random latents are" in err
    assert json.loads(out)["defects"] == {"spot": 2, "line": 0}

    def never(*_: object, **__: object) -> None:
        raise AssertionError("projected again")

    monkeypatch.setattr(varying, "project", never)
    for more, name in (([], "two"), (["--spread", "0.9"], "far")):
        code, _, err = call(capsys, monkeypatch, *ask, *more, "--out", name)
        assert code == 0, err
    files = [path.name for path in sorted((drawable / "one" / "images").iterdir())]
    one, two, far = (
        [read_image(drawable / name / "images" / file) for file in files] for name in ("one", "two", "far")
    )
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert not any((a == b).all() for a, b in zip(one, far, strict=True))
    varied = read_sealed(drawable / "one" / "card.json")["varied"]
    sources = (d["projected_from"] for row in read_lines(drawable / "one/plan.jsonl") for d in row["defects"])
    named = {f"{file}:{number}" for file, number in sources}
    assert named <= set(varied["objects"]) and varied["spread"] == 0.3
    coco = json.loads((drawable / "one" / "annotations.json").read_text())
    assert {item["projected_from"] for item in coco["annotations"]} == named


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--spread", "0.2"], "--spread is of --vary"),
        (["--vary", "all", "--spread", "2"], "--spread 2 is not from 0 to 1"),
        (["--vary", "all", "--engine", "paste"], "--vary draws with the engine gan, not paste"),
        (["--vary", "all"], "run 001-tiny has none"),
    ],
)
def test_what_does_not_go_with_vary_is_said(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "2", "--out", "o", *arguments)
    assert code == 2, err
    assert says in err
