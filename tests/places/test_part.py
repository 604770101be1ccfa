"""The part is found where there is background, and a surface that fills its image is never cut."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug import rng
from coigan_aug.demo import strips
from coigan_aug.places.part import find_part, full_size
from coigan_aug.places.survey import survey_parts
from coigan_aug.settings import DataSettings
from tests.prepare.scenes import ellipse, examples_of, noise, overlap, painted, patch

SHAPE = (160, 240)


@pytest.mark.parametrize(("back", "front"), [(4, 90), (12, 60), (250, 150), (128, 60), (128, 200)])
@pytest.mark.parametrize("axes", [(70, 60), (110, 70), (55, 45)])
def test_a_round_part_on_an_even_background_of_any_level_is_found(
    back: float, front: float, axes: tuple[int, int]
) -> None:
    truth = ellipse(SHAPE, centre=(120, 80), axes=axes)
    found = find_part(painted(truth, back=back, front=front, seed=3))
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 1}
    assert overlap(found, truth) > 0.96


def test_a_part_is_found_by_its_colour_alone() -> None:
    truth = ellipse(SHAPE, centre=(120, 80), axes=(80, 60))
    image = (
        np.where(truth[..., None], [120, 60, 100], [60, 120, 100]) + noise(1, SHAPE, grain=0, deviation=3)[..., None]
    )
    assert overlap(find_part(np.clip(image, 0, 255).astype(np.uint8)), truth) > 0.96


def test_dust_on_the_background_is_background_and_a_hole_in_the_part_is_part() -> None:
    truth = ellipse(SHAPE, centre=(120, 80), axes=(80, 60))
    image = painted(truth, back=20, front=130, seed=5)
    for x, y in ((20, 20), (215, 140), (12, 90), (200, 10)):
        cv2.circle(image, (x, y), 3, 200, -1)
    cv2.circle(image, (120, 80), 8, 20, -1)
    assert overlap(find_part(image), truth) > 0.96


@pytest.mark.parametrize("turned", [False, True])
def test_a_narrow_background_along_a_long_strip_is_found(turned: bool) -> None:
    """14 rows of 100 along 1600 px: narrow is measured by the shorter side."""
    truth = np.ones((100, 1600), bool)
    truth[86:] = False
    truth = truth.T if turned else truth
    assert overlap(find_part(painted(truth, back=20, front=130, seed=5)), truth) > 0.96


def test_two_parts_side_by_side_are_both_found() -> None:
    truth = ellipse(SHAPE, centre=(60, 80), axes=(45, 60)) | ellipse(SHAPE, centre=(180, 80), axes=(45, 60))
    assert overlap(find_part(painted(truth, back=240, front=120, seed=6)), truth) > 0.96


@pytest.mark.parametrize("index", range(24))
def test_the_dark_ends_of_steel_strips_are_found_and_other_strips_stay_whole(index: int) -> None:
    first, last = strips._dark_ends(rng.generator(7, "demo.ends", index), 800)
    truth = np.zeros((128, 800), bool)
    truth[:, first:last] = True
    strip = strips.make_strip(7, index, defective=True)
    found = find_part(strip.image)
    assert bool(found.all()) == bool(truth.all())
    assert overlap(found, truth) > 0.99
    assert not any((mask & (found == 0)).any() for mask in strip.masks.values())


def _surfaces() -> dict[str, np.ndarray]:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    board = lambda side: 60 + 120 * ((x // side + y // side) % 2)  # noqa: E731
    blobs = {f"grain {grain}": 120 + noise(2, SHAPE, grain=grain, deviation=45) for grain in (0, 1, 2, 4, 8, 16, 30)}
    hard = {f"blobs {grain}": np.where(noise(4, SHAPE, grain=grain, deviation=1) > 0, 180, 60) for grain in (3, 5, 8)}
    boards = {f"board {side}": board(side) for side in (4, 10, 20, 40, 80)}
    stripes = {f"stripes {side}": 60 + 120 * ((x // side) % 2) for side in (5, 15, 40)}
    vignette = 180 * np.exp(-(((x - 120) / 110) ** 2) - ((y - 80) / 70) ** 2)
    slope = 20 + 200 * x / SHAPE[1]
    return {"even": np.full(SHAPE, 90), "slope": slope, "vignette": vignette} | blobs | hard | boards | stripes


@pytest.mark.parametrize("name", list(_surfaces()))
def test_a_surface_that_fills_the_image_is_never_cut(name: str) -> None:
    image = _surfaces()[name] + noise(9, SHAPE, grain=0, deviation=3)
    assert find_part(np.clip(image, 0, 255).astype(np.uint8)).all()


def test_a_dark_notch_or_a_narrow_rim_at_the_border_is_part() -> None:
    surface = painted(np.ones(SHAPE, bool), back=0, front=120, seed=2)
    notched, rimmed = surface.copy(), surface.copy()
    notched[:30, 90:150] = 5
    rimmed[:, :3] = 5
    assert find_part(notched).all()
    assert find_part(rimmed).all()


def test_what_takes_little_of_the_image_or_has_a_hollow_outline_is_no_part() -> None:
    small = ellipse(SHAPE, centre=(120, 80), axes=(35, 30))
    hollow = ellipse(SHAPE, centre=(120, 80), axes=(90, 65)) & ~ellipse(SHAPE, centre=(120, 60), axes=(50, 60))
    assert small.mean() < 0.15 < hollow.mean()
    assert find_part(painted(small, back=5, front=120, seed=1)).all()
    assert find_part(painted(hollow, back=5, front=120, seed=1)).all()


def test_an_image_that_is_all_background_is_all_part() -> None:
    assert find_part(np.full((40, 60), 3, np.uint8)).all()
    assert find_part(np.full((3, 2, 3), 200, np.uint8)).all()


def test_at_full_size_each_pixel_has_the_nearest_one_of_the_working_scale() -> None:
    small = (np.random.default_rng(0).random((13, 21)) < 0.5).astype(np.uint8)
    shown = full_size(small, height=27, width=40)
    for y in range(27):
        for x in range(40):
            assert shown[y, x] == small[int((y + 0.5) / 27 * 13), int((x + 0.5) / 40 * 21)]


def _scenes(count: int) -> tuple[list[np.ndarray], np.ndarray]:
    truth = ellipse(SHAPE, centre=(120, 80), axes=(90, 65))
    return [painted(truth, back=5, front=120, seed=10 * k) for k in range(count)], truth


def test_parts_are_used_where_real_defects_lie_on_them(tmp_path: Path) -> None:
    images, truth = _scenes(4)
    masks = [{"spot": [patch(SHAPE, 100 + 5 * k, 60, 12, 9)]} for k in range(3)] + [{}]
    examples = examples_of(tmp_path, images, masks, settings=DataSettings(window=32, scale=0.5))
    parts = survey_parts(examples)
    assert (parts.used, parts.images, parts.cut, parts.off) == (True, 4, 4, (0.0, 0.0))
    assert overlap(parts.full(examples, 0), truth) > 0.95
    assert parts.says(("spot", "line")) == "Part: background is seen in 4 of 4 images; defects stay off it."


def test_parts_are_not_used_where_over_two_percent_of_a_class_lie_off_them(tmp_path: Path) -> None:
    images, _ = _scenes(3)
    inside, half = patch(SHAPE, 100, 60, 40, 20), patch(SHAPE, 100, 5, 20, 20)  # the ellipse begins at y = 15
    examples = examples_of(tmp_path, images, [{"spot": [inside], "line": [half]}] * 3)
    parts = survey_parts(examples)
    assert not parts.used
    assert parts.off == pytest.approx((0, 0.55), abs=0.06)
    assert parts.full(examples, 0).all()
    assert "of the real line pixels lie on it; every image is all part." in parts.says(("spot", "line"))


def test_a_defect_on_a_bare_surface_is_no_part(tmp_path: Path) -> None:
    """To the eye of one image alone, a large dark defect on an even surface is a part on a background."""
    truth = ellipse(SHAPE, centre=(120, 80), axes=(50, 40))
    images = [painted(truth, back=180, front=60, seed=k) for k in range(3)]
    assert not find_part(images[0]).all()
    parts = survey_parts(examples_of(tmp_path, images, [{"spot": [truth.astype(np.uint8)]}] * 3))
    assert (parts.used, parts.filled) == (False, 3)
    assert "in 3 of them all round a defect" in parts.says(("spot", "line"))


def test_where_no_background_is_seen_the_whole_image_is_part(tmp_path: Path) -> None:
    image = painted(np.ones(SHAPE, bool), back=0, front=120, seed=1)
    parts = survey_parts(examples_of(tmp_path, [image], [{}]))
    assert (parts.used, parts.cut) == (True, 0)
    assert parts.says(("spot", "line")) == "Part: the whole image, everywhere."


@pytest.mark.parametrize(("height", "width"), [(320, 480), (333, 501)])
def test_a_part_in_a_large_image_is_found_in_a_smaller_copy(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = ellipse((height, width), centre=(240, 160), axes=(150, 110))
    monkeypatch.setattr("coigan_aug.places.part._LARGE", height * width - 1)
    found = find_part(painted(truth, back=20, front=130, seed=3))
    assert found.shape == truth.shape
    assert overlap(found, truth) > 0.96
