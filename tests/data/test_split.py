"""The split keeps groups whole and every class near its share."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coigan_aug.data.assigning import MISSING
from coigan_aug.data.split import IMAGES, fold_groups, reached_shares, siblings_across, split_groups
from coigan_aug.errors import UsageError
from tests.thorough import tries


@st.composite
def images(draw: st.DrawFn) -> tuple[list[str], np.ndarray]:
    count, classes = draw(st.integers(1, 60)), draw(st.integers(1, 4))
    groups = [f"g{draw(st.integers(0, 25))}" for _ in range(count)]
    counts = np.array([[draw(st.sampled_from([0, 0, 0, 1, 2, 9])) for _ in range(classes)] for _ in range(count)])
    return groups, counts


@settings(max_examples=tries(30), deadline=None)
@given(images(), st.floats(0.1, 0.9), st.integers(0, 5))
@example((["a", "b"], np.array([[0], [1]])), 0.25, 0)
def test_groups_stay_whole_and_every_class_with_two_groups_is_on_both_sides(
    data: tuple[list[str], np.ndarray], share: float, seed: int
) -> None:
    groups, counts = data
    split = split_groups(groups, counts, share=share, seed=seed)
    assert set(split) <= {"train", "test"}
    assert siblings_across(groups, split) == 0
    sides = dict(zip(groups, split, strict=True))
    assert [sides[group] for group in groups] == split
    if len(set(groups)) > 1:
        assert set(split) == {"train", "test"}


@settings(max_examples=tries(15), deadline=None)
@given(images(), st.randoms())
def test_the_split_does_not_depend_on_the_order(data: tuple[list[str], np.ndarray], order: object) -> None:
    groups, counts = data
    shuffled = list(range(len(groups)))
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one = split_groups(groups, counts, share=0.8, seed=1)
    other = split_groups([groups[k] for k in shuffled], counts[shuffled], share=0.8, seed=1)
    assert [one[k] for k in shuffled] == other


def severstal_like() -> np.ndarray:
    """Like Severstal: 12,568 images, four classes of very different size, nearly half without defects; one mask each."""
    draw = np.random.default_rng(0)
    return (draw.random((12_568, 4)) < [0.0714, 0.0197, 0.4099, 0.0637]).astype(np.int64)


def test_many_small_groups_come_nearer_to_every_share_than_iterative_stratification() -> None:
    """iterative-stratification 0.1.9 reaches 0.800, 0.802, 0.800, 0.800 on such a table; ours must not be further off."""
    counts = severstal_like()
    split = split_groups([f"{k:05d}" for k in range(12_568)], counts, share=0.8, seed=3)
    assert np.abs(reached_shares(counts, split) - 0.8).max() <= 0.002
    assert abs(split.count("train") / len(split) - 0.8) < 0.002
    clean = [side for side, row in zip(split, counts, strict=True) if not row.any()]
    assert abs(clean.count("train") / len(clean) - 0.8) < 0.002


def cost(places: tuple[int, ...], counts: np.ndarray, wanted: list[float]) -> float:
    """The slow way to say how far parts are from what they should hold, quantity by quantity; one group an image."""
    columns = [(counts[:, k], 1.0) for k in range(counts.shape[1])]
    columns += [(counts[:, k] > 0, IMAGES) for k in range(counts.shape[1])]
    columns += [(counts.sum(axis=1) == 0, 1.0), (np.ones(len(counts)), 1.0)]
    total = 0.0
    for column, weight in columns:
        for part, share in enumerate(wanted):
            own = np.array(places) == part
            if column.sum():
                total += weight * (column[own].sum() / column.sum() - share) ** 2
            total += MISSING * (not column[own].any())
    return total


@pytest.mark.parametrize("seed", range(8))
def test_no_split_of_nine_groups_is_better(seed: int) -> None:
    """Against all 2^9 splits."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 5, (9, 2)) * draw.integers(0, 2, (9, 1)) + np.eye(9, 2, dtype=np.int64)
    split = split_groups([str(k) for k in range(9)], counts, share=0.7, seed=seed)
    places = tuple(int(side == "test") for side in split)
    best = min(cost(other, counts, [0.7, 0.3]) for other in itertools.product(range(2), repeat=9))
    assert cost(places, counts, [0.7, 0.3]) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_no_three_folds_of_eight_groups_are_better(seed: int) -> None:
    """Against all 3^8 ways to deal them out; since folds are alike, those that have the first group in the first."""
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 4, (8, 2)) + np.eye(8, 2, dtype=np.int64)
    found = fold_groups([str(k) for k in range(8)], counts, folds=3, seed=seed)
    wanted = [1 / 3] * 3
    best = min(cost((0, *others), counts, wanted) for others in itertools.product(range(3), repeat=7))
    assert cost(tuple(fold - 1 for fold in found), counts, wanted) == pytest.approx(best, abs=1e-9)


def test_groups_of_images_leave_no_class_further_from_its_share_than_its_own_groups_must() -> None:
    """Sixty pieces of one to six images, three classes: half a point, as single images would have it."""
    draw = np.random.default_rng(4)
    sizes = draw.integers(1, 7, 60)
    groups = [f"p{k}" for k, size in enumerate(sizes) for _ in range(size)]
    kind = draw.integers(0, 4, 60)
    label = np.array([kind[k] for k, size in enumerate(sizes) for _ in range(size)])
    counts = np.stack([(label == k) * draw.integers(1, 4, len(label)) for k in range(3)], axis=1)
    split = split_groups(groups, counts, share=0.8, seed=0)
    assert np.abs(reached_shares(counts, split) - 0.8).max() < 0.006
    clean = [side for side, row in zip(split, counts, strict=True) if not row.any()]
    assert abs(clean.count("train") / len(clean) - 0.8) < 0.02


@settings(max_examples=tries(15), deadline=None)
@given(images(), st.integers(2, 5), st.randoms())
def test_folds_are_a_partition_of_whole_groups_whatever_the_order(
    data: tuple[list[str], np.ndarray], folds: int, order: object
) -> None:
    groups, counts = data
    if len(set(groups)) < folds:
        with pytest.raises(UsageError, match="a fold needs one"):
            fold_groups(groups, counts, folds=folds, seed=0)
        return
    found = fold_groups(groups, counts, folds=folds, seed=0)
    assert set(found) == set(range(1, folds + 1))
    sides = dict(zip(groups, found, strict=True))
    assert [sides[group] for group in groups] == found
    shuffled = list(range(len(groups)))
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    other = fold_groups([groups[k] for k in shuffled], counts[shuffled], folds=folds, seed=0)
    assert [found[k] for k in shuffled] == other


def test_folds_of_many_images_are_alike() -> None:
    counts = severstal_like()[:3000]
    found = np.array(fold_groups([str(k) for k in range(3000)], counts, folds=5, seed=0))
    objects = np.array([counts[found == fold].sum(axis=0) for fold in range(1, 6)])
    assert np.ptp(objects, axis=0).max() <= 2
    clean = [int((counts[found == fold].sum(axis=1) == 0).sum()) for fold in range(1, 6)]
    assert max(clean) - min(clean) <= 2


def test_seeds_give_different_splits_and_one_seed_the_same() -> None:
    counts = np.ones((40, 1), np.int64)
    groups = [str(k) for k in range(40)]
    made = [tuple(split_groups(groups, counts, share=0.5, seed=seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_everything_may_go_to_train() -> None:
    assert split_groups(["a", "b"], np.ones((2, 1), np.int64), share=1.0, seed=0) == ["train", "train"]
    assert split_groups([], np.ones((0, 1), np.int64), share=0.8, seed=0) == []


def test_siblings_are_counted() -> None:
    assert siblings_across(["a", "a", "b", "c"], ["train", "test", "test", "train"]) == 0.5
    assert siblings_across(["a"], ["train"]) == 0
