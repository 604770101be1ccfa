"""Objects are compared trait by trait, each as it is to be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coigan_aug.metrics.traits import compare_traits
from coigan_aug.prepare.traits import NUMBERS, Traits


def _traits(count: int, seed: int) -> Traits:
    draw = np.random.default_rng(seed)
    values = {name: draw.random(count) for name in NUMBERS}
    values["orientation"] = draw.normal(0, 5, count) % 180
    return Traits(**values, touches=np.zeros(count, bool), groups=tuple(str(k) for k in range(count)))


def test_objects_of_one_kind_are_no_further_apart_than_their_halves() -> None:
    found = compare_traits(_traits(200, 1), _traits(300, 2))
    assert tuple(found) == NUMBERS
    for one in found.values():
        assert one.floor is not None
        assert one.distance < 2 * one.floor
        assert (sum(one.real), sum(one.synthetic)) == (200, 300)


def test_a_moved_trait_is_seen_in_that_trait_alone() -> None:
    real, other = _traits(200, 1), _traits(300, 2)
    moved = dataclasses.replace(other, y=other.y * 0.2, orientation=(other.orientation + 90) % 180)
    found = compare_traits(real, moved)
    far = [name for name, one in found.items() if one.floor is not None and one.distance > 4 * one.floor]
    assert far == ["y", "orientation"]
    assert found["orientation"].distance == pytest.approx(90 / 5, rel=0.2)


def test_orientations_on_both_sides_of_zero_are_near() -> None:
    found = compare_traits(_traits(200, 1), _traits(300, 2))["orientation"]
    assert (found.edges[0], found.edges[-1]) == (0, 180)
    assert found.spread == pytest.approx(5, rel=0.15)


def test_shares_have_the_same_bins_in_every_class() -> None:
    first, second = (compare_traits(_traits(20, k), _traits(30, k + 1), bins=10) for k in (1, 5))
    assert first["x"].edges == second["x"].edges == tuple(np.linspace(0, 1, 11).tolist())


def test_a_class_without_objects_is_not_compared() -> None:
    assert compare_traits(_traits(0, 1), _traits(5, 1)) == {}
    assert compare_traits(_traits(5, 1), _traits(0, 1)) == {}
