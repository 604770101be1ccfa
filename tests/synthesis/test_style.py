"""Directions of a run's styles: how they are asked for, found, tried, and drawn with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.errors import UsageError
from coigan_aug.synthesis.steering import AMOUNTS, APART, LEAST_TOLD, judged, regress
from coigan_aug.synthesis.style import Direction, Directions, packed, parse_style, shift_of
from coigan_aug.synthesis.traits import measure_traits, ranks, spearman


def brute_spearman(one: list[float], other: list[float]) -> float:
    """By the definition: Pearson's correlation of mean ranks, each counted by comparing all pairs."""

    def rank(values: list[float]) -> np.ndarray:
        return np.array([sum(b < a for b in values) + (sum(b == a for b in values) + 1) / 2 for a in values])

    return float(np.corrcoef(rank(one), rank(other))[0, 1])


def test_spearman_is_that_of_the_definition_and_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        one = rng.integers(0, 6, 30).astype(float)
        other = np.round(0.5 * one + rng.normal(size=30), 1)
        assert spearman(one, other) == pytest.approx(brute_spearman(one.tolist(), other.tolist()))
    assert ranks([10, 20, 20, 5]).tolist() == [2, 3.5, 3.5, 1]
    assert spearman([1, 2, 3], [4, 4, 4]) == 0
    assert spearman([1, 2, 3], [1, 8, 27]) == pytest.approx(1)
    stats = pytest.importorskip("scipy.stats")
    assert spearman(one, other) == pytest.approx(float(stats.spearmanr(one, other).statistic))


def _directions() -> Directions:
    kept, other = (
        Direction(name=name, vector=packed(np.array(v, np.float32)), explained=0.5, spearman=0.9, drags={}, why=why)
        for name, v, why in (("sharpness", [1, 0, 2], ""), ("grain", [0, 1, 0], "it drags darkness along"))
    )
    return Directions(
        generator="x", program="p", latents=20, seed=0, found_on=[], tried_on=[], directions=[kept, other]
    )


def test_a_style_is_read_and_refused_in_words() -> None:
    assert parse_style(None) == () == parse_style("sharpness=0")
    assert parse_style({"b": 1, "a": -2.5}) == (("a", -2.5), ("b", 1.0)) == parse_style("b=1, a=-2.5")
    for wrong in ("sharpness", "sharpness=much", "sharpness=6", "sharpness=nan", "a=1,a=2"):
        with pytest.raises(UsageError, match="is no trait with one amount from -5 to 5"):
            parse_style(wrong)


def test_only_what_was_measured_and_kept_can_be_asked_for() -> None:
    directions = _directions()
    assert shift_of((), None, run="r") is None
    np.testing.assert_array_equal(shift_of((("sharpness", 1.5),), directions, run="r"), [1.5, 0, 3])
    with pytest.raises(UsageError, match="none were measured of run r") as error:
        shift_of((("sharpness", 1.0),), None, run="r")
    assert "coigan-aug directions --run r" in error.value.remedy
    with pytest.raises(UsageError, match=r"no direction 'sharpnes'.* Did you mean 'sharpness'"):
        shift_of((("sharpnes", 1.0),), directions, run="r")
    with pytest.raises(UsageError, match="direction grain of run r was dropped: it drags darkness") as error:
        shift_of((("grain", 1.0),), directions, run="r")
    assert error.value.remedy == "Run r has: sharpness."


def test_the_regression_finds_the_directions_that_a_linear_world_has() -> None:
    """Traits that are linear in the style, scene by scene on scales of their own: the answer is known in closed form."""
    rng = np.random.default_rng(0)
    size, scenes, n = 6, 4, 4000
    root = rng.normal(size=(size, size)) / 2 + np.eye(size)
    covariance = root @ root.T
    slopes = rng.normal(size=(3, size))  # of three traits; the fourth is chance alone
    shifts = rng.normal(size=(n, size)) @ root.T
    which = np.arange(n) % scenes
    offsets = rng.normal(size=(scenes, 4))
    linear = np.concatenate([shifts @ slopes.T, np.zeros((n, 1))], axis=1)
    values = np.stack([sign * linear + offsets[which] + 0.01 * rng.normal(size=(n, 4)) for sign in (1, -1)], axis=1)
    tries = regress(shifts, values, which, covariance)
    found = tries[APART.index(0.0)]
    np.testing.assert_allclose(found.explained[:3], 1, atol=0.02)
    assert found.explained[3] < LEAST_TOLD and not found.vectors[3].any()
    inner = slopes @ covariance @ slopes.T
    wanted = covariance @ slopes.T @ np.linalg.inv(inner) * np.sqrt(np.diag(inner))  # a standard deviation each
    np.testing.assert_allclose(found.vectors[:3], wanted.T, rtol=0.1, atol=0.1 * np.abs(wanted).max())
    moved = found.vectors[:3] @ slopes.T / np.sqrt(np.diag(inner))
    np.testing.assert_allclose(moved, np.eye(3), atol=0.1)
    soft = tries[APART.index(3.0)].vectors[:3] @ slopes.T / np.sqrt(np.diag(inner))
    np.testing.assert_allclose(np.diag(soft), 1, atol=0.1)
    assert np.abs(soft - np.eye(3)).max() > 0.2, "a soft one lets the others change"


@pytest.mark.parametrize(
    ("own", "other", "explained", "why"),
    [
        (1.0, 0.2, 0.5, ""),
        (-1.0, 0.0, 0.5, "Spearman correlation is -1.00, under 0.7"),
        (1.0, -0.4, 0.5, "drags grain along, by -0.40"),
        (1.0, 0.0, 0.05, "tell too little of it"),
    ],
)
def test_a_direction_is_kept_or_dropped_by_what_it_changes(
    own: float, other: float, explained: float, why: str
) -> None:
    changes = np.zeros((5, len(AMOUNTS), 4))
    changes[..., 0], changes[..., 1] = own * np.array(AMOUNTS), other * np.array(AMOUNTS)
    vector = np.ones(6) if explained >= LEAST_TOLD else np.zeros(6)
    direction = judged("sharpness", vector, explained, changes, own=0)
    assert why in direction.why
    assert direction.kept == (why == "")
    assert direction.spearman == pytest.approx(np.sign(own))


def test_traits_tell_a_sharp_a_grainy_and_a_dark_defect_apart() -> None:
    base = np.full((64, 64), 150, np.uint8)
    solid = np.zeros((64, 64), np.uint8)
    solid[20:44, 20:44] = 1
    mask = rle.encode(solid)

    def traits(change: np.ndarray) -> np.ndarray:
        return measure_traits(base, np.clip(base + change, 0, 255).astype(np.uint8), mask, margin=4)

    plain = -40.0 * solid
    soft = cv2.GaussianBlur(plain, (0, 0), 3)
    noise = plain + np.random.default_rng(0).normal(0, 12, base.shape) * solid
    half = plain * (np.arange(64) < 32)
    sharp, blurred, grainy, dark, partly = (traits(change) for change in (plain, soft, noise, 2 * plain, half))
    assert sharp[0] > blurred[0] + 0.5
    assert grainy[1] > sharp[1] + 0.5
    assert sharp[2] == pytest.approx(40, abs=0.5) and dark[2] == pytest.approx(80, abs=0.5)
    assert dark[0] == pytest.approx(sharp[0], abs=0.05), "twice as strong, and as sharp"
    assert (sharp[3], partly[3]) == (1, pytest.approx(0.5, abs=0.05))
