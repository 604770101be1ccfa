"""The training images without their defects: made once, each by itself, never of a test image; and composed from."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations.masks import grow
from coigan_aug.compose.composer import compose
from coigan_aug.compose.erase import GROW, MOST_ERASED, TELEA, Erasing, telea, with_erased, with_surface
from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings


@pytest.fixture(scope="module")
def erased(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return with_erased(prepared, TELEA, cache_root=tmp_path_factory.mktemp("erased"))


def _whole(prepared: Prepared, position: int) -> tuple[int, int, int, int]:
    height, width = prepared.cache[position].shape[:2]
    return Box(0, 0, width, height)


def test_every_training_image_with_objects_is_there_and_no_other(prepared: Prepared, erased: Prepared) -> None:
    assert erased.erased is not None
    assert set(erased.erased) == set(prepared.by_record)
    assert not set(erased.erased) & set(prepared.dataset.indices("test"))


def test_nothing_changes_outside_the_grown_masks_and_the_defects_are_gone(erased: Prepared) -> None:
    for position in erased.by_record:
        region = _whole(erased, position)
        before, after = erased.pixels(position, region), erased.erased_pixels(position, region)
        mask = erased.masks(position, region).max(axis=0)
        outside = grow(mask, GROW) == 0
        assert (before[outside] == after[outside]).all()
        around = np.median(before[(grow(mask, 10) != 0) & (grow(mask, 3) == 0)])
        far, near = (np.abs(x[mask > 0].astype(float) - around).mean() for x in (before, after))
        assert near < 0.5 * far


def test_an_image_without_defects_is_itself(prepared: Prepared, erased: Prepared) -> None:
    position = next(p for p in prepared.positions if p not in prepared.by_record)
    region = Box(-5, 3, 40, 40)
    assert (erased.erased_pixels(position, region) == prepared.pixels(position, region)).all()


def test_what_an_image_becomes_depends_on_it_alone(prepared: Prepared, erased: Prepared, tmp_path: Path) -> None:
    fewer = dict(reversed(list(prepared.by_record.items())[1:]))
    other = with_erased(dataclasses.replace(prepared, by_record=fewer), TELEA, cache_root=tmp_path)
    assert len(fewer) > 1
    for position in fewer:
        region = _whole(prepared, position)
        assert (other.erased_pixels(position, region) == erased.erased_pixels(position, region)).all()


def test_the_cache_is_made_once_and_another_way_of_erasing_has_its_own(prepared: Prepared, tmp_path: Path) -> None:
    calls = []

    def counted(rng: np.random.Generator, pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
        calls.append(1)
        return telea(rng, pixels, hole)

    for _ in range(2):
        with_erased(prepared, Erasing("counted", counted), cache_root=tmp_path)
    assert len(calls) == len(prepared.by_record)
    with_erased(prepared, Erasing("counted", counted, key="another file"), cache_root=tmp_path)
    assert len(calls) == 2 * len(prepared.by_record)


def test_composed_pairs_come_from_it(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    """An eraser that paints everything white leaves white in the grown masks, and the real window elsewhere."""

    def white(rng: np.random.Generator, pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
        return np.full_like(pixels, 255)

    painted = with_erased(prepared, Erasing("white", white), cache_root=tmp_path)
    painted = pickle.loads(pickle.dumps(painted))
    seen = 0
    for index in range(12):
        sample = compose(painted, small, 4, index)
        hole = grow(sample.pair_masks.max(axis=0), GROW) != 0
        assert (sample.pair_base[:, hole] == 1).all()
        assert (sample.pair_base[:, ~hole] == sample.pair_target[:, ~hole]).all()
        seen += int(hole.any())
    assert seen > 6


def test_a_view_that_shows_more_than_a_window_shows_the_erased_image_smaller(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    painted = with_erased(prepared, Erasing("white", lambda rng, pixels, hole: pixels * 0 + 255), cache_root=tmp_path)
    views = dataclasses.replace(painted, fit=0.3)
    for index in range(12):
        sample = compose(views, small, 4, index)
        solid = sample.pair_masks.max(axis=0) != 0
        beyond = grow(solid, GROW) == 0
        assert (sample.pair_base[:, beyond] == sample.pair_target[:, beyond]).all()
        assert sample.pair_base[:, solid].mean() > 0.9


def test_where_no_window_is_clean_those_with_defects_are_taken_without_them(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    assert with_surface(prepared, cache_root=tmp_path) is prepared, "clean surface is taken where there is any"
    made = with_surface(dataclasses.replace(prepared, clean=[]), cache_root=tmp_path)
    assert made.clean
    for window in made.clean:
        region = window.box(made.window)
        masks, shown = made.masks(window.position, region).max(axis=0), made.surface(window, region)
        assert masks.mean() <= MOST_ERASED
        assert (shown == made.erased_pixels(window.position, region)).all()
        assert not masks.any() or (shown != made.pixels(window.position, region)).any(), "the defect is gone"
    seen = [compose(made, small, seed=3, index=index).base for index in range(12)]
    bright = [base.max() for base in seen]
    assert max(bright) < 0.85, "no line, which is 90 levels brighter than its surroundings, is left in a base"


def test_defects_that_cover_all_are_not_erased_for_surface(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coigan_aug.compose.erase.MOST_ERASED", -1.0)
    with pytest.raises(DataError, match="cover too much of each to be erased"):
        with_surface(dataclasses.replace(prepared, clean=[]), cache_root=tmp_path)
