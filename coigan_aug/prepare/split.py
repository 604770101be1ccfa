"""The fair split: whole groups to train and test, every class at the wanted share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]
MOVES = 200
SWAPS = 100


def split_groups(groups: Sequence[str], counts: Counts, *, share: float, seed: int) -> list[str]:
    """Return "train" or "test" for each image; a group is never torn, and `share` of every class goes to train.

    Defect-free images are balanced like a class of their own, and so is the number of images. Groups that hold much
    of a class are placed first, each where it brings the shares nearest to the target; then single groups move while
    that helps. A class that has two groups or more is on both sides. The result depends on the seed, the groups and
    the counts, not on the order of the images.

    The thesis' splitter (4.2.3) adds the classes up before it compares, so it balances their sum and no class of its own.

    Args:
        counts: objects of each class in each image, [N, K].
        share: of the images and of each class that train should get, 0..1.
    """
    names = sorted(set(groups))
    if not names:
        return []
    place = {name: k for k, name in enumerate(names)}
    totals = np.zeros((len(names), counts.shape[1] + 2), np.float64)
    clean = (counts.sum(axis=1) == 0).astype(np.int64)
    columns = np.column_stack([counts, clean, np.ones(len(groups), np.int64)])
    np.add.at(totals, [place[name] for name in groups], columns)
    in_train = _assign(totals, share, streams.generator(seed, "split").permutation(len(names)))
    return ["train" if in_train[place[name]] else "test" for name in groups]


def _assign(totals: Shares, share: float, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Choose the groups [G, C] that go to train."""
    if share >= 1 or share <= 0:
        return np.full(len(totals), share >= 1)
    whole = totals.sum(axis=0)
    parts = totals / np.where(whole > 0, whole, 1)
    order = order[np.argsort(-parts[order].max(axis=1), kind="stable")]
    in_train = _greedy(parts, share, order)
    several = (parts > 0).sum(axis=0) > 1
    for _ in range(MOVES):
        train = parts[in_train].sum(axis=0)
        moved = _move(in_train, train, parts, share, several, order)
        if not moved and not (_one_sided(train, several).any() and _swap(in_train, train, parts, share, several)):
            break
    return in_train


def _greedy(parts: Shares, share: float, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Give each group in turn to the side that is shorter of what the group holds, measured by its wanted share."""
    in_train = np.zeros(len(parts), bool)
    reached = {True: [0.0] * parts.shape[1], False: [0.0] * parts.shape[1]}
    wanted = {True: share, False: 1 - share}
    rows = parts.tolist()
    for group in order.tolist():
        row = rows[group]
        short = {
            side: sum((wanted[side] - have) * part for have, part in zip(reached[side], row, strict=True))
            / wanted[side]
            for side in (True, False)
        }
        side = short[True] >= short[False]
        in_train[group] = side
        reached[side] = [have + part for have, part in zip(reached[side], row, strict=True)]
    return in_train


def _move(
    in_train: NDArray[np.bool_],
    train: Shares,
    parts: Shares,
    share: float,
    several: NDArray[np.bool_],
    order: NDArray[np.int64],
) -> bool:
    """Move the group that brings the shares nearest to the other side, where that helps; tell whether it did."""
    signs = np.where(in_train[order], -1, 1)[:, None]
    costs = _cost(train + signs * parts[order], share, several)
    best = int(np.argmin(costs))
    if costs[best] >= float(_cost(train, share, several)) - 1e-12:
        return False
    in_train[order[best]] = ~in_train[order[best]]
    return True


def _swap(in_train: NDArray[np.bool_], train: Shares, parts: Shares, share: float, several: NDArray[np.bool_]) -> bool:
    """Exchange the two groups that bring the shares nearest, where that helps; tell whether it did."""
    ours, theirs = np.flatnonzero(in_train)[:SWAPS], np.flatnonzero(~in_train)[:SWAPS]
    if len(ours) == 0 or len(theirs) == 0:
        return False
    costs = _cost(train - parts[ours][:, None] + parts[theirs][None], share, several)
    a, b = np.unravel_index(int(np.argmin(costs)), costs.shape)
    if costs[a, b] >= float(_cost(train, share, several)) - 1e-12:
        return False
    in_train[[ours[a], theirs[b]]] = [False, True]
    return True


def _one_sided(train: Shares, several: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the classes that are missing on one side without need, [..., C]."""
    return several & ((train < 1e-9) | (train > 1 - 1e-9))


def _cost(train: Shares, share: float, several: NDArray[np.bool_]) -> Shares:
    """Return the squared deviations from the share, [..., C] -> [...]; a class missing on one side costs 1 more."""
    counted = several | (train > 0)
    return ((train - share) ** 2 * counted).sum(axis=-1) + _one_sided(train, several).sum(axis=-1)


def reached_shares(counts: Counts, split: Sequence[str]) -> Shares:
    """Return the share of each class's objects that went to train, [K]; NaN for a class without objects."""
    train = counts[np.array(split) == "train"].sum(axis=0).astype(np.float64)
    total = counts.sum(axis=0).astype(np.float64)
    return np.divide(train, total, out=np.full(len(total), np.nan), where=total > 0)


def siblings_across(groups: Sequence[str], split: Sequence[str]) -> float:
    """Return the share of test images that have an image of their group in train (0..1; 0 without test images)."""
    train = {group for group, side in zip(groups, split, strict=True) if side == "train"}
    test = [group for group, side in zip(groups, split, strict=True) if side == "test"]
    return sum(group in train for group in test) / len(test) if test else 0.0
