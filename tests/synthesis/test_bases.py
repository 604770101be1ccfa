"""Bases whose defects are erased: only training images, no defect left, nothing else changed, and said in the records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.compose.erase import TELEA, with_surface
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.seams import measure_seams
from coigan_aug.files import sha256
from coigan_aug.geometry import Box
from coigan_aug.imaging import read_image
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.sealed import read_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import Base, erased_margin, find_bases, left_out, read_base, settle_kind
from coigan_aug.synthesis.engines import copying_engine
from coigan_aug.synthesis.finishing import Made
from tests.synthesis.drawing import made_set, planned


@pytest.fixture(scope="module")
def half(toy: Dataset, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The toy data at half the scale."""
    data = dataclasses.replace(small.data, scale=0.5)
    return prepare(toy, data, cache_root=tmp_path_factory.mktemp("half"))


def _union(prepared: Prepared, position: int) -> np.ndarray:
    return rle.decode(rle.union([annotation.rle for annotation in prepared.dataset[position].annotations]))


def test_erased_bases_are_the_training_images_with_defects_and_clean_ones_those_without(prepared: Prepared) -> None:
    train = [(p, bool(prepared.dataset[p].annotations)) for p in prepared.dataset.indices("train")]
    whole = {kind: find_bases(prepared, kind=kind, windows=False) for kind in ("clean", "erased", "both")}
    assert {base.position for base in whole["erased"]} == {p for p, defective in train if defective}
    assert {base.position for base in whole["clean"]} == {p for p, defective in train if not defective}
    assert all(base.erased for base in whole["erased"])
    assert not any(base.erased for base in whole["clean"])
    assert sorted(map(repr, whole["both"])) == sorted(map(repr, whole["clean"] + whole["erased"]))
    test = set(prepared.dataset.indices("test"))
    for kind in ("clean", "erased", "both"):
        assert not test & {base.position for base in find_bases(prepared, kind=kind, windows=True)}


def test_windows_that_are_erased_hold_defects_and_lie_in_their_image(half: Prepared) -> None:
    for base in find_bases(half, kind="erased", windows=True):
        left, top, width, height = base.region
        assert left >= 0
        assert top >= 0
        assert left + width <= 96
        assert top + height <= 72
        assert (width, height) == (64, 64)


def test_images_that_are_mostly_defect_are_left_out_and_counted(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert left_out(prepared) == 0
    monkeypatch.setattr("coigan_aug.synthesis.bases.MOST_ERASED", 0.0)
    assert left_out(prepared) == len(prepared.by_record)
    with pytest.raises(DataError, match="too much to erase"):
        find_bases(prepared, kind="erased", windows=False)
    assert find_bases(prepared, kind="both", windows=False) == find_bases(prepared, kind="clean", windows=False)


def test_where_no_image_is_clean_bases_are_erased_by_themselves(prepared: Prepared) -> None:
    none = dataclasses.replace(prepared, clean=[w for w in prepared.clean if w.position in prepared.by_record])
    assert none.clean
    assert settle_kind("auto", prepared, windows=False) == "clean"
    assert settle_kind("auto", none, windows=False) == "erased"
    assert settle_kind("auto", none, windows=True) == "clean", "clean parts of images with defects"
    assert settle_kind("clean", none, windows=False) == "clean", "what is asked for stays"
    assert find_bases(none, kind="auto", windows=False) == find_bases(prepared, kind="erased", windows=False)


def test_windows_that_were_taken_for_clean_are_no_clean_bases(prepared: Prepared, tmp_path: Path) -> None:
    made = with_surface(dataclasses.replace(prepared, clean=[]), cache_root=tmp_path)
    assert made.clean
    assert settle_kind("auto", made, windows=True) == "erased"
    assert all(base.erased for base in find_bases(made, kind="auto", windows=True))


def test_bases_of_a_kind_that_is_not_there_are_refused(prepared: Prepared) -> None:
    with pytest.raises(UsageError, match="no bases 'dirty'"):
        find_bases(prepared, kind="dirty", windows=False)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_an_erased_base_shows_no_defect_and_differs_nowhere_else(
    prepared: Prepared, half: Prepared, scale: float
) -> None:
    """In the toy data a disc is 60 % darker than its surroundings, a line 90 levels brighter."""
    own = prepared if scale == 1 else half
    for base in find_bases(own, kind="erased", windows=False):
        image = read_image(own.dataset.image_path(base.position))
        made, union = read_base(own, base, TELEA), _union(own, base.position)
        assert made.shape == image.shape, "grey stays grey"
        outside = grow(union, erased_margin(scale)) == 0
        assert (made[outside] == image[outside]).all()
        near = image[(grow(union, 12) != 0) & (grow(union, 3) == 0)].astype(float)
        before, after = (np.abs(x[union > 0] - np.median(near)).mean() for x in (image.astype(float), made))
        assert before > 50
        assert after < 25
        assert (made == read_base(own, base, TELEA)).all()


def test_a_window_of_an_erased_image_is_a_part_of_it(prepared: Prepared) -> None:
    base = find_bases(prepared, kind="erased", windows=True)[0]
    whole = read_base(prepared, Base(base.position, Box(0, 0, 96, 72), erased=True), TELEA)
    left, top, width, height = base.region
    assert (read_base(prepared, base, TELEA) == whole[top : top + height, left : left + width]).all()


def test_shapes_do_not_go_back_where_they_were_erased(prepared: Prepared, small: Settings) -> None:
    plans = {kind: planned(prepared, small, per_class=20, bases=kind) for kind in ("clean", "erased")}
    assert not any(job.erased for job in plans["clean"])
    assert all(job.erased for job in plans["erased"])
    for job in plans["erased"]:
        assert all(prepared.objects[defect.shape_of].position != job.base for defect in job.defects)


def _make(prepared: Prepared, settings: Settings, out: Path, *, bases: str) -> Made:
    made = made_set(prepared, copying_engine("paste", prepared, settings), settings, out, per_class=6, bases=bases)
    assert made is not None
    return made


def test_records_and_card_say_which_images_stand_on_erased_ones_and_only_new_defects_are_annotated(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    made = _make(prepared, small, tmp_path / "out", bases="both")
    records, card = Dataset(tmp_path / "out-records"), read_sealed(tmp_path / "out/card.json")
    marked = [record for record in records if record.source.get("erased")]
    assert 0 < made.erased == len(marked) < made.images
    assert card["bases"]["erased"] == made.erased
    assert card["bases"]["erased_share"] == pytest.approx(made.erased / made.images, abs=1e-4)
    assert card["bases"]["erased_by"] == "telea"
    assert card["bases"]["erased_margin_px"] == marked[0].source["erased_margin_px"]
    by_file = {record.file: record for record in prepared.dataset}
    for record in records:
        base = by_file[record.source["base"]]
        assert base.split == "train"
        assert bool(base.annotations) == bool(record.source.get("erased"))
        assert all(annotation.attributes["synthetic"] for annotation in record.annotations)
        drawn = sum(rle.decode(annotation.rle).astype(int) for annotation in record.annotations)
        changed = grow(drawn, card["margin_px"])
        if base.annotations:
            changed |= grow(rle.decode(rle.union([a.rle for a in base.annotations])), erased_margin(1.0))
        image = read_image(prepared.dataset.image_root / base.file)
        assert (read_image(tmp_path / "out" / record.file)[changed == 0] == image[changed == 0]).all()


def test_clean_bases_leave_no_trace_of_erasing(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    made = _make(prepared, small, tmp_path / "out", bases="clean")
    assert made.erased == 0
    assert read_sealed(tmp_path / "out/card.json")["bases"] == {"kind": "clean", "erased": 0, "erased_share": 0.0}
    assert not any("erased" in record.source for record in Dataset(tmp_path / "out-records"))


def test_the_same_request_gives_the_same_files(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    for name in ("one", "two"):
        _make(prepared, small, tmp_path / name, bases="erased")
    hashes = [[sha256(path) for path in sorted((tmp_path / name / "images").iterdir())] for name in ("one", "two")]
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) > 3


def test_erased_places_count_neither_as_outside_nor_as_changed(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    _make(prepared, small, tmp_path / "out", bases="erased")
    made, margin = Dataset(tmp_path / "out-records"), read_sealed(tmp_path / "out/card.json")["margin_px"]
    seams = measure_seams(made, prepared.dataset, margin=margin, advance=lambda done: None)
    assert seams.changed == 0
    assert 0 < seams.outside < sum(record.height * record.width for record in made)
