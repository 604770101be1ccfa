"""Intervals against closed forms and against a loop that draws by hand."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug.evaluation.bootstrap import by_group, class_scores, draw, interval, mean_over_classes


def _counts(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(1, 50, size=(*shape, 3))


def test_the_first_draw_is_the_measurement() -> None:
    counts = _counts(np.random.default_rng(0), 3, 6, 2)
    found = class_scores(counts, draw(["a"] * 6, 3, seed=1, draws=10))[0]
    pooled = counts.sum(axis=1)
    np.testing.assert_allclose(found, (pooled[..., 0] / pooled.sum(axis=-1)).mean(axis=0))


def test_every_draw_is_that_of_a_loop_over_groups_and_seeds() -> None:
    counts = _counts(np.random.default_rng(1), 2, 5, 1)
    draws = draw(["a", "a", "b", "b", "b"], 2, seed=2, draws=20)
    found = class_scores(counts, draws)
    for d in range(21):
        value = 0.0
        for s in range(2):
            hit = union = 0.0
            for g in range(5):
                hit += draws.groups[d, g] * counts[s, g, 0, 0]
                union += draws.groups[d, g] * counts[s, g, 0].sum()
            value += draws.seeds[d, s] * hit / union
        assert found[d, 0] == pytest.approx(value)


def test_groups_are_drawn_within_their_stratum() -> None:
    draws = draw(["a", "b", "b", "c", "c", "c"], 4, seed=0, draws=200)
    assert (draws.groups[:, 0] == 1).all()
    assert (draws.groups[:, 1:3].sum(axis=1) == 2).all()
    assert (draws.groups[:, 3:].sum(axis=1) == 3).all()
    np.testing.assert_allclose(draws.seeds.sum(axis=1), 1)


def test_the_interval_of_a_mean_of_groups_is_the_normal_one() -> None:
    """Groups of 100 px with h hits each: the IoU is the mean of h / 100; its standard error is known."""
    rng = np.random.default_rng(3)
    hits = rng.integers(20, 80, size=60)
    counts = np.zeros((1, 60, 1, 3), np.int64)
    counts[0, :, 0, 0], counts[0, :, 0, 2] = hits, 100 - hits
    found = interval(class_scores(counts, draw(["a"] * 60, 1, seed=5))[:, 0])
    error = hits.std() / 100 / np.sqrt(60)
    assert found.mean == pytest.approx(hits.mean() / 100)
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.15 * error)


def test_a_class_that_is_not_there_is_left_out_of_the_mean() -> None:
    scores = np.array([[0.2, np.nan, 0.4], [0.1, np.nan, 0.5]])
    np.testing.assert_allclose(mean_over_classes(scores), [0.3, 0.3])


def test_the_images_of_a_group_are_added_up() -> None:
    counts = np.arange(24).reshape(4, 2, 3)
    found = by_group(counts, ["x", "y", "x", "z"], ["x", "y", "z"])
    np.testing.assert_array_equal(found, np.stack([counts[0] + counts[2], counts[1], counts[3]]))
