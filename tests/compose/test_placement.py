"""Objects are placed inside, never over another, and never empty."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.compose.placement import find_place, fit


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 12), st.floats(0, 0.6), st.booleans())
def test_a_place_is_inside_and_free(seed: int, height: int, width: int, taken: float, near: bool) -> None:
    draw = np.random.default_rng(seed)
    mask = (draw.random((height, width)) < 0.5).astype(np.uint8)
    mask[0, 0] = 1
    blocked = draw.random((16, 20)) < taken
    place = find_place(draw, mask, blocked, near=(0.3, 0.7) if near else None)
    if place is not None:
        left, top = place
        assert 0 <= left <= 20 - width
        assert 0 <= top <= 16 - height
        assert not (blocked[top : top + height, left : left + width] & (mask != 0)).any()


def test_a_free_canvas_always_has_a_place_and_a_full_one_never() -> None:
    draw = np.random.default_rng(0)
    mask = np.ones((3, 3), np.uint8)
    assert all(find_place(draw, mask, np.zeros((8, 8), bool)) is not None for _ in range(50))
    assert find_place(draw, mask, np.ones((8, 8), bool)) is None
    assert find_place(draw, np.ones((9, 3), np.uint8), np.zeros((8, 8), bool)) is None


def test_every_place_is_reached_when_none_is_preferred() -> None:
    draw = np.random.default_rng(0)
    found = {find_place(draw, np.ones((2, 2), np.uint8), np.zeros((4, 4), bool)) for _ in range(300)}
    assert found == {(x, y) for x in range(3) for y in range(3)}


def test_a_defect_at_an_edge_stays_at_it_and_others_stay_near() -> None:
    draw = np.random.default_rng(0)
    places = [
        find_place(draw, np.ones((4, 4), np.uint8), np.zeros((64, 104), bool), near=(1.0, 0.5)) for _ in range(100)
    ]
    assert {place[0] for place in places if place} == {100}
    tops = np.array([place[1] for place in places if place])
    assert abs(tops.mean() - 30) < 3
    assert 1 < tops.std() < 8


@given(st.integers(0, 999), st.integers(1, 30), st.integers(1, 30), st.integers(4, 20), st.integers(4, 20))
def test_the_part_that_fits_holds_some_of_the_object(
    seed: int, height: int, width: int, room_y: int, room_x: int
) -> None:
    draw = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    mask[draw.integers(height), draw.integers(width)] = 1
    rows, columns = fit(draw, mask, height=room_y, width=room_x)
    part = mask[rows, columns]
    assert part.any()
    assert part.shape == (min(height, room_y), min(width, room_x))
