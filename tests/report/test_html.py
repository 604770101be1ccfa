"""The page: every section with and without data, nothing foreign in it, names escaped, no larger than its bound."""

from __future__ import annotations

import html
import html.parser
import itertools
import json
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations.records import DefectClass
from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.errors import ResourceError
from coigan_aug.folders import Folders
from coigan_aug.imaging import read_rgb, write_image
from coigan_aug.report.contents import Contents, compose
from coigan_aug.report.gather import gather
from coigan_aug.report.html import LEVELS, Level, data_uri, render
from coigan_aug.report.missing import SECTIONS, missing_of, shown_sections
from coigan_aug.sealed import read_sealed, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import pages_left_bare

from .conftest import IMPORTED, copy_with_classes, noise, write_results, write_run, write_synthetic

MADE = datetime(2026, 1, 2, 3, 4)
LARGEST_CHART = 30_000
EVIL = "<img src=x onerror=alert(1)>"
ADDRESS = re.compile(r"""https?://|(?:src|href|action)\s*=\s*["']?\s*(?!#|data:)[^"'\s>]|url\((?!#)|@import""")


class Outline(html.parser.HTMLParser):
    """What a page is made of: its elements with their attributes, and its headings in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def _contents(workspace: Path) -> Contents:
    return compose(gather(Folders(workspace)), command="coigan-aug report")


def _page(workspace: Path) -> str:
    return render(_contents(workspace), made=MADE)


@pytest.fixture(scope="module")
def contents(everything: Path) -> Contents:
    return _contents(everything)


@pytest.fixture(scope="module")
def page(contents: Contents) -> str:
    return render(contents, made=MADE)


def test_a_full_workspace_fills_every_section(contents: Contents, page: str) -> None:
    assert list(missing_of(contents)) == []
    assert contents.notes == {}
    sections = [attributes["id"] for attributes in Outline(page).all("section")]
    assert sections == [name for name in SECTIONS if name != "missing"]
    assert 0 < max(len(chart) for chart in re.findall("<svg.*?</svg>", page, re.DOTALL)) <= LARGEST_CHART
    for text in ("No benefit shown", "does not say whether it was screened", "02 January 2026", "strips"):
        assert text in page
    for command in (
        "import strips.csv",
        "train --recipe tiny",
        "synthesize --per-class 3",
        "evaluate benefit",
        "report",
    ):
        assert f"coigan-aug {command}" in page


def test_an_empty_workspace_says_what_is_missing_and_which_command_makes_it(tmp_path: Path) -> None:
    contents = _contents(tmp_path)
    page = html.unescape(render(contents, made=MADE))
    missing = list(missing_of(contents))
    others = {"beside", "sets", "rejected", "missing", "repeat"}  # those that a missing set, or nothing, leaves out
    assert [item.section for item in missing] == [name for name in SECTIONS if name not in others]
    assert [attributes["id"] for attributes in Outline(page).all("section")] == ["missing", "repeat"]
    for item in missing:
        assert item.why in page
        assert item.command in page
        assert item.command.endswith(f" --workspace {tmp_path}")


@pytest.mark.usefixtures("bare_pages")
@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        ("results", {"verdict", "nearest", "quality", "benefit", "where"}),
        ("results/002-benefit", {"verdict", "benefit", "where"}),
        ("runs", {"run", "training", "samples"}),
        ("synthetic", {"look"}),
        ("dataset", {"data", "look"}),
    ],
)
def test_each_part_may_be_missing_alone(full: Path, gone: str, missing: set[str]) -> None:
    shutil.rmtree(full / gone)
    contents = _contents(full)
    assert {item.section for item in missing_of(contents)} == missing
    sections = [item["id"] for item in Outline(render(contents, made=MADE)).all("section")]
    assert sections == list(shown_sections(contents))
    assert not missing & set(sections)
    assert "missing" in sections


def test_the_page_refers_to_nothing_outside_itself_and_runs_nothing(page: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for text in (page, _page(tmp_path / "empty")):
        assert not ADDRESS.findall(text)
        found = Outline(text)
        assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in found.elements}
        policy = next(item["content"] for item in found.all("meta") if item.get("http-equiv"))
        assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_the_page_can_be_read_by_a_machine_that_reads_aloud(page: str) -> None:
    found = Outline(page)
    assert found.all("html") == [{"lang": "en"}]
    assert all(item.get("alt") for item in found.all("img"))
    assert len(found.all("img")) > 50
    assert all(item.get("aria-label") and item.get("role") == "img" for item in found.all("svg"))
    assert all(item.get("scope") in ("row", "col") for item in found.all("th"))
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), levels
    ids = [item["id"] for _, item in found.elements if "id" in item]
    assert len(ids) == len(set(ids))


def _evil(folder: Path, toy: Dataset, small: Settings) -> Path:
    """A workspace in which every name that a person or a file chooses is markup."""
    workspace = folder / "coigan"
    classes = (DefectClass(name=EVIL, colour=(230, 75, 60)), DefectClass(name="$x_{", colour=(60, 150, 230)))
    dataset = copy_with_classes(toy, workspace / "dataset", classes, command=f"coigan-aug import '{EVIL}'")
    records = list(dataset)
    first = records[0]
    write_image(dataset.image_root / f"{EVIL}.png", read_rgb(dataset.image_root / first.file))
    renamed = [type(first)(file=f"{EVIL}.png", height=72, width=96, annotations=first.annotations, split="train")]
    provenance = dict(dataset.manifest["provenance"]) | {"source": f"/data/{EVIL}"}
    dataset = write_dataset(
        workspace / "dataset", [*renamed, *records[1:]], classes=classes, image_root=dataset.image_root,
        provenance=provenance,
    )  # fmt: skip
    problem = {"file": EVIL, "row": None, "what": EVIL, "done": EVIL}
    write_sealed(workspace / "dataset" / "import.json", IMPORTED | {"problems": [problem]})
    write_run(workspace / "runs", dataset, small, command=EVIL)
    write_synthetic(workspace, dataset)
    write_results(workspace / "results", [EVIL, "$x_{"])
    for path in (workspace / "results").glob("*/result.json"):
        value = read_sealed(path)
        value |= {
            "verdict": EVIL,
            "warnings": [EVIL],
            "settings": {EVIL: EVIL},
            "pictures": [[EVIL, value["pictures"][0][1]]],
        }
        write_sealed(path, value)
    return workspace


def test_names_that_are_markup_appear_as_text(tmp_path: Path, toy: Dataset, small: Settings) -> None:
    page = _page(_evil(tmp_path, toy, small))
    assert EVIL not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    found = Outline(page)
    assert not [item for _, item in found.elements if any(name.startswith("on") for name in item)]
    assert all(str(item["src"]).startswith("data:image/webp;base64,") for item in found.all("img"))
    assert any(EVIL in str(item["alt"]) for item in found.all("img"))
    assert not ADDRESS.findall(page.replace("&lt;img src=x", "").replace("<img src=x", ""))


def test_pictures_give_way_until_the_page_keeps_its_bound(full: Path) -> None:
    for folder in (full / "results").iterdir():
        for path in folder.glob("*.png"):
            write_image(path, noise(600, 600))
    with pages_left_bare(keep_pictures=True):
        contents = _contents(full)
    page = render(contents, made=MADE)
    whole = len(page.encode())
    assert 500_000 < whole <= 10_000_000
    smaller = render(contents, made=MADE, most_bytes=whole - 1)
    assert len(smaller.encode()) < whole
    assert smaller.count("<img") == page.count("<img")
    with pytest.raises(ResourceError, match="larger than 1,000 bytes"):
        render(contents, made=MADE, most_bytes=1000)


@pytest.mark.slow
def test_the_worst_there_can_be_keeps_the_bound(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More classes than are shown, on images of noise; noise beside the results, more than is shown; charts as large as any."""
    workspace = tmp_path / "coigan"
    classes = tuple(DefectClass(name=f"class {k}", colour=(k, 2 * k, 3 * k)) for k in range(24))
    dataset = _noisy(tmp_path, workspace / "dataset", classes)
    write_run(workspace / "runs", dataset, small)
    write_synthetic(workspace, dataset)
    write_results(workspace / "results", dataset.names)
    for folder in (workspace / "results").iterdir():
        write_image(folder / "0.jpg", noise(1500, 1500))
        for k in range(1, 20):
            shutil.copy(folder / "0.jpg", folder / f"{k}.jpg")
        value = read_sealed(folder / "result.json")
        write_sealed(folder / "result.json", value | {"pictures": [[f"nearest {k}", f"{k}.jpg"] for k in range(20)]})
    with pages_left_bare(padding=LARGEST_CHART, keep_pictures=True):
        contents = _contents(workspace)
    monkeypatch.setattr("coigan_aug.report.html.LEVELS", LEVELS[-2:])  # finer ones give way, as above
    page = render(contents, made=MADE)
    assert page.count(LARGEST_CHART * "x") > 40
    assert len(page.encode()) <= 10_000_000
    assert len(contents.beside) == 20
    assert "The 20 classes with most objects of 24 are shown." in page
    assert f"12 more pictures are in {workspace}/results/002-benefit." in page


def _noisy(folder: Path, out: Path, classes: tuple[DefectClass, ...]) -> Dataset:
    """Eight images of noise, each with a large object of every second class."""
    from coigan_aug.annotations import rle
    from coigan_aug.annotations.records import Annotation, ImageRecord

    mask = np.zeros((200, 200), np.uint8)
    mask[20:150, 20:150] = 1
    records, solid = [], rle.encode(mask)
    for k in range(8):
        write_image(folder / "images" / f"{k}.png", noise(200, 200, seed=k))
        own = tuple(Annotation(label=item.name, rle=solid) for item in classes[k % 2 :: 2])
        records.append(
            ImageRecord(file=f"{k}.png", height=200, width=200, annotations=own, group=str(k), split="train")
        )
    return write_dataset(out, records, classes=classes, image_root=folder / "images", provenance={"format": "coco"})


def test_a_picture_is_stored_no_larger_than_its_level_allows() -> None:
    import base64

    import cv2

    for level, wanted in ((Level(1.0, 84), (700, 1400)), (Level(0.5, 60), (350, 700))):
        data = base64.b64decode(data_uri(noise(1000, 2000), level).removeprefix("data:image/webp;base64,"))
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == wanted


@pytest.mark.usefixtures("bare_pages", "few_draws")
def test_finding_comes_first_then_naming_each_with_its_verdict(full: Path) -> None:
    from tests.evaluation.test_benefit import ARMS, _tally, said

    hits = {"real": 40, "real + duplicates": 50, "real + gan": 60}
    tallies = {(arm.name, 0, seed): _tally(hits[arm.name], 100 - hits[arm.name], 8) for arm in ARMS for seed in (0, 1)}
    numbers = said(ARMS, tallies, about="gan")
    path = full / "results" / "002-benefit" / "result.json"
    write_sealed(path, read_sealed(path) | {"numbers": numbers, "verdict": numbers["verdict"]})
    page = html.unescape(_page(full))
    told = [f"{kind.capitalize()}: {numbers['verdicts'][kind]}." for kind in ("finding", "naming")]
    places = [page.index(text) for text in (*told, "Finding: is there any defect?", "Naming: which class?")]
    assert places == sorted(places)
    for text in ("pixel AP of any defect", "objects found, 10 % of clean images alarmed", "mean pixel AP by class"):
        assert text in page.replace("Pixel AP", "pixel AP")


@pytest.mark.usefixtures("bare_pages")
@pytest.mark.parametrize(
    ("gain", "heading"), [(0.2, "Benefit measured"), (0.0, "No benefit shown"), (-0.2, "Harm measured")]
)
def test_the_verdict_goes_by_where_the_interval_lies(full: Path, gain: float, heading: str) -> None:
    from .conftest import benefit_numbers

    path = full / "results" / "002-benefit" / "result.json"
    write_sealed(path, read_sealed(path) | {"numbers": benefit_numbers(["spot", "line"], gain=gain)})
    page = _page(full)
    assert [text for text in ("Benefit measured", "No benefit shown", "Harm measured") if text in page] == [heading]


@pytest.mark.usefixtures("bare_pages")
def test_what_was_made_from_another_state_of_the_data_is_said(full: Path) -> None:
    path = full / "dataset" / "dataset.json"
    write_sealed(path, read_sealed(path) | {"sha256": "0" * 64})
    path = full / "results" / "002-benefit" / "result.json"
    write_sealed(path, read_sealed(path) | {"measured_on": {"data": {"sha256": "f" * 64}}})
    contents = _contents(full)
    assert set(contents.notes) == {"run", "beside", "benefit"}
    assert render(contents, made=MADE).count("another state of the data set") == 3


@pytest.mark.usefixtures("bare_pages")
def test_images_that_were_moved_leave_a_sentence_and_the_rest_of_the_report(full: Path) -> None:
    shutil.rmtree(full.parent / "images")
    (full / "results" / "001-quality" / "nearest.png").unlink()
    contents = _contents(full)
    page = render(contents, made=MADE)
    assert "Some pictures can&#39;t be shown" in page
    assert "The picture “Nearest training objects” can&#39;t be shown" in page
    assert len(contents.beside) == 2
    assert all(not own.real and own.synthetic for own in contents.beside)
    assert [item.section for item in missing_of(contents)] == ["nearest"]
    assert "none to show" in page


@pytest.mark.usefixtures("bare_pages")
def test_a_picture_outside_the_result_is_not_read(full: Path) -> None:
    write_image(full / "secret.png", noise(8, 8))
    path = full / "results" / "002-benefit" / "result.json"
    write_sealed(path, read_sealed(path) | {"pictures": [["cam", "../../secret.png"]]})
    contents = _contents(full)
    assert contents.where == ()
    assert "leaves the image folder" in contents.notes["benefit"][0]


# The command


def _call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["coigan-aug", *arguments])
    code = run(app)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.usefixtures("bare_pages")
def test_the_command_writes_the_report_and_says_what_is_missing(
    full: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(full / "results")
    monkeypatch.chdir(full.parent)
    code, out, err = _call(capsys, monkeypatch, "report")
    assert (code, out) == (0, "")
    assert "report -> coigan/report.html" in err
    assert "not there yet: Verdict, Benefit, Where it looks   coigan-aug evaluate benefit" in err
    assert (full / "report.html").read_text().endswith("</html>")
    code, out, err = _call(capsys, monkeypatch, "report", "--json", "--quiet", "--out", "other/r.html")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["report"] == "other/r.html"
    assert told["bytes"] == (full.parent / "other" / "r.html").stat().st_size
    assert told["empty"]["quality"] == "coigan-aug evaluate quality"


def test_a_workspace_that_is_not_there_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = _call(capsys, monkeypatch, "report", "--workspace", "nowhere")
    assert code == 3
    assert "nowhere is no folder" in err
    assert "coigan-aug import" in err
