"""How alike two sets of numbers are: histograms with common bins, and the earth mover's distance (Wasserstein-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams

Values = NDArray[np.float64]
SPLITS = 100


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Real and synthetic numbers side by side.

    `edges` [B + 1] are the bins' borders, `real` and `synthetic` [B] how many numbers fell into each. `distance` is the
    Wasserstein-1 distance over `spread`, the real numbers' own; `floor` the mean of the same between two halves of the
    real groups, None with fewer than two groups. A distance below the floor is none that could be told from chance.
    """

    edges: tuple[float, ...]
    real: tuple[int, ...]
    synthetic: tuple[int, ...]
    distance: float
    floor: float | None
    spread: float


def compare(
    real: Values,
    synthetic: Values,
    *,
    groups: Sequence[str],
    bins: int = 20,
    limits: tuple[float, float] | None = None,
    period: float | None = None,
    least: float = 1e-9,
) -> Comparison:
    """Compare numbers [n] of real objects with numbers [m] of synthetic ones.

    Args:
        groups: the group of each real number; the floor's halves tear none.
        limits: where the bins begin and end; by default at the smallest and largest of all numbers.
        period: the numbers go round, as axes do (180 degrees): bins from 0 to the period, distances the shorter way.
        least: the smallest spread that counts, for real numbers that are all alike.

    Raises:
        ValueError: a set is empty, or holds what is not finite.
    """
    _check(real, synthetic)
    low, high = (0.0, period) if period else limits or _range(real, synthetic)
    edges = np.linspace(low, high, bins + 1)
    own, theirs = (_count(values, edges, period) for values in (real, synthetic))
    spread = max(_spread(real, period), least)
    floor = _floor(real, groups, period)
    return Comparison(
        edges=tuple(edges.tolist()),
        real=own,
        synthetic=theirs,
        distance=_distance(real, synthetic, period) / spread,
        floor=None if floor is None else floor / spread,
        spread=spread,
    )


def wasserstein(first: Values, second: Values) -> float:
    """Return the Wasserstein-1 distance of two sets of numbers, [n] and [m]: the area between their distribution functions.

    >>> wasserstein(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    2.0

    Source: Vallender 1974, "Calculation of the Wasserstein distance between probability distributions on the line".

    Raises:
        ValueError: a set is empty, or holds what is not finite.
    """
    steps, gaps = _gaps(first, second)
    return float((np.abs(gaps) * steps).sum())


def circular_wasserstein(first: Values, second: Values, *, period: float) -> float:
    """Return the Wasserstein-1 distance of two sets of numbers that go round at `period`.

    The area between the distribution functions, one of them shifted by the constant that makes it least: the median of
    their difference along the circle.

    Source: Rabin, Delon and Gousseau 2011, "Transportation distances on the circle", equation 10.

    Raises:
        ValueError: a set is empty, or holds what is not finite.
    """
    ends = np.array([0.0, period])
    steps, gaps = _gaps(np.mod(first, period), np.mod(second, period), ends)
    order = np.argsort(gaps, kind="stable")
    half = np.searchsorted(np.cumsum(steps[order]), period / 2)
    return float((np.abs(gaps - gaps[order][min(int(half), len(order) - 1)]) * steps).sum())


def _gaps(first: Values, second: Values, ends: Values | None = None) -> tuple[Values, Values]:
    """Return the steps between all numbers, sorted, and the difference of the distribution functions over each."""
    _check(first, second)
    every = np.sort(np.concatenate([first, second] if ends is None else [first, second, ends]))
    below = [np.searchsorted(np.sort(own), every[:-1], side="right") / len(own) for own in (first, second)]
    return np.diff(every), below[0] - below[1]


def _check(first: Values, second: Values) -> None:
    if not len(first) or not len(second) or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError(f"{len(first)} and {len(second)} numbers; each set needs one at least, and finite ones")


def _distance(first: Values, second: Values, period: float | None) -> float:
    return circular_wasserstein(first, second, period=period) if period else wasserstein(first, second)


def _spread(values: Values, period: float | None) -> float:
    """Return the standard deviation; of numbers that go round, the root mean square of their way to the circular mean."""
    if not period:
        return float(np.std(values))
    turns = np.exp(2j * np.pi * values / period)
    away = np.angle(turns * np.conj(turns.mean())) * period / (2 * np.pi)
    return float(np.sqrt((away**2).mean()))


def _floor(values: Values, groups: Sequence[str], period: float | None) -> float | None:
    """Return the mean distance of the two halves of the groups, over random halvings."""
    names, which = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return None
    found = []
    for k in range(SPLITS):
        taken = streams.generator(0, "split half", k).permutation(len(names)) < len(names) // 2
        found.append(_distance(values[taken[which]], values[~taken[which]], period))
    return float(np.mean(found))


def _range(real: Values, synthetic: Values) -> tuple[float, float]:
    every = np.concatenate([real, synthetic])
    low, high = float(every.min()), float(every.max())
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _count(values: Values, edges: Values, period: float | None) -> tuple[int, ...]:
    """Count the numbers in each bin; what lies beyond the first or last border counts there."""
    inside = np.mod(values, period) if period else np.clip(values, edges[0], edges[-1])
    return tuple(np.histogram(inside, edges)[0].tolist())
