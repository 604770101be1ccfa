"""Objects are placed inside, never over another, and never empty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.compose.placement import TRIES, find_place, fit


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


@pytest.mark.parametrize(("length", "room"), [(9, 4), (9, 9), (5, 8), (12, 3)])
def test_every_part_that_holds_the_chosen_pixel_is_chosen_alike(length: int, room: int) -> None:
    """One pixel to choose: of the starts whose part holds it, each as often as any other."""
    draw = np.random.default_rng(1)
    for point in range(length):
        mask = np.zeros((length, 1), np.uint8)
        mask[point] = 1
        possible = [k for k in range(max(length - room, 0) + 1) if k <= point < k + room] or [0]
        parts = [fit(draw, mask, height=room, width=1) for _ in range(120 * len(possible))]
        starts = [rows.start for rows, _ in parts]
        assert {rows.stop - rows.start for rows, _ in parts} == {min(length, room)}
        assert all(starts.count(start) / len(starts) * len(possible) == pytest.approx(1, abs=0.5) for start in possible)
        assert set(starts) == set(possible)


def test_a_part_is_chosen_round_any_pixel_of_the_object() -> None:
    mask = np.zeros((1, 40), np.uint8)
    mask[0, [2, 37]] = 1
    draw = np.random.default_rng(2)
    held = [mask[fit(draw, mask, height=1, width=4)][0] for _ in range(200)]
    left = [fit(draw, mask, height=1, width=4)[1].start < 20 for _ in range(400)]
    assert all(part.any() for part in held)
    assert np.mean(left) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("tries", range(3))
def test_tries_spread_out_from_the_wanted_place(tries: int) -> None:
    """The first with 5 % of the room as standard deviation, then 15 %, 25 %: the tries are asked for one by one."""
    draw, lefts, tops = np.random.default_rng(3), [], []

    class Blocked:
        """Says that the first so many places are taken, and shows no other."""

        shape = (201, 401)

        def __init__(self) -> None:
            self.asked = 0

        def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
            self.asked += 1
            return np.full((1, 1), self.asked <= tries)

    for _ in range(1500):
        left, top = find_place(draw, np.ones((1, 1), np.uint8), Blocked(), near=(0.5, 0.4))  # type: ignore[arg-type, misc]
        lefts.append(left / 400)
        tops.append(top / 200)
    spread = 0.05 * (1 + 2 * tries)
    assert np.mean(lefts) == pytest.approx(0.5, abs=0.03)
    assert np.mean(tops) == pytest.approx(0.4, abs=0.03)
    assert np.std(lefts) == pytest.approx(spread, rel=0.1)
    assert np.std(tops) == pytest.approx(spread, rel=0.1)


def test_eight_tries_are_made_and_no_more() -> None:
    draw = np.random.default_rng(0)
    blocked = np.ones((1, 64), bool)
    blocked[0, 5] = False
    found = [find_place(draw, np.ones((1, 1), np.uint8), blocked) for _ in range(3000)]
    assert np.mean([place is not None for place in found]) == pytest.approx(1 - (63 / 64) ** TRIES, abs=0.02)
    assert TRIES == 8
    assert {place for place in found if place} == {(5, 0)}


@pytest.mark.parametrize(("near", "sides"), [((0.0, 1.0), (0, 27)), ((1.0, 0.0), (17, 0))])
def test_at_both_edges_asked_for_it_stays(near: tuple[float, float], sides: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    assert {find_place(draw, np.ones((3, 3), np.uint8), np.zeros((30, 20), bool), near=near) for _ in range(20)} == {
        sides
    }
