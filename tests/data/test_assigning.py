"""Dealing groups out: what the shortcuts promise is what counting all again gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from coigan_aug.data import assigning
from coigan_aug.data.assigning import MISSING, deal


def _cost(places: np.ndarray, groups: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> float:
    """The slow way: part by part and quantity by quantity."""
    total = 0.0
    for part, share in enumerate(wanted):
        own = groups[places == part]
        for k in range(groups.shape[1]):
            if groups[:, k].any():
                total += weights[k] * (own[:, k].sum() - share) ** 2
            total += MISSING * (not (own[:, k] > 0).any())
    return total


def _drawn(seed: int, groups: int, parts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw shares of three quantities, one of them rare, the parts' wanted shares, weights, and a way to deal out."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 6, (groups, 3)) * (draw.random((groups, 3)) < (0.9, 0.5, 0.15))
    counts[0] = 1
    wanted = draw.uniform(0.5, 1.5, parts)
    return (
        counts / counts.sum(axis=0),
        wanted / wanted.sum(),
        np.array([1, 0.03, 0.5]),
        draw.integers(parts, size=groups),
    )


def _task(groups: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> assigning._Deal:
    return assigning._Deal(groups * np.sqrt(weights), wanted[:, None] * np.sqrt(weights))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("parts", [2, 3])
def test_the_cost_is_the_squared_deviations_weighed_and_ten_for_each_quantity_that_a_part_lacks(
    seed: int, parts: int
) -> None:
    groups, wanted, weights, places = _drawn(seed, 12, parts)
    assert _task(groups, wanted, weights).cost(places) == pytest.approx(_cost(places, groups, wanted, weights))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("parts", [2, 3])
def test_the_best_move_is_the_best_of_all_moves_counted_anew(seed: int, parts: int) -> None:
    groups, wanted, weights, places = _drawn(seed, 12, parts)
    group, part = assigning._best_move(_task(groups, wanted, weights), places, *_off(groups, wanted, weights, places))
    costs = {}
    for other, to in itertools.product(range(12), range(parts)):
        if to != places[other]:
            moved = places.copy()
            moved[other] = to
            costs[other, to] = _cost(moved, groups, wanted, weights)
    assert costs[group, part] == pytest.approx(min(costs.values()))


def _off(
    groups: np.ndarray, wanted: np.ndarray, weights: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far each part is from what it should hold, along each group, and all groups."""
    scaled, held = groups * np.sqrt(weights), np.zeros((len(wanted), groups.shape[1]))
    for part in range(len(wanted)):
        held[part] = scaled[places == part].sum(axis=0) - wanted[part] * np.sqrt(weights)
    return held @ scaled.T, np.arange(len(groups))


@pytest.mark.parametrize("seed", range(12))
def test_the_exchanges_offered_are_those_that_help_most_counted_anew(seed: int) -> None:
    """Quantities that every group holds: nothing is ever missing, so the squared deviations are all."""
    groups, wanted, weights, places = _drawn(seed, 10, 3)
    groups = (groups + 0.02) / (groups + 0.02).sum(axis=0)
    places[:3] = range(3)
    off, some = _off(groups, wanted, weights, places)
    before, gains = _cost(places, groups, wanted, weights), {}
    for a, b in itertools.combinations(range(10), 2):
        if places[a] != places[b]:
            swapped = places.copy()
            swapped[[a, b]] = places[[b, a]]
            gains[a, b] = before - _cost(swapped, groups, wanted, weights)
    offered = list(assigning._best_swaps(_task(groups, wanted, weights), places[some], off, some))
    helpful = sorted((gain for gain in gains.values() if gain > 1e-12), reverse=True)
    assert [gains[tuple(sorted(pair))] for pair in offered] == pytest.approx(helpful[: assigning.TRIED])


@pytest.mark.parametrize("seed", range(3))
def test_of_many_groups_no_move_and_no_exchange_of_two_would_help(seed: int) -> None:
    """With more than FEW groups nothing is shaken: what comes out is where single steps end."""
    groups, wanted, weights, _ = _drawn(seed, assigning.FEW + 1, 2)
    places = deal(groups, wanted, weights=weights, rng=np.random.default_rng(seed))
    task = _task(groups, wanted, weights)
    off, some = _off(groups, wanted, weights, places)
    group, part = assigning._best_move(task, places, off, some)
    moved = places.copy()
    moved[group] = part
    assert task.cost(moved) >= task.cost(places) - 1e-9
    first = np.argsort(-groups.max(axis=1), kind="stable")[:40]
    for a, b in itertools.combinations(first.tolist(), 2):
        swapped = places.copy()
        swapped[[a, b]] = places[[b, a]]
        assert task.cost(swapped) >= task.cost(places) - 1e-6
    held = np.array([groups[places == part].sum(axis=0) for part in range(2)])
    assert np.abs(held - wanted[:, None]).max() < 0.01


def test_groups_that_hold_most_of_something_come_first() -> None:
    groups = np.array([[0.1, 0.0], [0.2, 0.7], [0.5, 0.1], [0.2, 0.2]])
    assert assigning._order(groups, np.random.default_rng(0), 0).tolist() == [1, 2, 3, 0]
    others = {tuple(assigning._order(groups, np.random.default_rng(k), 1).tolist()) for k in range(50)}
    assert len(others) > 1
    assert all(order.index(1) < order.index(0) for order in others), "0.7 x 0.4 is more than 0.1"


def test_each_group_in_turn_goes_where_the_largest_part_of_what_it_holds_is_missing() -> None:
    """Wanted 0.6 and 0.4. Both lack all, so the first takes 0.5; then 0.1 / 0.6 lacks here and all there; then 0.1 / 0.4."""
    groups, wanted = np.array([[0.5], [0.3], [0.2]]), np.array([0.6, 0.4])
    assert assigning._greedy(assigning._Deal(groups, wanted[:, None]), np.arange(3), wanted).tolist() == [0, 1, 1]
