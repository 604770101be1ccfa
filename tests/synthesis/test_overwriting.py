"""A set that takes another's place: nothing of the old one stays, and nothing else is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import UsageError
from coigan_aug.formats.detect import format_named, open_source
from coigan_aug.formats.names import NAMES
from coigan_aug.formats.source import Problems, ReadOptions, parse_classes
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import read_lines
from coigan_aug.settings import Settings
from coigan_aug.synthesis.engines import copying_engine
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.rows import PLAN
from coigan_aug.synthesis.run import check_free
from tests.synthesis.drawing import made_set


class Killed(Exception):
    """Stands for the death of a process."""


def pasted(prepared: Prepared, settings: Settings, out: Path, **options: object) -> Made:
    engine = copying_engine("paste", prepared, settings)
    made = made_set(prepared, engine, settings, out, overwrite=True, **options)  # type: ignore[arg-type]
    assert made is not None
    return made


def read_back(made: Made, form: str) -> tuple[list[ImageRecord], list[str]]:
    """Read a set; return its records and what is odd."""
    problems = Problems()
    options = ReadOptions(classes=parse_classes("spot=1,line=2") if form == "severstal" else ())
    path = made.annotations.parent if form.startswith("mask-") else made.annotations
    source = open_source(path, options=options, problems=problems, name=form)
    return list(source.records), [str(problem) for problem in problems.all]


@pytest.mark.parametrize("form", NAMES)
def test_nothing_of_an_earlier_set_is_read(prepared: Prepared, small: Settings, tmp_path: Path, form: str) -> None:
    out, images = tmp_path / "out", format_named(form).image_folder
    pasted(prepared, small, out, form=form, per_class=2)
    old = {row["file"] for row in read_lines(out / PLAN)}
    (out / "notes.txt").write_text("mine")
    (out / images / "mine.txt").write_text("mine")
    made = pasted(prepared, small, out, form=form, per_class=1, first=100)
    new = {row["file"] for row in read_lines(out / PLAN)}
    assert new
    assert not old & new
    fresh = pasted(prepared, small, tmp_path / "fresh" / "out", form=form, per_class=1, first=100)
    records, odd = read_back(made, form)
    assert odd == read_back(fresh, form)[1]
    assert {record.file.rpartition("/")[2] for record in records} == {name.rpartition("/")[2] for name in new}
    assert all(record.annotations for record in records)
    assert (out / "notes.txt").exists()
    assert (out / images / "mine.txt").exists()


@pytest.fixture(scope="module")
def coco_alone(prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of a set in an empty folder."""
    out = tmp_path_factory.mktemp("alone") / "new"
    pasted(prepared, small, out, form="coco", per_class=1)
    return {str(path.relative_to(out)) for path in out.rglob("*")}


@pytest.mark.parametrize("form", NAMES)
def test_a_set_leaves_nothing_in_the_place_of_one_in_another_format(
    prepared: Prepared, small: Settings, tmp_path: Path, coco_alone: set[str], form: str
) -> None:
    out = tmp_path / "out"
    pasted(prepared, small, out, form=form, per_class=2)
    pasted(prepared, small, out, form="coco", per_class=1)
    assert {str(path.relative_to(out)) for path in out.rglob("*")} == coco_alone


@pytest.mark.parametrize("first", ["finished", "killed", "killed while it was finished"])
def test_what_a_killed_one_left_is_removed_too(
    prepared: Prepared, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    def die(*_: object, **options: object) -> None:
        raise Killed

    out = tmp_path / "out"
    if first == "finished":
        pasted(prepared, small, out, form="yolo")
    else:
        place = "write_dataset" if "finished" in first else "_write_rows"
        with monkeypatch.context() as patch:
            patch.setattr(f"coigan_aug.synthesis.finishing.{place}", die)
            with pytest.raises(Killed):
                pasted(prepared, small, out, form="yolo")
    shutil.copy(out / "images" / "synthetic_000001.png", out / "images" / ".synthetic_000099.png.7.tmp")
    pasted(prepared, small, out, form="yolo", per_class=1, first=100)
    pasted(prepared, small, tmp_path / "new", form="yolo", per_class=1, first=100)
    shapes = [{str(path.relative_to(folder)) for path in folder.rglob("*")} for folder in (out, tmp_path / "new")]
    assert shapes[0] == shapes[1]


def test_a_folder_of_other_files_is_not_overwritten(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    for name in (
        "images/a.png",
        "data/a.csv",
        "ds0/a",
        "JPEGImages/a.jpg",
        "rejected/a",
        "images/synthetic_000001.png",
    ):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("mine")
    before = {path for path in (tmp_path / "out").rglob("*") if path.name != ".lock"}
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="holds other files"):
            check_free(tmp_path / "out", overwrite=overwrite)
    with pytest.raises(UsageError, match="holds other files"):
        pasted(prepared, small, tmp_path / "out")
    assert {path for path in (tmp_path / "out").rglob("*") if path.name != ".lock"} == before
