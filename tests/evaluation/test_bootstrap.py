"""Draws keep their strata, intervals their closed form."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug.evaluation.summary import draw, interval, mean_over_classes


def test_groups_are_drawn_within_their_stratum() -> None:
    draws = draw(["a", "b", "b", "c", "c", "c"], 4, seed=0, draws=200)
    assert (draws.groups[:, 0] == 1).all()
    assert (draws.groups[:, 1:3].sum(axis=1) == 2).all()
    assert (draws.groups[:, 3:].sum(axis=1) == 3).all()
    np.testing.assert_allclose(draws.seeds.sum(axis=1), 1)


def test_the_interval_of_a_mean_of_groups_is_the_normal_one() -> None:
    values = np.random.default_rng(3).uniform(0.2, 0.8, size=60)
    draws = draw(["a"] * 60, 1, seed=5)
    found = interval(draws.groups @ values / 60)
    error = values.std() / np.sqrt(60)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.15 * error)


def test_a_class_that_is_not_there_is_left_out_of_the_mean() -> None:
    scores = np.array([[0.2, np.nan, 0.4], [0.1, np.nan, 0.5]])
    np.testing.assert_allclose(mean_over_classes(scores), [0.3, 0.3])
    np.testing.assert_allclose(mean_over_classes(scores[:, 0]), [0.2, 0.1])
