"""Directions of a run's styles from the command line, and what is drawn along them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.checkpoint import load_generator
from coigan_aug.imaging import read_image
from coigan_aug.prepare.prepared import prepare
from coigan_aug.sealed import read_lines, read_sealed, write_sealed
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.style import FILE, packed, read_directions
from tests.cli.calling import call
from tests.synthesis.styled import styled_generator

pytestmark = pytest.mark.usefixtures("bare_pages")
FEW = ["--latents", "40", "--masks", "3"]


@pytest.fixture
def styled(drawable: Path) -> Path:
    """A workspace whose run has a latent; the run's folder."""
    folder = drawable / "coigan" / "runs" / "001-tiny"
    settings = load_generator(folder / "generator.safetensors").settings
    dataset = Dataset(drawable / "coigan" / "dataset")
    styled_generator(folder, prepare(dataset, settings.data, cache_root=drawable / "coigan" / "cache"), settings)
    return folder


def test_directions_are_measured_kept_beside_the_run_and_drawn_along(
    styled: Path, drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = ["synthesize", "--per-class", "1", "--no-screen", "--style"]
    code, _, err = call(capsys, monkeypatch, *drawing, "grain=1", "--out", "early")
    assert code == 2
    assert "none were measured of run 001-tiny" in err and "coigan-aug directions --run 001-tiny" in err

    code, out, err = call(capsys, monkeypatch, "directions", *FEW, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert [item["name"] for item in told["directions"]] == ["sharpness", "grain", "darkness", "extent"]
    assert all(f"{item['name']} is dropped: {item['why']}" in err for item in told["directions"] if not item["kept"])
    first = (styled / FILE).read_bytes()
    assert all(read_image(styled / "directions" / f"{item['name']}.png").size for item in told["directions"])
    assert call(capsys, monkeypatch, "directions", *FEW)[0] == 0
    assert (styled / FILE).read_bytes() == first, "the same on every start"

    assert read_directions(styled, load_generator(styled / "generator.safetensors")) is not None
    values = read_sealed(styled / FILE)  # what this untrained one keeps is chance
    for item in values["directions"]:
        item["why"] = {"grain": "", "darkness": "it drags grain along"}.get(item["name"], item["why"])
        item["vector"] = packed(np.full(6, 0.5, np.float32))
    write_sealed(styled / FILE, values)

    for style, out in (("grain=2", "one"), ("grain=2", "two"), ("grain=-2", "other")):
        code, _, err = call(capsys, monkeypatch, *drawing, style, "--out", out)
        assert code == 0, err
    one, two, other = (
        [f.read_bytes() for f in sorted((drawable / o / "images").iterdir())] for o in ("one", "two", "other")
    )
    assert one == two
    assert one != other
    assert read_sealed(drawable / "one" / "card.json")["style"] == {"grain": 2.0}
    assert all(row["style"] == {"grain": 2.0} for row in read_lines(drawable / "one" / "plan.jsonl"))
    code, _, err = call(capsys, monkeypatch, "synthesize", "--plan", "one/plan.jsonl", "--no-screen", "--out", "again")
    assert code == 0, err
    assert [f.read_bytes() for f in sorted((drawable / "again" / "images").iterdir())] == one
    code, _, err = call(capsys, monkeypatch, *drawing, "darkness=1", "--out", "dropped")
    assert code == 2
    assert "The direction darkness of run 001-tiny was dropped: it drags grain along." in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["synthesize", "--per-class", "1", "--out", "o", "--style", "grain"], "is no trait with one amount"),
        (
            ["synthesize", "--per-class", "1", "--out", "o", "--style", "a=1", "--engine", "paste"],
            "--style does not go",
        ),
        (
            ["synthesize", "--per-class", "1", "--out", "o", "--style", "a=1"],
            "--style needs a latent, and run 001-tiny",
        ),
        (["directions"], "directions needs a latent, and run 001-tiny"),
    ],
)
def test_what_has_no_direction_is_said(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    code, _, err = call(capsys, monkeypatch, *arguments)
    assert code == 2, err
    assert says in err
