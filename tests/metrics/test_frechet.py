"""The Fréchet distance: closed forms, torch-fidelity on the same rows, and sets with fewer rows than numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from coigan_aug import rng
from coigan_aug.metrics.frechet import Moments, frechet_distance, moments_of


def rows(seed: int, count: int, width: int, *, shift: float = 0.0) -> np.ndarray:
    """Correlated rows that are not centred."""
    draw = rng.generator(seed, "rows")
    return (draw.normal(size=(count, width)) @ draw.normal(size=(width, width)) + 3 + shift).astype(np.float32)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_distance_is_the_published_formula(shift: float) -> None:
    """With the matrix square root taken as such (Heusel et al. 2017)."""
    first, second = rows(0, 400, 24).astype(float), rows(1, 300, 24, shift=shift).astype(float)
    a, b = (np.cov(x, rowvar=False) for x in (first, second))
    step = first.mean(axis=0) - second.mean(axis=0)
    expected = step @ step + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    assert frechet_distance(moments_of(first), moments_of(second)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore:The `disp` argument is deprecated:DeprecationWarning")
@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_distance_agrees_with_torch_fidelity_on_the_same_rows(shift: float) -> None:
    first, second = rows(0, 400, 24), rows(1, 300, 24, shift=shift)
    a, b = (fid_features_to_statistics(torch.from_numpy(x)) for x in (first, second))
    try:
        expected = fid_statistics_to_metric(a, b, False)[KEY_METRIC_FID]
    except TypeError:
        pytest.skip("this SciPy no longer has what torch-fidelity 0.3 calls")
    assert frechet_distance(moments_of(first), moments_of(second)) == pytest.approx(expected, rel=1e-3)


def test_distance_of_diagonal_gaussians_is_the_closed_form() -> None:
    """|m1 - m2|^2 + sum (s1 - s2)^2, for rows whose sample moments are exactly those."""
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * np.sqrt(3 / 4)  # sample covariance: the identity
    first, second = corners * [2, 5] + [1, 0], corners * [3, 1] + [4, 4]
    found = frechet_distance(moments_of(first), moments_of(second))
    assert found == pytest.approx((3**2 + 4**2) + (2 - 3) ** 2 + (5 - 1) ** 2)


@pytest.mark.parametrize("count", [2, 5, 20])
def test_fewer_rows_than_numbers_give_the_distance_of_the_same_rows_in_fewer_dimensions(count: int) -> None:
    """Rows turned into a larger space keep their distance; there the covariances are singular."""
    first, second = rows(2, count, 6), rows(3, 30, 6)
    turn = np.linalg.qr(rng.generator(4, "turn").normal(size=(80, 80)))[0][:6]
    small = frechet_distance(moments_of(first), moments_of(second))
    large = frechet_distance(moments_of(first @ turn), moments_of(second @ turn))
    assert np.isfinite(large)
    assert large == pytest.approx(small, rel=1e-5)


def test_singular_covariances_agree_with_singular_values_of_the_rows() -> None:
    """tr((C1 C2)^(1/2)) is the sum of the singular values of X1 X2' / sqrt((n1 - 1)(n2 - 1))."""
    first, second = rows(5, 9, 40).astype(float), rows(6, 12, 40).astype(float)
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    common = np.linalg.svd(a @ b.T / np.sqrt(8 * 11), compute_uv=False).sum()
    step = first.mean(axis=0) - second.mean(axis=0)
    expected = step @ step + (a**2).sum() / 8 + (b**2).sum() / 11 - 2 * common
    assert frechet_distance(moments_of(first), moments_of(second)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [2, 7, 40])
def test_rows_that_come_in_blocks_give_the_same_distance_as_rows_at_once(count: int) -> None:
    """At once, few rows are their covariance's root; in blocks it is taken apart."""
    first, second = rows(11, count, 40), rows(12, 60, 40)
    streamed = Moments(40)
    for row in first:
        streamed.add(row[None])
    at_once = moments_of(first)
    assert (at_once.root is None, streamed.root) == (False, None)
    expected = frechet_distance(at_once, moments_of(second))
    assert frechet_distance(streamed, moments_of(second)) == pytest.approx(expected, rel=1e-6)


def test_constant_rows_are_as_far_as_their_means() -> None:
    first, second = np.zeros((5, 3)), np.full((7, 3), 2.0)
    assert frechet_distance(moments_of(first), moments_of(second)) == pytest.approx(12)


def test_a_set_is_at_no_distance_from_itself() -> None:
    moments = moments_of(rows(7, 200, 16))
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-6 * np.trace(moments.covariance))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 1000))
def test_blocks_order_and_merging_do_not_change_the_moments(sizes: list[int], seed: int) -> None:
    values = rows(8, sum(sizes) + 1, 5)
    batch, streamed, merged = moments_of(values), Moments(5), Moments(5)
    shuffled = rng.generator(seed, "order").permutation(values)
    for part in np.split(shuffled, np.cumsum(sizes)):
        streamed.add(part)
        merged.merge(moments_of(part))
    for other in (streamed, merged):
        assert other.count == batch.count
        np.testing.assert_allclose(other.mean, batch.mean, rtol=1e-12)
        np.testing.assert_allclose(other.covariance, np.cov(values.astype(float), rowvar=False), rtol=1e-9, atol=1e-10)


def test_the_order_of_the_rows_does_not_matter() -> None:
    first, second = rows(9, 100, 30), rows(10, 80, 30)
    shuffled = rng.generator(0, "order").permutation(first)
    found = [frechet_distance(moments_of(x), moments_of(second)) for x in (first, shuffled)]
    assert found[0] == pytest.approx(found[1], rel=1e-8)


def test_too_few_rows_and_rows_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 4 rows"):
        frechet_distance(moments_of(rows(0, 1, 3)), moments_of(rows(0, 4, 3)))
    with pytest.raises(ValueError, match="of 3 and of 4 numbers"):
        frechet_distance(moments_of(rows(0, 5, 3)), moments_of(rows(0, 5, 4)))
