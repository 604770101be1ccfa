"""Draws are named by seed, stream and index, and by nothing else."""

from __future__ import annotations

import numpy as np

from coigan_aug.rng import generator, torch_seed


def test_the_same_name_gives_the_same_numbers_and_another_name_others() -> None:
    names = [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (-1, "a", 0)]
    drawn = [tuple(generator(*name).integers(0, 1 << 62, 4)) for name in names]
    assert len(set(drawn)) == len(names)
    assert drawn == [tuple(generator(*name).integers(0, 1 << 62, 4)) for name in names]


def test_neighbouring_indices_are_independent() -> None:
    first = np.array([generator(0, "x", index).standard_normal() for index in range(2000)])
    assert abs(first.mean()) < 0.1
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.08


def test_seeds_for_torch_are_in_its_range() -> None:
    seeds = {torch_seed(7, "step", index) for index in range(100)}
    assert len(seeds) == 100
    assert all(0 <= seed < 1 << 63 for seed in seeds)
