"""Intervals for differences of scores that have two sources of chance: which images were tested, which seed trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.evaluation.numbers import Interval, number

DRAWS = 2_000
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Which groups and seeds each bootstrap draw takes: weights float64 [D, G] and [D, S]; row 0 is all of them once."""

    groups: Scores
    seeds: Scores


def draw(strata: Sequence[str], seeds: int, *, seed: int, draws: int = DRAWS) -> Draws:
    """Draw test groups and training seeds with replacement, groups within their stratum, so that no class goes missing.

    Args:
        strata: the stratum of each group.
        seeds: the number of training seeds.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 (two-sample data) and 13 (percentiles).
    """
    rng = streams.generator(seed, "bootstrap")
    groups = np.zeros((draws + 1, len(strata)))
    for name in sorted(set(strata)):
        members = np.flatnonzero(np.asarray(strata) == name)
        groups[1:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=draws)
    taken = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws).astype(np.float64)
    groups[0] = 1
    return Draws(groups, np.concatenate([np.ones((1, seeds)), taken]) / seeds)


def interval(values: Scores) -> Interval:
    """Return the first of the draws [D], which is the measurement, and the 2.5th and 97.5th percentile of the others."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return Interval(mean=number(values[0]), low=number(low), high=number(high))


def mean_over_classes(scores: Scores) -> Scores:
    """Return the mean over the classes [D, K] -> [D]; a class without a score is left out. What is not by class stays."""
    return scores if scores.ndim == 1 else np.asarray(np.nanmean(scores, axis=1))
