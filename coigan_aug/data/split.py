"""The fair split: whole groups to train and test, every class at the wanted share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.data.assigning import Shares, deal
from coigan_aug.errors import UsageError

Counts = NDArray[np.int64]
IMAGES = 0.03
"""How much a class' share of images counts beside its share of objects, which is what is promised. On magnetic-tile
(217 groups) every class' objects come within half a point of 0.8 with it, and their images within 3; with 1, objects
come within 1.8 and images within 1.3."""


def clean_images(counts: Counts, unknown: Sequence[bool] = ()) -> NDArray[np.bool_]:
    """Tell which images are free of defects: those without an object, unless they are of unknown state.

    Args:
        counts: objects of each class in each image, [N, K].
        unknown: for each image; () for none.
    """
    clean = counts.sum(axis=1) == 0
    return np.asarray(clean & ~np.array(unknown, np.bool_) if len(unknown) else clean)


def split_groups(
    groups: Sequence[str], counts: Counts, *, share: float, seed: int, unknown: Sequence[bool] = ()
) -> list[str]:
    """Return "train" or "test" for each image; a group is never torn, and `share` of every class goes to train.

    Objects and images of each class are balanced, defect-free images like a class of their own, and so is the number
    of images (see `assigning.deal`). A class that has two groups or more is on both sides. The result depends on the
    seed, the groups and the counts, not on the order of the images.

    The thesis' splitter (4.2.3) adds the classes up before it compares, so it balances their sum and no class of its own.

    Args:
        counts: objects of each class in each image, [N, K].
        share: of the images and of each class that train should get, 0..1.
        unknown: which images are of unknown state: they count as images, not as defect-free ones.
    """
    if share >= 1 or share <= 0:
        return ["train" if share >= 1 else "test"] * len(groups)
    clean = clean_images(counts, unknown)
    parts = _parts(groups, counts, clean, goals=np.array([share, 1 - share]), stream="split", seed=seed)
    return ["test" if part else "train" for part in parts]


def fold_groups(
    groups: Sequence[str], counts: Counts, *, folds: int, seed: int, unknown: Sequence[bool] = ()
) -> list[int]:
    """Return the fold, 1..folds, of each image: as `split_groups`, with all folds alike.

    Raises:
        UsageError: there are fewer groups than folds.
    """
    if len(set(groups)) < folds:
        raise UsageError(
            f"--folds {folds}: there are {len(set(groups)):,} groups of images, and a fold needs one.",
            remedy="Ask for fewer folds.",
        )
    clean, goals = clean_images(counts, unknown), np.full(folds, 1 / folds)
    return [1 + part for part in _parts(groups, counts, clean, goals=goals, stream="folds", seed=seed)]


def _parts(
    groups: Sequence[str], counts: Counts, clean: NDArray[np.bool_], *, goals: Shares, stream: str, seed: int
) -> list[int]:
    names = sorted(set(groups))
    if not names:
        return []
    number = {name: k for k, name in enumerate(names)}
    group = [number[name] for name in groups]
    columns = np.column_stack([counts, counts > 0, clean.astype(np.int64), np.ones(len(groups), np.int64)])
    totals = np.zeros((len(names), columns.shape[1]), np.float64)
    np.add.at(totals, group, columns)
    shares = totals / np.maximum(totals.sum(axis=0), 1)
    weights = np.repeat([1.0, IMAGES, 1.0], [counts.shape[1], counts.shape[1], 2])
    return deal(shares, goals, weights=weights, rng=streams.generator(seed, stream))[group].tolist()


def reached_shares(counts: Counts, split: Sequence[str]) -> Shares:
    """Return the share of each class's objects that went to train, [K]; NaN for a class without objects."""
    train = counts[np.array(split) == "train"].sum(axis=0).astype(np.float64)
    total = counts.sum(axis=0).astype(np.float64)
    return np.divide(train, total, out=np.full(len(total), np.nan), where=total > 0)


def largest_deviation(counts: Counts, split: Sequence[str], *, share: float) -> float:
    """Return how far a class' share of objects in train is from the wanted one at most, 0..1; 0 without objects."""
    reached = reached_shares(counts, split)
    return float(np.abs(reached[~np.isnan(reached)] - share).max(initial=0))


def share_of_clean(counts: Counts, split: Sequence[str], *, unknown: Sequence[bool] = ()) -> float | None:
    """Return the share of the defect-free images that is in train, 0..1; None where there are none."""
    clean = [side for side, free in zip(split, clean_images(counts, unknown), strict=True) if free]
    return clean.count("train") / len(clean) if clean else None


def siblings_across(groups: Sequence[str], split: Sequence[str]) -> float:
    """Return the share of test images that have an image of their group in train (0..1; 0 without test images)."""
    train = {group for group, side in zip(groups, split, strict=True) if side == "train"}
    test = [group for group, side in zip(groups, split, strict=True) if side == "test"]
    return sum(group in train for group in test) / len(test) if test else 0.0
