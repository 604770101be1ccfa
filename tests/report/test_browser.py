"""The report in a real browser: opens from disk, asks for nothing, fits a phone, prints light."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coigan_aug.data.inspecting import inspect_subject
from coigan_aug.data.opening import subject_of
from coigan_aug.folders import Folders
from coigan_aug.report.contents import compose
from coigan_aug.report.gather import gather
from coigan_aug.report.html import render
from coigan_aug.report.inspection import write_inspection
from coigan_aug.report.preview import write_preview
from coigan_aug.store.card import Card
from coigan_aug.store.dataset import Dataset
from tests.chromium import MARKS

from .test_inspection import odd_copy
from .test_preview import CARD, reject_some

pytestmark = MARKS


def _write(workspace: Path) -> Path:
    path = workspace / "report.html"
    contents = compose(gather(Folders(workspace)), command="coigan-aug report")
    path.write_text(render(contents, made=datetime(2026, 1, 2)))
    return path


@pytest.fixture(scope="module")
def workspace(everything: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which everything has been done, to write pages in."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(everything.parent, folder, dirs_exist_ok=True)
    return folder / "coigan"


@pytest.fixture(scope="module")
def full_report(workspace: Path) -> Path:
    return _write(workspace)


@pytest.fixture(scope="module")
def empty_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("nothing"))


@pytest.fixture(params=["full_report", "empty_report"])
def report(request: pytest.FixtureRequest) -> Path:
    """A report on a workspace in which everything, or nothing, has been done."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def preview(workspace: Path) -> Path:
    made = workspace.parent / "made"
    card = msgspec.convert(CARD | {"command": "coigan-aug synthesize " + "--set a.b=1 " * 30}, Card)
    return write_preview(
        made, workspace=Folders(workspace), real=Dataset(workspace / "dataset"),
        synthetic=Dataset(workspace / "synthetic" / "made"), card=card, rejected=reject_some(made),
    )  # fmt: skip


@pytest.fixture(scope="module")
def inspection(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspection")
    dataset = odd_copy(toy, folder)
    return write_inspection(folder / "inspect.html", inspect_subject(subject_of(dataset)), dataset)


class Visit:
    """A page with what it said and asked for."""

    def __init__(self, browser: Any, path: Path, *, width: int, height: int, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.address = path.as_uri()
        self.page.goto(self.address)


SIZES = [(390, 844), (1400, 900)]
SMALL = """[...document.querySelectorAll('p, td, th, li, figcaption, .name')]
    .filter(e => e.offsetParent && parseFloat(getComputedStyle(e).fontSize) < 12).length"""
BROKEN = "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length"
TINY = """[...document.images].map(i => [i.offsetWidth, Math.min(i.naturalWidth, 100)])
    .filter(([shown, least]) => shown > 0 && shown < least).map(([shown]) => shown)"""
TORN = """[...document.querySelectorAll('td, th')].filter(e => e.offsetParent && e.innerText.length > 12).filter(e => {
    const lines = e.offsetHeight / parseFloat(getComputedStyle(e).lineHeight);
    return e.innerText.length / lines < 4; }).map(e => e.innerText)"""
WITHOUT_CUE = """[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
    .filter(e => getComputedStyle(e).overflowX === 'auto' && e.tagName !== 'PRE').filter(e => { const s = getComputedStyle(e);
        return s.backgroundAttachment !== 'local, local, scroll, scroll' && s.maskImage === 'none'; })
    .map(e => e.outerHTML.slice(0, 80))"""


def _check_window(visit: Visit, width: int) -> None:
    """The page asks for nothing, fits the window, and shows everything large enough to be read."""
    assert [url for url in visit.asked if not url.startswith("data:")] == [visit.address]
    assert visit.said == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.evaluate("document.body.scrollWidth") <= width
    assert visit.page.evaluate(BROKEN) == 0
    assert visit.page.evaluate(SMALL) == 0
    assert visit.page.evaluate(TINY) == []
    assert visit.page.evaluate(TORN) == []
    assert visit.page.evaluate(WITHOUT_CUE) == []


def _check_first_is_a_defect(visit: Visit, width: int, height: int) -> None:
    """Whole in the first window: a real defect and a synthetic one beside it, about 300 px or half of a phone wide."""
    boxes = "[...document.images].slice(0, 2).map(i => i.getBoundingClientRect()).map(r => [r.top, r.bottom, r.width])"
    (top, bottom, wide), (beside, *_) = visit.page.evaluate(boxes)
    assert top == beside
    assert bottom <= height
    assert wide >= (280 if width > 1000 else 160)
    kinds = "[...document.images].slice(0, 2).map(i => i.alt.split(', ')[1])"
    assert visit.page.evaluate(kinds) == ["real", "synthetic"]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_opens_from_disk_and_fits_the_window(browser: Any, report: Path, width: int, height: int) -> None:
    visit = Visit(browser, report, width=width, height=height)
    _check_window(visit, width)
    if "data" in visit.page.evaluate("[...document.querySelectorAll('section')].map(s => s.id)"):
        _check_first_is_a_defect(visit, width, height)
    visit.context.close()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_preview_of_a_set_opens_from_disk_and_fits_the_window(
    browser: Any, preview: Path, width: int, height: int
) -> None:
    visit = Visit(browser, preview, width=width, height=height)
    _check_window(visit, width)
    _check_first_is_a_defect(visit, width, height)
    visit.context.close()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_page_of_an_inspection_opens_from_disk_and_fits_the_window(
    browser: Any, inspection: Path, width: int, height: int
) -> None:
    visit = Visit(browser, inspection, width=width, height=height)
    _check_window(visit, width)
    visit.context.close()


def _brightness(page: Any) -> float:
    red, green, blue = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_it_is_dark_in_the_dark_and_prints_light_all_the_same(browser: Any, empty_report: Path) -> None:
    visit = Visit(browser, empty_report, width=1280, height=900, scheme="dark")
    assert _brightness(visit.page) < 60
    ink = "getComputedStyle(document.querySelector('h1')).color"
    assert visit.page.evaluate(ink) == "rgb(236, 235, 231)"
    visit.page.emulate_media(media="print")
    assert _brightness(visit.page) > 240
    assert visit.page.evaluate(ink) == "rgb(21, 23, 28)"
    pdf = visit.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 1
    assert visit.said == []
    visit.context.close()


def test_every_text_has_contrast_enough_in_light_and_dark(browser: Any, empty_report: Path) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1 for the page's own inks on its own grounds."""
    for scheme in ("light", "dark"):
        visit = Visit(browser, empty_report, width=1280, height=900, scheme=scheme)
        shades = visit.page.evaluate(
            "(() => { const s = getComputedStyle(document.documentElement);"
            " return Object.fromEntries(['paper','panel','ink','muted','accent','gain','loss','none']"
            ".map(n => [n, s.getPropertyValue('--' + n).trim()])) })()"
        )
        for ground in ("paper", "panel"):
            for ink in ("ink", "muted", "accent", "gain", "loss", "none"):
                assert _contrast(shades[ink], shades[ground]) >= 4.5, (scheme, ink, ground)
        visit.context.close()


def _contrast(first: str, second: str) -> float:
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(shade: str) -> float:
    channels = [int(shade[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
