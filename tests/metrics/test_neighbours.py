"""Nearest neighbours, precision and recall against all distances at once, in blocks that do not divide the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug import rng
from coigan_aug.metrics import neighbours
from coigan_aug.metrics.neighbours import (
    copy_limit,
    mean_distance,
    nearest,
    nearest_of_other_groups,
    precision_recall,
    radii,
)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", 7)


def rows(seed: int, count: int, *, width: int = 4, shift: float = 0.0) -> np.ndarray:
    return rng.generator(seed, "rows").normal(size=(count, width)) + shift


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.linalg.norm(first[:, None] - second[None], axis=2)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 100))
def test_nearest_is_the_smallest_of_all_distances(n: int, m: int, seed: int) -> None:
    queries, others = rows(seed, n), rows(seed + 1000, m)
    found, which = nearest(queries, others)
    np.testing.assert_allclose(found, distances(queries, others).min(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(which, distances(queries, others).argmin(axis=1))


def test_nearest_finds_a_copy_at_distance_nearly_zero() -> None:
    others = rows(1, 20) + 100
    found, which = nearest(others[[13, 2]], others)
    np.testing.assert_array_equal(which, [13, 2])
    assert found.max() < 1e-5


def test_nearest_of_other_groups_skips_the_own_group() -> None:
    values, groups = rows(2, 23), np.arange(23) // 3
    found, which = nearest_of_other_groups(values, groups)
    table = distances(values, values)
    table[groups[:, None] == groups[None]] = np.inf
    np.testing.assert_allclose(found, table.min(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(which, table.argmin(axis=1))


def test_without_another_group_the_distance_is_infinite() -> None:
    found, which = nearest_of_other_groups(rows(3, 9), np.zeros(9, np.int64))
    assert np.isinf(found).all()
    assert (which == -1).all()


@pytest.mark.parametrize("k", [1, 3, 5])
def test_radii_are_the_distances_to_the_kth_other_row(k: int) -> None:
    values = rows(4, 25)
    np.testing.assert_allclose(radii(values, k), np.sort(distances(values, values), axis=1)[:, k], rtol=1e-9)


def test_rows_that_repeat_have_radius_zero() -> None:
    assert radii(np.repeat(rows(5, 2), 4, axis=0), 3).max() < 1e-6


def test_precision_and_recall_are_the_shares_within_reach() -> None:
    made, real = rows(6, 40, shift=0.8), rows(7, 31)
    found = precision_recall(made, real)
    real_reach = np.sort(distances(real, real), axis=1)[:, 3]
    made_reach = np.sort(distances(made, made), axis=1)[:, 3]
    precision = (distances(made, real) <= real_reach).any(axis=1).mean()
    recall = (distances(real, made) <= made_reach).any(axis=1).mean()
    assert found == pytest.approx((precision, recall))
    assert 0 < recall != precision < 1


def test_one_mode_of_two_has_full_precision_and_half_the_recall() -> None:
    real = np.concatenate([rows(8, 20), rows(9, 20, shift=50)])
    assert precision_recall(real[:20], real) == pytest.approx((1.0, 0.5))


def test_mean_distance_is_that_of_all_pairs() -> None:
    values = rows(10, 26)
    assert mean_distance(values) == pytest.approx(distances(values, values)[np.triu_indices(26, 1)].mean())


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 rows; the 3\. neighbour needs 4"):
        radii(rows(0, 3), 3)
    with pytest.raises(ValueError, match="1 rows have no pairs"):
        mean_distance(rows(0, 1))


def test_a_copy_is_nearer_than_one_in_a_hundred_things_are_to_another_group() -> None:
    """Groups of two rows each; every distance by hand, and the 1 % point of the smallest."""
    draw = np.random.default_rng(0)
    points, groups = draw.normal(size=(300, 4)), [f"piece {k // 2}" for k in range(300)]
    smallest = [
        min(float(np.linalg.norm(points[k] - points[j])) for j in range(300) if groups[j] != groups[k])
        for k in range(300)
    ]
    limit = copy_limit(points, groups)
    assert limit == pytest.approx(np.quantile(smallest, 0.01))
    assert 3 <= sum(own <= limit for own in smallest) <= 4, "of 300; each of a nearest pair has the other's distance"
    assert copy_limit(points, ["one"] * 300) is None
