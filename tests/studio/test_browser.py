"""The studio in a real browser: painted, drawn, undone, kept and opened again; nothing asked of anybody else."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.imaging import read_image, write_image
from coigan_aug.store.dataset import Dataset
from coigan_aug.studio.verdicts import verdicts_of
from tests.chromium import MARKS
from tests.studio.conftest import Open, copied, open_studio

pytestmark = MARKS
MASK = """() => { const mask = window.studio.state.mask;
    return { width: mask.width, height: mask.height, data: [...mask.data] }; }"""
SHOWN = """() => { const canvas = window.studio.result.canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return [...data].filter((_, k) => k % 4 === 0); }"""
IDLE = "() => document.body.dataset.busy === 'no' && !window.studio.result.again"


@pytest.fixture(scope="module")
def open_here(made_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    with open_studio(copied(made_workspace, tmp_path_factory.mktemp("browser"))) as opened:
        yield opened


class Visit:
    """A page of the studio with what it said and asked for."""

    def __init__(
        self, browser: Any, studio: Open, *, width: int = 1280, height: int = 860, scheme: str = "light"
    ) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.studio, self.said, self.asked = studio, list[str](), list[str]()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(studio.address)
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready=yes]")

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the image lies on the page."""
        box = self.page.locator("#left").bounding_box()
        views = self.page.evaluate("() => { const v = window.studio.views; return [v.x, v.y, v.zoom]; }")
        return box["x"] + views[0] + x * views[2], box["y"] + views[1] + y * views[2]

    def stroke(self, *points: tuple[float, float], button: str = "left") -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down(button=button)
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=4)
        mouse.up(button=button)
        self.idle()

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def idle(self) -> None:
        self.page.wait_for_function(IDLE)

    def mask(self) -> np.ndarray:
        told = self.page.evaluate(MASK)
        return np.array(told["data"], np.uint8).reshape(told["height"], told["width"])

    def shown(self) -> np.ndarray:
        return np.array(self.page.evaluate(SHOWN), np.uint8).reshape(self.mask().shape)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.idle()


def check_quiet(visit: Visit) -> None:
    own = "Canvas2D: Multiple readback"  # what the test itself does to see the pixels
    assert [line for line in visit.said if not line.startswith(own)] == []
    assert [url for url in visit.asked if not url.startswith((visit.studio.address, "blob:", "data:"))] == []


def test_paint_two_classes_undo_keep_and_open_again(
    browser: Any, open_here: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workspace = open_here.session.workspace
    with Visit(browser, open_here) as visit:
        page = visit.page
        visit.stroke((20, 20), (40, 26))
        first = visit.mask()
        assert set(np.unique(first)) == {0, 1}
        assert 12 * 20 < (first == 1).sum() < 12 * 40
        visit.press("2")
        visit.stroke((60, 50), (80, 40))
        both = visit.mask()
        assert set(np.unique(both)) == {0, 1, 2}
        visit.press("Control+z")
        assert np.array_equal(visit.mask(), first)
        visit.press("Control+y")
        assert np.array_equal(visit.mask(), both)
        base = page.evaluate("() => window.studio.state.base.file")
        dataset = Dataset(workspace.dataset)
        stored = read_image(dataset.image_root / base)
        shown = visit.shown()
        near = cv2.dilate(both, np.ones((2 * open_here.session.current().margin + 1,) * 2, np.uint8)) != 0
        assert np.array_equal(shown[~near], stored[~near])
        assert (shown != stored)[both != 0].mean() > 0.5

        page.fill("#into", "from-the-page")
        page.click("#keep")
        page.wait_for_selector("#kept strong")
        records = Dataset(workspace.synthetic / "from-the-page")
        masks = records.masks(0)
        assert np.array_equal(masks["spot"], both == 1)
        assert np.array_equal(masks["line"], both == 2)
        assert np.array_equal(records.stored(0), shown)
        assert records[0].source["base"] == base

        page.click("#copy")
        page.wait_for_selector("#command-line:not([hidden])")
        command = page.text_content("#command")
        page.reload()
        visit.ready()
        assert page.input_value("#into") == "from-the-page"
        check_quiet(visit)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", words := shlex.split(command))
    assert run(app) == 0
    assert np.array_equal(read_image(Path(words[words.index("--out") + 1])), shown)


def test_every_tool_paints_what_its_shape_says(browser: Any, open_here: Open) -> None:
    with Visit(browser, open_here) as visit:
        page = visit.page
        visit.press("a", "p")  # by hand from now on
        for corner in ((10, 10), (40, 10), (40, 30), (10, 30)):
            visit.click(*corner)
        visit.press("Enter")
        square = np.zeros((72, 96), np.uint8)
        square[10:30, 10:40] = 1
        assert np.array_equal(visit.mask(), square)
        visit.press("e")
        page.evaluate("() => { window.studio.state.size = 6; }")
        visit.stroke((25, 20), (25, 20))
        rows, columns = np.ogrid[:72, :96]
        reach = (rows + 0.5 - 20) ** 2 + (columns + 0.5 - 25) ** 2
        hole = np.where(reach <= 9.3, 0, square)
        assert (visit.mask() != hole).sum() <= 4  # the pointer lies on a pixel of the screen
        visit.press("l", "2")
        visit.stroke((60, 20), (80, 20))
        line = visit.mask() == 2
        assert 6 * 20 <= line.sum() <= 6 * 27
        assert not line[:, :56].any()
        assert not line[24:].any()
        visit.press("s")
        page.wait_for_selector(".shape")
        page.locator(".shape").last.click()
        page.wait_for_selector(".shape[aria-pressed=true]")
        before = visit.mask()
        visit.click(48, 50)
        stamped = (visit.mask() == 2) & (before != 2)
        told = page.evaluate("() => { const s = window.studio.state.stamp; return [[...s.bytes], s.width, s.height]; }")
        shape = np.array(told[0], np.uint8).reshape(told[2], told[1])
        at = cv2.boundingRect(stamped.astype(np.uint8))
        assert np.array_equal(stamped[at[1] : at[1] + at[3], at[0] : at[0] + at[2]], shape != 0)
        check_quiet(visit)


def test_it_is_painted_with_the_keyboard_alone(browser: Any, open_here: Open) -> None:
    with Visit(browser, open_here) as visit:
        visit.page.locator("#left").focus()
        visit.press("l", *["ArrowLeft"] * 3, "Enter", *["Shift+ArrowRight"] * 2, "Enter")
        rows, columns = np.nonzero(visit.mask())
        assert (columns.max() - columns.min(), rows.max() - rows.min()) == (20 + 12, 12)  # ends of 12 px round a pixel
        assert (columns.max() + columns.min()) / 2 == 48 - 3 + 10
        visit.page.keyboard.press("Control+z")
        visit.press("p", "Enter", *["ArrowRight"] * 8, "Enter", *["ArrowDown"] * 6, "Enter", "Enter")
        assert visit.mask().sum() > 12
        visit.page.wait_for_selector("#keep:not([disabled])")
        check_quiet(visit)


def test_a_mask_is_saved_and_loaded_bit_for_bit(browser: Any, open_here: Open, tmp_path: Path) -> None:
    with Visit(browser, open_here) as visit:
        page = visit.page
        visit.stroke((20, 20), (40, 26))
        visit.press("2")
        visit.stroke((60, 50), (80, 40))
        painted = visit.mask()
        with page.expect_download() as saved:
            page.click("#mask-save")
        path = tmp_path / "mask.png"
        saved.value.save_as(path)
        page.click("#clear")
        assert not visit.mask().any()
        page.set_input_files("#mask-file", path)
        page.wait_for_function("() => !window.studio.state.mask.empty")
        assert np.array_equal(visit.mask(), painted)
        plain = np.zeros((72, 96), np.uint8)
        plain[30:35, 3:50] = 255
        write_image(tmp_path / "plain.png", plain)
        page.set_input_files("#mask-file", tmp_path / "plain.png")
        page.wait_for_function("() => window.studio.state.mask.data[30 * 96 + 4] === 2")
        assert np.array_equal(visit.mask(), (plain > 0) * 2)
        write_image(tmp_path / "small.png", plain[:50])
        page.set_input_files("#mask-file", tmp_path / "small.png")
        page.wait_for_selector(".said.bad")
        assert "96 × 50 pixels, the image 96 × 72" in page.text_content("#said")
        assert np.array_equal(visit.mask(), (plain > 0) * 2)
        check_quiet(visit)


def test_variants_are_picked_compared_and_shown_as_a_difference(browser: Any, open_here: Open) -> None:
    with Visit(browser, open_here) as visit:
        page = visit.page
        page.fill("#variant-count", "3")
        visit.stroke((30, 30), (50, 40))
        page.wait_for_function("() => document.querySelectorAll('.variant canvas').length === 3")
        first = visit.shown()
        page.locator(".variant").nth(2).click()
        third = visit.shown()
        assert page.input_value("#seed") == "3"
        assert not np.array_equal(first, third)
        page.fill("#variant-count", "1")
        page.fill("#seed", "1")
        page.keyboard.press("Enter")
        page.wait_for_function("() => window.studio.result.picture.seed === 1")
        assert np.array_equal(visit.shown(), first)
        assert page.evaluate("() => window.studio.result.layers()[0][0] === window.studio.result.canvas")
        page.keyboard.down("x")
        assert page.evaluate("() => window.studio.result.layers()[0][0] === window.studio.result.base")
        page.keyboard.up("x")
        page.keyboard.press("d")
        assert page.evaluate("() => window.studio.result.layers()[0][0] === window.studio.result.difference")
        strength = page.evaluate(SHOWN.replace("result.canvas", "result.showDifference()"))
        base = read_image(
            Dataset(open_here.session.workspace.dataset).image_root
            / page.evaluate("() => window.studio.state.base.file")
        )
        wanted = np.minimum(4 * np.abs(base.astype(int) - first), 255)
        assert np.array_equal(np.array(strength).reshape(wanted.shape), wanted)
        page.wait_for_selector("#verdict table")
        check_quiet(visit)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1400, 900)])
def test_every_page_fits_the_window_and_says_nothing_wrong(
    browser: Any, open_here: Open, width: int, height: int
) -> None:
    with Visit(browser, open_here, width=width, height=height, scheme="dark") as visit:
        for name in ("paint", "runs", "data"):
            visit.page.evaluate(f"location.hash = '#{name}'")
            visit.page.wait_for_selector({"paint": "#base-list img", "runs": "#curves svg", "data": "#grid img"}[name])
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, name
            nameless = visit.page.evaluate(
                "[...document.querySelectorAll('button, input, select')].filter(e => e.offsetParent && e.type !== 'file')"
                ".filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"
            )
            assert nameless == []
        check_quiet(visit)


def test_images_are_accepted_and_rejected_with_keys(browser: Any, open_here: Open) -> None:
    with Visit(browser, open_here) as visit:
        page = visit.page
        page.evaluate("location.hash = '#data/made'")
        page.wait_for_selector(".set[href='#data/made'][aria-current=true]")
        page.locator("#grid .card").first.click()
        for key in ("r", "a", "ArrowRight"):
            page.keyboard.press(key)
        with page.expect_response("**/verdict"):
            page.keyboard.press("r")
        page.keyboard.press("Escape")
        said = page.evaluate("[...document.querySelectorAll('#grid .card')].slice(0, 4).map(c => c.dataset.said)")
        assert said == ["rejected", "accepted", "", "rejected"]
        page.wait_for_function("() => document.querySelector('#data-accepted').textContent.includes(' 2 ')")
        with page.expect_response("**/accepted"):
            page.click("#data-accepted")
        page.wait_for_selector(".set[href='#data/made-accepted']")
        assert sorted(verdicts_of(open_here.session.workspace, "made").values()) == ["accepted", "rejected", "rejected"]
        assert len(Dataset(open_here.session.workspace.synthetic / "made-accepted")) == 10
        check_quiet(visit)


def test_quick_keys_are_kept_in_their_order_however_slow_an_answer_is(browser: Any, open_here: Open) -> None:
    """The first verdict is held back on its way; the second, about the same image, may not overtake it."""
    with Visit(browser, open_here) as visit:
        page = visit.page
        page.evaluate(
            "() => { const own = window.fetch; let calls = 0; window.fetch = async (...given) => {"
            " if (String(given[0]).includes('/verdict') && calls++ === 0) await new Promise((go) => setTimeout(go, 400));"
            " return own(...given); }; }"
        )
        page.evaluate("location.hash = '#data/made'")
        page.wait_for_selector(".set[href='#data/made'][aria-current=true]")
        before = dict(verdicts_of(open_here.session.workspace, "made"))
        page.locator("#grid .card").nth(5).click()
        first, second = (
            lambda answer, word=word: f'"{word}"' in (answer.request.post_data or "")
            for word in ("rejected", "accepted")
        )
        with page.expect_response(first), page.expect_response(second):
            for key in ("r", "ArrowLeft", "a"):
                page.keyboard.press(key)
        after = verdicts_of(open_here.session.workspace, "made")
        [new] = set(after) - set(before)
        assert after[new] == "accepted"
        check_quiet(visit)
