"""Brightness matched and gradients cloned, by hand on small pictures; and a defect in the place of another image's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coigan_aug.prepare.prepared import Prepared
from coigan_aug.synthesis.own_place import Donor, stretch_of, to_base
from coigan_aug.synthesis.paste import Cut, cloned, matched
from tests.prepare.scenes import patch

SHAPE = (30, 36)
MASK = patch(SHAPE, 14, 12, 8, 6)


def _cut(target: np.ndarray, source: np.ndarray, surface: np.ndarray | None = None) -> Cut:
    free = np.ones(SHAPE, bool) if surface is None else surface
    return Cut((0, 0, SHAPE[1], SHAPE[0]), target, source, MASK, free)  # type: ignore[arg-type]


def _picture(seed: int, level: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(level, 12, (*SHAPE, 3)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("levels", [(100, 130), (200, 60), (40, 180), (90, 90)])
@pytest.mark.parametrize("margin", [0, 2])
def test_pixels_are_scaled_by_the_ratio_of_the_surfaces_medians_within_a_half_and_two(
    levels: tuple[int, int], margin: int
) -> None:
    """The ring: more than `margin` and at most `margin` + 4 px from the mask, of plain surface in both pictures."""
    source, target = _picture(0, levels[0]), _picture(1, levels[1])
    surface = np.random.default_rng(2).random(SHAPE) < 0.6
    places = np.argwhere(MASK)
    far = np.array([[np.abs(places - (y, x)).max(axis=1).min() for x in range(SHAPE[1])] for y in range(SHAPE[0])])
    ring = (far > margin) & (far <= margin + 4) & surface
    found = matched(_cut(target, source, surface), margin)
    for c in range(3):
        here, there = np.median(source[ring][:, c]), np.median(target[ring][:, c])
        gain = min(max((there + 1) / (here + 1), 0.5), 2.0)
        assert found[..., c] == pytest.approx((source[..., c] - here) * gain + there, abs=1e-3)


def test_where_hardly_any_surface_is_round_both_pixels_stay() -> None:
    source, target = _picture(0, 100), _picture(1, 150)
    for count in (3, 4):
        surface = np.zeros(SHAPE, bool)
        surface[9, 14 : 14 + count] = True
        assert (matched(_cut(target, source, surface), 0) == source).all() == (count < 4)


@pytest.mark.parametrize("margin", [0, 2])
def test_cloning_keeps_the_gradients_inside_and_meets_the_target_on_the_rim(margin: int) -> None:
    """A picture that is the target plus a constant, with a dark defect: the constant goes, the defect comes as it is."""
    target = _picture(3, 120)
    source = (target.astype(int) + 40).clip(0, 255)
    source[MASK > 0] -= 60
    found = cloned(_cut(target, source.astype(np.uint8)), margin)
    expected = target.astype(float)
    expected[MASK > 0] -= 60
    assert found == pytest.approx(expected, abs=1.0)
    shifted = cloned(_cut(target, target // 2), margin)
    grown = (
        np.abs(np.argwhere(MASK)[None] - np.argwhere(np.ones(SHAPE))[:, None]).max(axis=2).min(axis=1).reshape(SHAPE)
    )
    assert (shifted[grown > margin] == target[grown > margin]).all()


def test_without_a_rim_of_surface_brightness_is_matched_instead() -> None:
    source, target = _picture(0, 100), _picture(1, 150)
    surface = np.ones(SHAPE, bool)
    surface[11:19, 13:23] = False
    assert (cloned(_cut(target, source, surface), 0) == matched(_cut(target, source, surface), 0)).all()


@pytest.mark.parametrize(("flip_x", "flip_y"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("size", [(72, 96), (144, 96), (36, 240)])
def test_an_image_is_brought_to_another_ones_size_edge_to_edge(
    prepared: Prepared, flip_x: bool, flip_y: bool, size: tuple[int, int]
) -> None:
    """Pixel k covers k - 1/2 to k + 1/2: the outer edges of one image fall on those of the other, mirrored or not."""
    base = next(position for position in prepared.positions if position not in prepared.by_record)

    class Sized:
        def __getitem__(self, position: int) -> object:
            record = prepared.dataset[position]
            return dataclasses.replace(record, height=size[0], width=size[1]) if position == base else record

    views = dataclasses.replace(prepared, dataset=Sized())  # type: ignore[arg-type]
    donor = Donor(0, (prepared.by_class[0][0],), flip_x, flip_y)
    matrix = to_base(views, donor, base)
    for x, y in ((-0.5, -0.5), (95.5, 71.5), (95.5, -0.5)):
        across, down = (x + 0.5) / 96, (y + 0.5) / 72
        expected = (
            (1 - across if flip_x else across) * size[1] - 0.5,
            (1 - down if flip_y else down) * size[0] - 0.5,
        )
        assert matrix @ (x, y, 1) == pytest.approx(expected)
    assert stretch_of(views, donor, base) == pytest.approx({(72, 96): 1, (144, 96): 2, (36, 240): 2.5}[size])
