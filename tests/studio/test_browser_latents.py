"""The latent's controls in a real browser: siblings of an object, a slider for a trait, a mixture of two variants."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.folders import Folders
from coigan_aug.imaging import read_image
from coigan_aug.settings import Settings
from tests.chromium import MARKS
from tests.studio.conftest import Open, copied, give_style, open_studio
from tests.studio.test_browser import Visit, check_quiet

pytestmark = [*MARKS, pytest.mark.usefixtures("bare_pages")]
SIX = "() => document.querySelectorAll('.variant canvas').length === 6"


@pytest.fixture(scope="module")
def styled_here(made_workspace: Path, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    workspace = copied(made_workspace, tmp_path_factory.mktemp("styled"))
    give_style(Folders(workspace), small)
    with open_studio(workspace) as opened:
        yield opened


def _command(page: Any) -> list[str]:
    page.click("#copy")
    page.wait_for_selector("#command-line:not([hidden])")
    page.wait_for_timeout(300)
    return shlex.split(page.text_content("#command"))


def _drawn(words: list[str], monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr(sys, "argv", words)
    assert run(app) == 0
    out = Path(words[words.index("--out") + 1])
    return read_image(out if out.suffix else next((out / "images").iterdir()))


def test_siblings_a_mixture_and_a_style_are_drawn_as_the_copied_commands_draw_them(
    browser: Any,
    styled_here: Open,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with Visit(browser, styled_here) as visit:
        page = visit.page
        visit.press("s")
        page.wait_for_selector(".shape")
        assert page.is_disabled("#shape-siblings")
        page.locator(".shape").last.click()
        page.wait_for_selector("#shape-siblings:not([disabled])")
        page.click("#shape-siblings")
        page.wait_for_selector("#siblings:not([hidden])", timeout=60_000)
        page.wait_for_function(SIX)
        visit.idle()
        assert visit.mask().any(), "the shape lies where it was"
        assert page.text_content("#siblings-of").startswith("Siblings of ")
        pictures = {"sibling": (visit.shown(), _command(page))}

        page.locator("#mixture-share").fill("0.5")
        page.wait_for_function("() => window.studio.state.between?.share === 0.5 && !window.studio.result.mixing")
        pictures["mixture"] = visit.shown(), _command(page)
        page.locator(".variant").nth(1).click()
        assert page.evaluate("() => window.studio.state.between") is None
        pictures["second"] = visit.shown(), _command(page)

        page.click("#siblings-end")
        page.wait_for_selector("#siblings", state="hidden")
        page.wait_for_function(SIX)
        visit.idle()
        assert page.locator("[data-trait]").count() == 1
        page.locator("[data-trait=darkness]").fill("2")
        page.wait_for_function("() => window.studio.state.style.darkness === 2")
        visit.idle()
        page.wait_for_function(SIX)
        pictures["style"] = visit.shown(), _command(page)
        check_quiet(visit)
    monkeypatch.chdir(tmp_path)
    for name, (shown, words) in pictures.items():
        assert ("--style" in words) == (name == "style")
        assert np.array_equal(_drawn(words, monkeypatch), shown), name
    names = list(pictures)
    assert all(not np.array_equal(pictures[a][0], pictures[b][0]) for a in names for b in names if a < b)
