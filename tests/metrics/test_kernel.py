"""The kernel distance: a double loop, torch-fidelity, no bias where there is no difference, an honest error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

from coigan_aug import rng
from coigan_aug.metrics import kernel
from coigan_aug.metrics.kernel import kernel_distance


def rows(seed: int, count: int, width: int = 12, *, shift: float = 0.0) -> np.ndarray:
    return (rng.generator(seed, "rows").normal(size=(count, width)) + 0.4 + shift).astype(np.float32)


def looped(first: np.ndarray, second: np.ndarray) -> float:
    """The definition, pair by pair."""

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x.astype(float) @ y.astype(float)) / len(x) + 1) ** 3

    def inner(z: np.ndarray) -> float:
        pairs = [k(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j]
        return sum(pairs) / len(pairs)

    across = [k(x, y) for x in first for y in second]
    return inner(first) + inner(second) - 2 * sum(across) / len(across)


@pytest.mark.parametrize(("m", "n"), [(3, 3), (7, 12), (30, 9)])
def test_distance_is_the_double_loop(m: int, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_BLOCK", 8)
    first, second = rows(0, m), rows(1, n, shift=0.3)
    assert kernel_distance(first, second).value == pytest.approx(looped(first, second), rel=1e-5, abs=1e-6)


def test_error_is_the_jackknife_with_each_row_left_out_in_turn() -> None:
    first, second = rows(2, 9), rows(3, 6, shift=0.5)

    def spread(values: list[float]) -> float:
        return (len(values) - 1) * float(np.var(values))

    left = [looped(np.delete(first, i, axis=0), second) for i in range(9)]
    right = [looped(first, np.delete(second, j, axis=0)) for j in range(6)]
    assert kernel_distance(first, second).error == pytest.approx(np.sqrt(spread(left) + spread(right)), rel=1e-4)


def test_error_of_groups_is_that_of_leaving_out_each_group_in_turn() -> None:
    """Busing, Meijer and van der Leeden (1999): the delete-m_j jackknife, written out."""
    first, second = rows(2, 9), rows(3, 7, shift=0.5)
    groups = (np.array([0, 0, 0, 1, 2, 2, 3, 3, 3]), np.array([5, 5, 7, 7, 7, 7, 9]))
    whole = looped(first, second)

    def variance(values: np.ndarray, labels: np.ndarray, distance: Callable[[np.ndarray], float]) -> float:
        shares = {g: len(labels) / (labels == g).sum() for g in np.unique(labels)}
        without = {g: distance(values[labels != g]) for g in shares}
        centre = len(shares) * whole - sum((1 - 1 / h) * without[g] for g, h in shares.items())
        pseudo = {g: h * whole - (h - 1) * without[g] for g, h in shares.items()}
        return sum((pseudo[g] - centre) ** 2 / (h - 1) for g, h in shares.items()) / len(shares)

    expected = variance(first, groups[0], lambda x: looped(x, second))
    expected += variance(second, groups[1], lambda y: looped(first, y))
    found = kernel_distance(first, second, groups=groups)
    assert found.value == pytest.approx(whole, abs=2e-6)
    assert found.error == pytest.approx(np.sqrt(expected), rel=1e-4)


def test_near_duplicates_in_one_group_do_not_make_the_distance_look_certain() -> None:
    """Each of 8 objects seen 6 times: as groups the error covers the spread over new draws, row by row it does not."""
    labels = np.repeat(np.arange(8), 6)
    found, plain = [], []
    for seed in range(100):
        first, second = (np.repeat(rows(2000 + 2 * seed + k, 8, shift=0.5 * k), 6, axis=0) for k in range(2))
        found.append(kernel_distance(first, second, groups=(labels, labels)))
        plain.append(kernel_distance(first, second))
    spread = np.std([item.value for item in found])
    assert 0.8 < np.mean([item.error for item in found]) / spread < 1.5
    assert np.mean([item.error for item in plain]) < 0.6 * spread


def test_a_set_of_one_group_has_no_error() -> None:
    groups = (np.arange(9), np.zeros(6, np.int64))
    assert kernel_distance(rows(2, 9), rows(3, 6), groups=groups).error is None


def test_distance_agrees_with_torch_fidelity() -> None:
    first, second = rows(4, 200), rows(5, 200, shift=0.2)
    tensors = [torch.from_numpy(x).double() for x in (first, second)]
    whole = kid_features_to_metric(*tensors, kid_subsets=1, kid_subset_size=200, rng_seed=0, verbose=False)
    assert kernel_distance(first, second).value == pytest.approx(whole[KEY_METRIC_KID_MEAN], rel=1e-4)
    subsets = kid_features_to_metric(*tensors, kid_subsets=400, kid_subset_size=50, rng_seed=0, verbose=False)
    assert kernel_distance(first, second).value == pytest.approx(subsets[KEY_METRIC_KID_MEAN], rel=0.05)


def test_without_a_difference_the_mean_is_zero_and_the_error_covers_the_spread() -> None:
    found = [kernel_distance(rows(100 + 2 * k, 60), rows(101 + 2 * k, 40)) for k in range(200)]
    values = np.array([item.value for item in found])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert 1 <= np.mean([item.error for item in found]) / values.std() < 2.5
    assert values.min() < 0


def test_with_a_difference_the_error_is_the_spread() -> None:
    found = [kernel_distance(rows(900 + 2 * k, 60), rows(901 + 2 * k, 40, shift=0.5)) for k in range(200)]
    spread = np.std([item.value for item in found])
    assert np.mean([item.error for item in found]) == pytest.approx(spread, rel=0.25)


@given(st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(seed: int) -> None:
    first, second = rows(6, 40), rows(7, 30, shift=0.1)
    draw = rng.generator(seed, "order")
    plain = kernel_distance(first, second)
    mixed = kernel_distance(draw.permutation(first), draw.permutation(second))
    assert mixed.value == pytest.approx(plain.value, rel=1e-6, abs=1e-8)
    assert mixed.error == pytest.approx(plain.error, rel=1e-6, abs=1e-8)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 5 rows"):
        kernel_distance(rows(0, 1), rows(1, 5))
