"""Two sets of rows compared: FID, KID, precision and recall, with the numbers of rows beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.evaluation.numbers import Comparison, Pairs
from coigan_aug.metrics.frechet import Moments, frechet_distance, moments_of
from coigan_aug.metrics.kernel import kernel_distance
from coigan_aug.metrics.neighbours import precision_recall

NEIGHBOURS = 3
FEW_FOR_FID = 2048
FID_IS_BIASED = (
    f"FID of fewer than {FEW_FOR_FID:,} pictures a side, or fewer than the feature space has numbers, is biased upwards:"
    " KID is the number to read."
)


@dataclass(frozen=True)
class Sample:
    """Rows [n, D] and the group of near-duplicate images that each comes from, as numbers [n]."""

    rows: NDArray[Any]
    groups: NDArray[np.int64]


@dataclass(frozen=True)
class Kind:
    """What a feature space is called, the length of its rows, and whether papers measure in it."""

    name: str
    width: int
    comparable: bool


def compare_all(sets: Mapping[str, Sample], kind: Kind) -> Pairs:
    """Compare synthetic rows with train's and test's, and train's with test's: the floor.

    Args:
        sets: by the names "synthetic", "train" and "test".
    """
    moments = {name: moments_of(sample.rows) for name, sample in sets.items()}

    def pair(first: str, second: str) -> Comparison:
        return compare(sets[first], sets[second], kind, moments=(moments[first], moments[second]))

    return Pairs(
        synthetic_train=pair("synthetic", "train"),
        synthetic_test=pair("synthetic", "test"),
        floor=pair("train", "test"),
    )


def compare(first: Sample, second: Sample, kind: Kind, *, moments: tuple[Moments, Moments]) -> Comparison:
    """Compare two samples whose moments are known."""
    rows, few = (first.rows, second.rows), min(len(first.rows), len(second.rows))
    kernel = kernel_distance(*rows, groups=(first.groups, second.groups)) if few >= 2 else None
    precision, recall = precision_recall(*rows, k=NEIGHBOURS) if few > NEIGHBOURS else (None, None)
    return Comparison(
        features=kind.name,
        comparable=kind.comparable,
        n_first=len(first.rows),
        n_second=len(second.rows),
        groups_first=len(np.unique(first.groups)),
        groups_second=len(np.unique(second.groups)),
        fid=frechet_distance(*moments) if few >= 2 else None,
        fid_biased=few < max(FEW_FOR_FID, kind.width),
        kid=kernel.value if kernel else None,
        kid_error=kernel.error if kernel else None,
        precision=precision,
        recall=recall,
    )
