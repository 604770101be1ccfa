"""Erasing: only the hole changes, its colour flows in, its texture is that of the surroundings; parts against a flood fill."""

from __future__ import annotations

import math

import numpy as np
import pytest

from coigan_aug import rng as streams
from coigan_aug.compose import erase as erasing
from coigan_aug.compose.erase import erase, holes, telea, with_texture
from tests.prepare.scenes import noise, patch

SHAPE = (60, 80)


def _colour(grey: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def _flooded(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Part a mask into pieces that touch at sides or corners, pixel by pixel."""
    left, parts = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        part, todo = set(), [min(left)]
        while todo:
            y, x = todo.pop()
            if (y, x) in left:
                left.discard((y, x))
                part.add((y, x))
                todo += [(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        parts.append(part)
    return parts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("around", [0, 2])
def test_the_parts_of_a_hole_are_its_pieces_in_their_boxes(seed: int, around: int) -> None:
    mask = (np.random.default_rng(seed).random((14, 20)) < 0.25).astype(np.uint8)
    found = []
    for (rows, columns), own in holes(mask, around=around):
        found.append({(rows.start + y, columns.start + x) for y, x in np.argwhere(own).tolist()})
        y, x = zip(*found[-1], strict=True)
        assert (rows.start, rows.stop) == (max(min(y) - around, 0), min(max(y) + 1 + around, 14))
        assert (columns.start, columns.stop) == (max(min(x) - around, 0), min(max(x) + 1 + around, 20))
        assert own.shape == (rows.stop - rows.start, columns.stop - columns.start)
    assert sorted(map(sorted, found)) == sorted(map(sorted, _flooded(mask)))


def test_a_hole_that_is_nowhere_or_everywhere_stays_as_it_is() -> None:
    image = _colour(120 + noise(0, SHAPE, grain=1, deviation=9))
    for hole in (np.zeros(SHAPE, np.uint8), np.ones(SHAPE, np.uint8)):
        made = telea(np.random.default_rng(0), image, hole)
        assert (made == image).all()
        assert made is not image


@pytest.mark.parametrize("grow", [0, 1, 3])
@pytest.mark.parametrize("corner", [(30, 20), (0, 0), (70, 50)])
def test_the_hole_alone_changes_and_it_is_the_grown_mask(grow: int, corner: tuple[int, int]) -> None:
    image = _colour(120 + noise(1, SHAPE, grain=1, deviation=9))
    mask = patch(SHAPE, *corner, 10, 8)
    marked = image.copy()
    marked[mask > 0] = 255
    made = erase(np.random.default_rng(1), marked, mask, grow=grow)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    away = np.maximum(corner[0] - x, x - corner[0] - 9), np.maximum(corner[1] - y, y - corner[1] - 7)
    outside = np.maximum(*away) > grow
    assert (made[outside] == marked[outside]).all()
    assert (made[~outside] != 255).all()
    changed = (made != image).any(axis=2)
    assert changed[~outside].mean() > 0.7, "filled anew, up to the grown edge"


def test_a_slope_goes_on_through_a_hole_and_has_the_grain_of_its_surroundings() -> None:
    """Grain of 10 levels on a slope: the fill's smooth part follows the slope, the rest is as strong as outside."""
    slope = 80 + 1.0 * np.arange(SHAPE[1])[None, :] + np.zeros((SHAPE[0], 1))
    image = _colour(slope + noise(2, SHAPE, grain=1, deviation=10))
    hole = patch(SHAPE, 34, 24, 12, 12)
    found = [telea(np.random.default_rng(k), image, hole)[24:36, 34:46, 0].astype(float) for k in range(8)]
    rest = [own - slope[24:36, 34:46] for own in found]
    assert np.mean(rest) == pytest.approx(0, abs=4)
    assert np.mean([own.std() for own in rest]) == pytest.approx(10, rel=0.35)


def test_texture_comes_from_where_the_hole_is_not_and_covers_all_of_it() -> None:
    """Pixels in the hole are wild; on a flat fill only the grain of the rest comes in."""
    grain = noise(3, SHAPE, grain=0, deviation=6)
    hole = patch(SHAPE, 20, 15, 30, 25)
    image = _colour(np.where(hole > 0, 255, 100 + grain))
    made = with_texture(np.random.default_rng(0), image, np.full((*SHAPE, 3), 100, np.float32), hole)
    inside = made[hole > 0].astype(float)
    assert inside.max() < 130
    assert inside.mean() == pytest.approx(100, abs=2)
    assert inside.std() == pytest.approx(6, rel=0.25)
    assert (made[hole == 0] == image[hole == 0]).all()


def test_places_go_straight_up_straight_beside_and_anywhere_by_turns_and_to_every_edge() -> None:
    own = (slice(10, 16), slice(30, 40))
    rows, columns = set(), set()
    for seed in range(60):
        found = erasing._draw_sources(np.random.default_rng(seed), own, SHAPE)
        assert len(found) == 33
        for k, (down, across) in enumerate(found):
            assert (down.stop - down.start, across.stop - across.start) == (6, 10)
            assert 0 <= down.start <= 54
            assert 0 <= across.start <= 70
            assert k % 3 != 0 or across == own[1]
            assert k % 3 != 1 or down == own[0]
        rows |= {down.start for k, (down, _) in enumerate(found) if k % 3 != 1}
        columns |= {across.start for k, (_, across) in enumerate(found) if k % 3 != 0}
    assert rows == set(range(55))
    assert columns == set(range(71))


def test_a_score_is_the_cover_in_tenths_then_correlation_less_the_ratio_of_strengths() -> None:
    draw = np.random.default_rng(4)
    one, other = draw.normal(3, 5, (6, 6)), draw.normal(-2, 9, (6, 6))
    open_ = np.zeros((6, 6), bool)
    open_[2:4, 2:4] = True
    free = draw.random((6, 6)) < 0.7
    ring = ~open_
    both = ring & free
    a, b = one[both], other[both]
    correlation = np.corrcoef(a, b)[0, 1] * a.std() * b.std() / ((a.std() + 0.3) * (b.std() + 0.3))
    strengths = abs(math.log((a.std() + 0.3) / (b.std() + 0.3)))
    covered, alike = erasing._score(one, free, other, open_, ring)
    assert covered == round((open_ & free).sum() / 4, 1)
    assert alike == pytest.approx(correlation - strengths)
    few = np.zeros((6, 6), bool)
    few[0, 0] = True
    assert erasing._score(one, few, other, open_, ring) == (0.0, -np.inf)
    few[0, 1] = True
    assert erasing._score(one, few, other, open_, ring)[1] > -np.inf


def test_the_same_stream_fills_alike_and_another_otherwise() -> None:
    image = _colour(120 + noise(5, SHAPE, grain=1, deviation=9))
    hole = patch(SHAPE, 30, 20, 20, 16)
    made = [telea(streams.generator(0, "erase", k), image, hole) for k in (1, 1, 2)]
    assert (made[0] == made[1]).all()
    assert (made[0] != made[2]).any()
