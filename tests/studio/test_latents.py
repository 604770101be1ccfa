"""The studio's latents: siblings of a training object, mixtures of variants, styles; and the commands that draw the same."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.errors import UsageError
from coigan_aug.imaging import read_image
from coigan_aug.sealed import read_lines
from coigan_aug.settings import Settings
from coigan_aug.studio.session import Session
from coigan_aug.studio.wire import Mixture, Sibling
from tests.studio.conftest import disc, give_style, open_studio, painted

SPOT = disc((36, 40), 9)


@pytest.fixture
def styled(session: Session, small: Settings) -> Session:
    """A session whose run has a latent, and a kept and a dropped direction."""
    name = give_style(session.workspace, small)
    session.models.clear()
    session.load(name)
    return session


def _drawn_by(monkeypatch: pytest.MonkeyPatch, command: str) -> np.ndarray:
    words = shlex.split(command)
    monkeypatch.setattr("sys.argv", words)
    assert run(app) == 0
    out = Path(words[words.index("--out") + 1])
    return read_image(out if out.suffix else next((out / "images").iterdir()))


@pytest.mark.usefixtures("bare_pages")
def test_siblings_mixtures_and_styles_are_drawn_kept_and_given_as_commands(
    styled: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    told = styled.project(0)
    assert told["projected"] <= told["best"] <= told["random"]
    near, far = Sibling(of=0, spread=0.0), Sibling(of=0, spread=1.0)
    pictures = {}
    for name, more in {
        "plain": {}, "near": {"siblings": near}, "far": {"siblings": far}, "style": {"style": {"darkness": 2.0}},
        "between": {"between": Mixture(seed=5, share=0.5)}, "start": {"between": Mixture(seed=5, share=0.0)},
    }.items():  # fmt: skip
        asked, bits = painted(styled, [("spot", SPOT)], into="latents", **more)
        made = styled.keep(asked, bits)()
        pictures[name] = read_image(made.out / made.file)
        command = styled.copy_command(asked, bits)
        assert ("--plan" in command) == (name not in ("plain", "style"))
        assert ("--style darkness=2.0" in command) == (name == "style")
        assert np.array_equal(_drawn_by(monkeypatch, command), pictures[name]), name
    names = ("plain", "near", "far", "style", "between")
    assert all(not np.array_equal(pictures[a], pictures[b]) for a in names for b in names if a < b)
    off = np.abs(pictures["start"].astype(int) - pictures["plain"])
    assert off.max() <= 2, "a mixture of nothing is the variant, but for the latent's half precision"
    rows = list(read_lines(made.out / "plan.jsonl"))
    assert ["latent" in row["defects"][0] for row in rows] == [False, True, True, False, True, True]
    assert rows[1]["defects"][0]["projected_from"][1] == 0
    assert rows[3]["style"] == {"darkness": 2.0}


def test_what_is_no_direction_and_no_object_is_said(styled: Session) -> None:
    for more, said in (
        ({"style": {"grain": 1.0}}, "was dropped: it drags"), ({"style": {"shine": 1.0}}, "no direction 'shine'"),
        ({"siblings": Sibling(of=10_000)}, "no object 10000"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            styled.draw(*painted(styled, [("spot", SPOT)], **more))


def test_the_page_is_told_what_the_run_offers_and_an_object_is_projected(styled: Session) -> None:
    workspace = styled.workspace.root
    with open_studio(workspace) as studio:
        state = studio.json("GET", "api/state")
        assert (state["traits"], state["measured"], state["latent"]) == (["darkness"], True, True)
        told = studio.json("POST", "api/project", {"object": 0})
        assert told["name"].endswith(":0")
        for wrong, says in (({"object": "x"}, "Which object"), ({"object": 10_000}, "no object")):
            status, body = studio.ask("POST", "api/project", json.dumps(wrong).encode())
            assert status == 400
            assert says in json.loads(body)["message"]


def test_a_run_without_a_latent_refuses_siblings(session: Session) -> None:
    with pytest.raises(UsageError, match="Siblings needs a latent"):
        session.project(0)
