"""The Wasserstein distance agrees with closed forms and brute force, on the line and on the circle."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug.metrics.histograms import circular_wasserstein, compare, wasserstein

NUMBERS = st.lists(st.integers(-50, 50), min_size=1, max_size=6)


def _cheapest(first: list[float], second: list[float], period: float | None = None) -> float:
    """Return the mean way of the cheapest assignment of as many numbers to as many, over all assignments."""

    def way(a: float, b: float) -> float:
        return min(abs(a - b) % period, period - abs(a - b) % period) if period else abs(a - b)

    return min(sum(way(a, b) for a, b in zip(first, order, strict=True)) / len(first) for order in permutations(second))


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=6))
def test_on_the_line_it_is_the_cheapest_assignment(pairs: list[tuple[int, int]]) -> None:
    first, second = ([float(pair[k]) for pair in pairs] for k in range(2))
    assert wasserstein(np.array(first), np.array(second)) == pytest.approx(_cheapest(first, second), abs=1e-9)


@given(st.lists(st.tuples(st.integers(-400, 400), st.integers(-400, 400)), min_size=1, max_size=6))
def test_on_the_circle_it_is_the_cheapest_assignment_the_shorter_way(pairs: list[tuple[int, int]]) -> None:
    first, second = ([float(pair[k]) for pair in pairs] for k in range(2))
    found = circular_wasserstein(np.array(first), np.array(second), period=180)
    assert found == pytest.approx(_cheapest(first, second, 180), abs=1e-9)


@given(NUMBERS, NUMBERS)
def test_sets_of_different_sizes_are_compared_as_if_each_number_were_repeated(
    first: list[int], second: list[int]
) -> None:
    one, other = np.repeat(first, len(second)).astype(float), np.repeat(second, len(first)).astype(float)
    expected = float(np.abs(np.sort(one) - np.sort(other)).mean())
    assert wasserstein(np.array(first, float), np.array(second, float)) == pytest.approx(expected, abs=1e-9)


def test_of_normal_numbers_it_is_the_difference_of_their_means_or_of_their_widths() -> None:
    """W1 of N(0, 1) and N(m, 1) is m; of N(0, 1) and N(0, s) it is |s - 1| sqrt(2 / pi)."""
    draw = np.random.default_rng(0)
    plain, others = draw.normal(size=200_000), draw.normal(size=200_000)
    assert wasserstein(plain, others + 0.7) == pytest.approx(0.7, abs=0.01)
    assert wasserstein(plain, 1.5 * others) == pytest.approx(0.5 * np.sqrt(2 / np.pi), abs=0.01)


def test_on_the_circle_two_opposite_points_are_half_a_turn_apart_and_a_turn_costs_nothing() -> None:
    ones = np.zeros(5)
    assert circular_wasserstein(ones, ones + 90, period=180) == pytest.approx(90)
    assert circular_wasserstein(ones + 2, ones - 3, period=180) == pytest.approx(5)
    values = np.random.default_rng(1).uniform(0, 180, 40)
    assert circular_wasserstein(values, values + 360, period=180) == pytest.approx(0, abs=1e-9)


def test_a_comparison_counts_in_common_bins_and_divides_by_the_real_spread() -> None:
    real, made = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    found = compare(real, made, groups=["a", "b", "c", "d"], bins=4)
    assert found.edges == (0, 1, 2, 3, 4)
    assert (found.real, found.synthetic) == ((1, 1, 1, 1), (0, 1, 1, 2))
    assert found.spread == pytest.approx(np.sqrt(1.25))
    assert found.distance == pytest.approx(1 / np.sqrt(1.25))


def test_what_lies_beyond_the_limits_is_counted_at_them() -> None:
    found = compare(np.array([-1.0, 0.5]), np.array([7.0]), groups=["a", "b"], bins=2, limits=(0, 1))
    assert (found.real, found.synthetic) == ((1, 1), (0, 1))


def test_axes_that_go_round_share_bins_and_are_near_across_zero() -> None:
    found = compare(np.array([1.0, 179.0]), np.array([178.0, 182.0]), groups=["a", "b"], bins=2, period=180)
    assert (found.real, found.synthetic) == ((1, 1), (1, 1))
    assert found.spread == pytest.approx(1)
    assert found.distance == pytest.approx(1)


def test_the_floor_is_what_halves_of_the_groups_differ_by() -> None:
    draw = np.random.default_rng(2)
    real = draw.normal(size=400)
    alone = compare(real, draw.normal(size=400), groups=[str(k) for k in range(400)])
    assert alone.floor == pytest.approx(0.11, abs=0.04)
    assert alone.distance < 2 * alone.floor
    torn = compare(np.repeat([0.0, 1.0], 200), real, groups=["a"] * 200 + ["b"] * 200)
    assert torn.floor == pytest.approx(1 / 0.5)  # two groups have one halving: they are 1 apart, with a spread of 0.5
    assert compare(real, real, groups=["a"] * 400).floor is None


def test_numbers_that_are_all_alike_have_the_least_spread() -> None:
    found = compare(np.full(5, 2.0), np.full(3, 2.5), groups=list("abcde"), least=0.1)
    assert (found.distance, found.floor) == pytest.approx((5, 0))
    assert sum(found.real) == 5


@pytest.mark.parametrize("values", [[], [0.0, np.nan], [np.inf]])
def test_no_numbers_and_no_finite_ones_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="numbers"):
        compare(np.array([1.0, 2.0]), np.array(values, float), groups=["a", "b"])
