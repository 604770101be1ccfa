"""Nothing of a test image may reach a segmenter or the generator before it is tested; refused, not warned of."""

from __future__ import annotations

from collections.abc import Iterable

from coigan_aug.errors import DataError
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.origin import origin_of, shape_source

_ANEW = "Make it again from this data set: coigan-aug synthesize, or coigan-aug evaluate benefit without --arm."


def check_split(dataset: Dataset) -> None:
    """Refuse a data set without test images, or one whose split tears a group.

    Raises:
        DataError: the message names a group that is on both sides.
    """
    sides: dict[str, set[str]] = {"train": set(), "test": set()}
    for record in dataset:
        if record.split in sides:
            sides[record.split].add(record.group or record.file)
    if not sides["test"]:
        raise DataError(
            f"{dataset.folder} has no test images; nothing can be measured on it.",
            remedy="Import it again with --split 0.8 (a share below 1).",
        )
    torn = sorted(sides["train"] & sides["test"])
    if torn:
        raise DataError(
            f"{len(torn)} groups have images both in train and in test, among them {torn[0]}: a score would be inflated.",
            remedy="Import the data again: coigan-aug import ... --overwrite",
        )


def check_synthetic(synthetic: Dataset, dataset: Dataset, training: Iterable[int]) -> None:
    """Refuse a synthetic set that has other classes, or that was made from anything but the training images given.

    Raises:
        DataError: the message names the image and what it was made from.
    """
    if synthetic.names != dataset.names:
        raise DataError(
            f"{synthetic.folder} has the classes {', '.join(synthetic.names)}; the data set has {', '.join(dataset.names)}."
        )
    allowed = {dataset[position].file for position in training}
    for record in synthetic:
        origin = origin_of(record)
        for file in (origin and origin.base, *map(shape_source, record.annotations)):
            if file not in allowed:
                what = f"made from {file}, which is not among the training images" if file else "of unknown origin"
                raise DataError(f"{synthetic.folder}: {record.file} is {what}.", remedy=_ANEW)
