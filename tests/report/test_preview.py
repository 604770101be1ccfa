"""The preview page: what it says is right, what is not there is left out, nothing foreign is in it, it keeps its bound."""

from __future__ import annotations

import itertools
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.files import append_lines
from coigan_aug.folders import Folders
from coigan_aug.imaging import read_image, write_image
from coigan_aug.report.preview import MOST_BYTES, SECTIONS, Preview, compose_preview, write_preview
from coigan_aug.sealed import append_line, read_sealed, write_sealed
from coigan_aug.store.card import Card
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.rejected import REASONS, REJECTED, Rejected
from tests.conftest import pages_left_bare

from .conftest import copy_with_classes, noise, write_synthetic
from .test_html import ADDRESS, EVIL, Outline

COMMAND = "coigan-aug synthesize --per-class 3 --out made"
CARD = {
    "engine": "gan",
    "margin_px": 4,
    "promise": "Outside nothing changes.",
    "command": COMMAND,
    "generator": {"run": "001-tiny", "sha256": "ab" * 32},
    "settings": {"data": {"min_area": 9}},
    "bases": {"kind": "both", "erased": 3, "erased_share": 0.25, "erased_by": "telea"},
    "screening": {
        "effective": {"spot": {"median": 0.81, "n": 6}, "line": 0.42, "broken": None},
        "limits": {"invisible": 0.02, "least_shown": 0.3},
    },
}


@pytest.fixture
def made(bare_pages: None, whole: Path) -> Path:
    """A workspace with a synthetic set beside it that is a copy of the data set; its pages have neither charts nor pictures."""
    return whole


@pytest.fixture
def whole(tmp_path: Path, toy: Dataset) -> Path:
    """The same with them."""
    workspace = tmp_path / "coigan"
    dataset = copy_with_classes(toy, workspace / "dataset", toy.classes, command="coigan-aug import strips.csv")
    write_synthetic(workspace, dataset)
    return workspace


def _sets(workspace: Path) -> dict[str, Any]:
    return {
        "workspace": Folders(workspace),
        "real": Dataset(workspace / "dataset"),
        "synthetic": Dataset(workspace / "synthetic" / "made"),
    }


def reject_some(out: Path, count: int = 30) -> tuple[Rejected, ...]:
    """Reject by turns for each reason, two spots to a line, and leave thumbnails."""
    items = []
    for k in range(count):
        name = f"rejected/{k + 1:06d}-1.png"
        write_image(out / name, noise(20, 30, seed=k))
        items.append(Rejected(k + 1, 0, 1, REASONS[k % 3], "line" if k % 3 == 2 else "spot", k / count, 0.5, name))
    return tuple(items)


def _compose(workspace: Path, card: dict[str, Any], rejected: tuple[Rejected, ...] = ()) -> Preview:
    known = msgspec.convert(card, Card)
    return compose_preview("made", **_sets(workspace), card=known, rejected=rejected)


def _page(workspace: Path, card: dict[str, Any], rejected: tuple[Rejected, ...] = ()) -> str:
    out = workspace.parent / "made"
    known = msgspec.convert(card, Card)
    path = write_preview(out, **_sets(workspace), card=known, rejected=rejected)
    assert path == out / "preview.html"
    return path.read_text()


def test_everything_that_is_known_is_shown(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are drawn of classes with as many objects as there are here, and of no others."""
    items = reject_some(whole.parent / "made")
    monkeypatch.setattr("coigan_aug.report.fit.FEW", 1)
    page = _page(whole, CARD, items)
    sections = [item["id"] for item in Outline(page).all("section")]
    assert sections == list(SECTIONS)
    for text in (
        "Preview of made",
        "12 images with 12 defects of 2 classes",
        "4 px round each mask",
        "Outside nothing changes.",
        "filled in from the surface around them",
        "Objects under 9 px are left out",
        "30 defects that had been drawn, 71% of all, were rejected.",
        "limits, invisible",
        "whether it can be seen",
        "coigan-aug import strips.csv",
        COMMAND,
    ):
        assert text in page
    assert page.count("<svg") == 2 * (2 + 4)
    for text in ("margin_px", "telea", "IoU", "least_shown"):
        assert text not in re.sub(r"base64,[^\"]*", "", page)
    with pages_left_bare():
        assert _page(whole, CARD, items).count("<svg") == 2 * (2 + 4)
        monkeypatch.setattr("coigan_aug.report.fit.FEW", 7)
        assert "<svg" not in _page(whole, CARD, items)


def test_what_an_older_set_does_not_say_is_left_out(made: Path) -> None:
    page = _page(made, {})
    sections = [item["id"] for item in Outline(page).all("section")]
    assert sections == ["look", "verdict", "beside", "made", "fit", "repeat"]
    assert "None" not in re.sub(r"base64,[^\"]*", "", page)


def test_a_screen_that_rejected_nothing_says_so(made: Path) -> None:
    page = _page(made, {"screening": {"effective": {}}})
    assert "every defect that was drawn passed the screen" in page
    assert 'id="masks"' not in page


def test_rejected_ones_are_counted_by_class_and_reason(made: Path) -> None:
    items = reject_some(made.parent / "made")
    found = _compose(made, CARD, items).rejected
    assert found is not None
    assert [reason for reason, _ in found.reasons] == ["invisible", "mask", "copy"]
    for row in found.rows:
        for (reason, _), count in zip(found.reasons, row.counts, strict=True):
            assert count == sum(item.label == row.name and item.reason == reason for item in items)
        kept = 6  # of each class in the copied set
        assert row.total == sum(row.counts)
        assert row.share == row.total / (row.total + kept)
    assert found.share == 30 / 42


def test_at_most_eight_thumbnails_of_a_reason_spread_over_what_was_measured(made: Path) -> None:
    items = reject_some(made.parent / "made", count=90)
    found = _compose(made, CARD, items).rejected
    assert found is not None
    for reason, shown in found.shown:
        values = sorted(item.value for item in items if item.reason == reason)
        measured = [float(item.measured.split(",")[0]) for item in shown]
        assert len(measured) == 8
        assert measured[0] == pytest.approx(values[0], abs=1e-3)
        assert measured[-1] == pytest.approx(values[-1], abs=1e-3)
        assert measured == sorted(measured)


def test_thumbnails_that_are_gone_or_outside_leave_a_sentence(made: Path) -> None:
    items = list(reject_some(made.parent / "made", count=6))
    (made.parent / "made" / str(items[0].file)).unlink()
    write_image(made.parent / "secret.png", noise(8, 8))
    items[1] = replace(items[1], file="../secret.png")
    items[2] = replace(items[2], file=None)
    found = _compose(made, CARD, tuple(items))
    assert found.rejected is not None
    assert [len(shown) for _, shown in found.rejected.shown] == [1, 1, 1]
    assert len(found.notes["rejected"]) == 2
    assert "can&#39;t be shown" in _page(made, CARD, tuple(items))


def test_a_reason_of_a_later_version_and_a_class_that_is_gone_are_counted_too(made: Path) -> None:
    found = _compose(made, {}, (Rejected(1, 0, 0, "too new", "gone", 1.0, 2.0),)).rejected
    assert found is not None
    assert found.reasons == (("too new", ""),)
    assert [(row.name, row.total) for row in found.rows] == [("spot", 0), ("line", 0), ("gone", 1)]


def test_defects_are_counted_by_engine_where_there_are_several(made: Path) -> None:
    own = Dataset(made / "synthetic" / "made")
    records = [_by(record, ("gan", "paste", "poisson")[k % 3]) for k, record in enumerate(own)]
    write_dataset(own.folder, records, classes=own.classes, image_root=own.image_root, provenance={})
    found = _compose(made, {})
    assert set(found.engines) == {"gan", "paste", "poisson"}
    for row in found.rows:
        for engine, count in zip(found.engines, row.by_engine, strict=True):
            assert count == sum(
                a.label == row.name and a.attributes["engine"] == engine for r in records for a in r.annotations
            )
    page = _page(made, {})
    assert all(f'<th scope="col">by {engine}</th>' in page for engine in found.engines)


def test_specks_that_training_takes_no_shape_from_are_not_compared(made: Path) -> None:
    totals = []
    for card in ({}, {"settings": {"data": {"min_area": 90}}}):
        found = _compose(made, card)
        areas = [c for own in found.fits for c in own.compared if c.name == "area"]
        counts = [sum(item.real_counts) for item in areas]
        assert counts == [own.real for own in found.fits]
        assert all(item.edges[0] > 80 for item in areas) == bool(card)
        totals.append(sum(own.real for own in found.fits))
    assert totals[0] > totals[1]


def _by(record: ImageRecord, engine: str) -> ImageRecord:
    own = tuple(replace(annotation, attributes={"engine": engine}) for annotation in record.annotations)
    return replace(record, annotations=own)


def test_what_stands_out_is_said(made: Path) -> None:
    rejected = tuple(Rejected(k + 1, 0, 0, "copy", "spot", 1.0, 0.5) for k in range(20))
    found = _compose(made, CARD, rejected)
    told = "line: much of the mask looks as before: mask and change share 42% of what they cover together."
    assert found.stands_out == (told, "spot: 77% of what was drawn was rejected.")
    for shown, words in ((0.95, ""), (0.4, "line: only 40% of a mask changed, in the middle of all: much of the mask")):
        of_line = {"screening": {"effective": {"line": {"median": 0.42, "shown": shown, "n": 9}}}}
        said = _compose(made, CARD | of_line).stands_out
        assert [text.startswith(words) for text in said] == [True] * bool(words)
    assert "Look at this before you use it" in _page(made, CARD, rejected)
    assert "Nothing stands out" in _page(made, {"screening": {}})
    own = Dataset(made / "synthetic" / "made")
    records = [replace(r, annotations=tuple(a for a in r.annotations if a.label == "spot")) for r in own]
    write_dataset(own.folder, records, classes=own.classes, image_root=own.image_root, provenance={})
    assert _compose(made, {}).stands_out == ("line: none were made.",)
    assert _compose(made, {"screening": {"missing": {}}}).stands_out == (), "nobody asked for lines"


def test_a_copy_of_the_real_set_is_as_crisp_as_it_and_a_blurred_one_is_not(made: Path) -> None:
    """The made set copies the data set, of which the training images count here."""
    own = Dataset(made / "synthetic" / "made")
    for k in range(len(own)):
        path = own.image_path(k)
        write_image(path, np.asarray(cv2.GaussianBlur(read_image(path), (0, 0), 2.0)))
    soft = {row.name: row for row in _compose(made, CARD).masks}
    assert all(row.edge is not None and row.edge < 0.8 for row in soft.values())
    assert f"<td>{soft['spot'].edge:.2f}</td>" in _page(made, CARD)
    own.image_path(0).unlink()
    assert all(row.edge is row.grain is None for row in _compose(made, CARD).masks)


def test_another_state_of_the_data_is_said(made: Path) -> None:
    real = Dataset(made / "dataset").manifest["sha256"]
    assert "another state of the data set" not in _page(made, {"data": real})
    assert "another state of the data set" in _page(made, {"data": "0" * 64})


def test_images_that_were_moved_leave_a_sentence_and_the_rest(made: Path) -> None:
    shutil.rmtree(made.parent / "images")
    found = _compose(made, CARD)
    assert "can't be shown" in found.notes["beside"][0]
    assert all(not own.real and own.synthetic for own in found.beside)


def test_the_same_set_gives_the_same_page(whole: Path) -> None:
    items = reject_some(whole.parent / "made")
    assert _page(whole, CARD, items) == _page(whole, CARD, items)


def test_it_refers_to_nothing_outside_runs_nothing_and_can_be_read_aloud(whole: Path) -> None:
    page = _page(whole, CARD, reject_some(whole.parent / "made"))
    assert not ADDRESS.findall(page)
    found = Outline(page)
    assert not {"script", "iframe", "object", "embed", "form"} & {tag for tag, _ in found.elements}
    policy = next(item["content"] for item in found.all("meta") if item.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(str(item["src"]).startswith("data:image/webp;base64,") and item["alt"] for item in found.all("img"))
    assert all(item.get("aria-label") for item in found.all("svg"))
    assert all(item.get("scope") in ("row", "col") for item in found.all("th"))
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), levels
    ids = [item["id"] for _, item in found.elements if "id" in item]
    assert len(ids) == len(set(ids))


def test_names_that_are_markup_appear_as_text(tmp_path: Path, toy: Dataset) -> None:
    workspace = tmp_path / "coigan"
    classes = (DefectClass(name=EVIL, colour=(230, 75, 60)), DefectClass(name="$x_{", colour=(60, 150, 230)))
    dataset = copy_with_classes(toy, workspace / "dataset", classes, command=EVIL)
    write_synthetic(workspace, dataset)
    card = {"engine": EVIL, "promise": EVIL, "command": EVIL, "screening": {"effective": {EVIL: 0.1}, EVIL: EVIL}}
    page = _page(workspace, card, (Rejected(1, 0, 0, EVIL, EVIL, 1.0, 0.0),))
    assert EVIL not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert not [item for _, item in Outline(page).elements if any(name.startswith("on") for name in item)]


@pytest.mark.slow
def test_many_classes_on_noise_keep_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few classes, and a bound that they reach: tests/report/test_html.py has the whole."""
    from .test_html import _noisy

    workspace = tmp_path / "coigan"
    bound = MOST_BYTES // 8
    monkeypatch.setattr("coigan_aug.report.preview.MOST_BYTES", bound)
    classes = tuple(DefectClass(name=f"class {k}", colour=(k, 2 * k, 3 * k)) for k in range(6))
    dataset = _noisy(tmp_path, workspace / "dataset", classes)
    write_synthetic(workspace, dataset)
    items = []
    for k in range(32):
        name = f"rejected/{k + 1:06d}-0.png"
        write_image(tmp_path / "made" / name, noise(200, 200, seed=k))
        items.append(Rejected(k + 1, 0, 0, REASONS[k % 4], "class 1", 0.1, 0.2, name))
    with pages_left_bare(keep_pictures=True):
        page = _page(workspace, {}, tuple(items))
    assert bound // 4 < len(page.encode()) <= bound
    assert page.count("<img") == 4 * 3 + 2 + 6 * 2 * 2 * 4 + 32


# The report


def _report(workspace: Path) -> str:
    from coigan_aug.stages.report import write_report

    path = workspace / "report.html"
    write_report(path, Folders(workspace), command="coigan-aug report")
    return path.read_text()


def test_the_report_shows_what_the_newest_set_rejected(made: Path) -> None:
    out = made.parent / "made"
    with append_lines(out / REJECTED) as stream:
        for item in reject_some(out):
            append_line(stream, asdict(item))
    write_sealed(out / "card.json", read_sealed(out / "card.json") | {"screening": CARD["screening"]})
    page = _report(made)
    assert "Screened: 30 of 42 defects that had been drawn were rejected." in page
    assert "30 defects that had been drawn, 71% of all, were rejected." in page
    assert page.count("limit 0.5") == 2 * 24
