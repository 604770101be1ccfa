"""Pieces that two data sets show: what is learnt from one of them must not be tested on the same piece in the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coigan_aug.data.groups import find_groups
from coigan_aug.progress import Report, silently
from coigan_aug.store.dataset import Dataset


def shared_pieces(
    first: Dataset, positions: Sequence[int], second: Dataset, others: Sequence[int],
    *, progress: Callable[[str], Report] = silently,
) -> list[int]:  # fmt: skip
    """Return those of some images of a data set that show a piece which images of another show, too.

    Near-duplicates are looked for over both, as at import; with an image all of its group are meant.

    Args:
        positions: the images of the first data set that are looked at.
        others: those of the second one.

    Raises:
        DataError: an image can't be decoded.
    """
    sides = [(first, "first", k) for k in positions] + [(second, "second", k) for k in others]
    labels = find_groups(
        [dataset.image_path(k) for dataset, _, k in sides],
        [f"{side}/{dataset[k].file}" for dataset, side, k in sides],
        progress=progress,
    )
    ours, theirs = labels[: len(positions)], set(labels[len(positions) :])
    pieces = {_piece(first, k) for k, label in zip(positions, ours, strict=True) if label in theirs}
    return [k for k in positions if _piece(first, k) in pieces]


def _piece(dataset: Dataset, position: int) -> str:
    record = dataset[position]
    return record.group or record.file
