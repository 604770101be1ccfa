"""On which side of the split each image of an import is: dealt out fairly, in folds, or as the source says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.data.folds import check_folds
from coigan_aug.data.split import Counts, fold_groups, split_groups
from coigan_aug.errors import UsageError
from coigan_aug.formats.source import Problems, side_of


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The side, and where there are folds the fold from 1, of each image; the share that train was to get.

    `named` counts the images by what the source calls their side, where its own sides were taken.
    """

    split: list[str]
    folds: list[int]
    fold: int | None
    share: float
    named: dict[str, int]


def check_split(split: float | None, *, folds: int, fold: int) -> None:
    """Refuse what can't be a split.

    Raises:
        UsageError: an option is out of range, or two options exclude each other.
    """
    if split is not None and not 0 < split <= 1:
        raise UsageError(f"--split {split}: the share of the training images is above 0, at most 1.")
    if split is None and folds:
        raise UsageError(
            "--folds deals all images out anew, --split source keeps them.", remedy="Leave out one of them."
        )
    check_folds(folds, fold)


def deal(
    groups: Sequence[str],
    counts: Counts,
    *,
    split: float,
    folds: int,
    fold: int,
    seed: int,
    unknown: Sequence[bool] = (),
) -> Sides:
    """Deal whole groups out, every class at the share asked for, or to folds of which one is the test set."""
    if not folds:
        sides = split_groups(groups, counts, share=split, seed=seed, unknown=unknown)
        return Sides(split=sides, folds=[], fold=None, share=split, named={})
    numbers = fold_groups(groups, counts, folds=folds, seed=seed, unknown=unknown)
    sides = ["test" if number == fold else "train" for number in numbers]
    return Sides(split=sides, folds=numbers, fold=fold, share=1 - 1 / folds, named={})


def own_sides(records: Sequence[ImageRecord], counts: Counts, problems: Problems) -> Sides:
    """Take the sides that the source names: what is called train is for training, all else is held out.

    Images of no side go to train, which is noted.

    Raises:
        UsageError: the source names no side.
    """
    named = [record.split or str(record.source.get("split", "")) for record in records]
    without = [record.file for record, name in zip(records, named, strict=True) if not name]
    if len(without) == len(named):
        remedy = "Give a share, such as --split 0.8"
        raise UsageError("--split source: the source says of no image on which side it is.", remedy=remedy)
    if without:
        what = f"{len(without):,} images are on no side of the source's split (first: {without[0]})"
        problems.add(what, file="--split source", done="taken for training")
    sides = [side_of(name) or "train" for name in named]
    objects = counts.sum(axis=1)
    train = sum(int(count) for count, side in zip(objects, sides, strict=True) if side == "train")
    share = train / int(objects.sum()) if objects.any() else sides.count("train") / len(sides)
    return Sides(split=sides, folds=[], fold=None, share=share, named=dict(Counter(name for name in named if name)))
