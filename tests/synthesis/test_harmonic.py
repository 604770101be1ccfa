"""Laplace's equation against a dense solver, with edges, holes and parts that nothing is known of."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug.synthesis import harmonic
from coigan_aug.synthesis.harmonic import FEW, continue_into


def _dense(values: np.ndarray, inside: np.ndarray, known: np.ndarray) -> np.ndarray:
    """One equation for each pixel inside: as many times its value as it has neighbours that count is their sum."""
    places = [tuple(place) for place in np.argwhere(inside).tolist()]
    number = {place: k for k, place in enumerate(places)}
    matrix, right = np.zeros((len(places), len(places))), np.zeros(len(places))
    for k, (y, x) in enumerate(places):
        for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if other in number:
                matrix[k, k] += 1
                matrix[k, number[other]] -= 1
            elif 0 <= other[0] < inside.shape[0] and 0 <= other[1] < inside.shape[1] and known[other]:
                matrix[k, k] += 1
                right[k] += values[other]
    out = np.where(known, values, 0.0)
    out[inside] = np.linalg.solve(matrix, right)
    return out


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [(9, 12), (31, 40)])
def test_the_result_is_that_of_solving_all_equations_at_once(seed: int, size: tuple[int, int]) -> None:
    """The smaller size is solved directly, the larger starts from half its size; the area reaches an image's edge."""
    draw = np.random.default_rng(seed)
    values = draw.normal(100, 30, size)
    inside = np.zeros(size, bool)
    inside[1:-2, 2:] = True
    inside[3:5, 4:7] = False
    known = ~inside & (draw.random(size) < 0.9)
    known[0, 5] = True
    assert (inside.sum() > FEW) == (size == (31, 40))
    found = continue_into(values, inside, known)
    assert found == pytest.approx(_dense(values, inside, known), abs=0.2)
    assert (found[known] == values[known]).all()
    assert not found[~known & ~inside].any()


def test_between_two_levels_values_rise_evenly_and_stay_between_them() -> None:
    values = np.zeros((3, 12))
    values[:, -1] = 110
    inside = np.zeros((3, 12), bool)
    inside[:, 1:-1] = True
    found = continue_into(values, inside, ~inside)
    assert found == pytest.approx(np.repeat(np.arange(12)[None] * 10.0, 3, axis=0), abs=0.1)


def test_where_nothing_is_known_or_asked_nothing_is_made() -> None:
    values, no = np.full((4, 5), 7.0), np.zeros((4, 5), bool)
    assert not continue_into(values, ~no, no).any()
    known = no.copy()
    known[0] = True
    assert (continue_into(values, no, known) == np.where(known, 7, 0)).all()


def test_a_part_without_a_known_neighbour_has_the_mean_of_what_is_known() -> None:
    values = np.zeros((5, 9))
    values[0, :2] = (10, 30)
    known, inside = np.zeros((5, 9), bool), np.zeros((5, 9), bool)
    known[0, :2] = True
    inside[2:4, 5:8] = True
    assert continue_into(values, inside, known)[inside] == pytest.approx(20)


def test_neighbours_are_numbered_inside_first_then_known_then_none() -> None:
    inside = np.array([[True, False, True], [True, True, False]])
    known = np.array([[False, True, False], [False, False, False]])
    up, down, left, right = harmonic._neighbours(inside, known).tolist()
    assert up == [5, 5, 0, 4]
    assert down == [2, 5, 5, 5]
    assert left == [5, 4, 5, 2]
    assert right == [4, 5, 3, 5]


def test_sums_of_four_of_odd_sizes() -> None:
    assert harmonic._sums_of_four(np.arange(15.0).reshape(3, 5)).tolist() == [[12, 20, 13], [21, 25, 14]]
