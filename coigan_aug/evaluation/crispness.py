"""Whether synthetic defects are as crisp as real ones: grain and edges of the objects of a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from coigan_aug.evaluation.crops import Instance
from coigan_aug.evaluation.embedding import Advance
from coigan_aug.evaluation.numbers import Crisp, CrispOf
from coigan_aug.metrics.crispness import Crispness, crispness
from coigan_aug.store.dataset import Dataset

NONE = CrispOf()
MOST = 200
"""Objects of a class that are measured, evenly spread over the set."""


def chosen(instances: Sequence[Instance], label: int, *, most: int = MOST) -> list[Instance]:
    """Choose the objects of a class that are measured: all of them, or `most`, evenly spread."""
    own = [item for item in instances if item.label == label]
    return [own[place] for place in sorted({round(k) for k in np.linspace(0, len(own) - 1, min(len(own), most))})]


def measure_crispness(dataset: Dataset, instances: Sequence[Instance], *, advance: Advance = lambda _: None) -> CrispOf:
    """Return the medians over some objects of a Dataset; None where there are none."""
    found = list(_each(dataset, instances, advance))
    grain, edge = (float(value) for value in np.median(found, axis=0)) if found else (None, None)
    return CrispOf(n=len(found), grain=grain, edge=edge)


def _each(dataset: Dataset, instances: Sequence[Instance], advance: Advance) -> Iterator[Crispness]:
    """Measure objects, each image read once."""
    for position, items in groupby(sorted(instances, key=lambda item: item.position), key=lambda item: item.position):
        image = dataset.image(position)
        for item in items:
            yield crispness(image, item.mask)
            advance(1)


def compared(synthetic: CrispOf, train: CrispOf, test: CrispOf = NONE) -> Crisp:
    """Hold a class's synthetic objects, and its held-out real ones, against the real ones that it was learnt from."""
    return Crisp(
        synthetic=synthetic,
        train=train,
        test=test,
        grain=_ratio(synthetic.grain, train.grain),
        edge=_ratio(synthetic.edge, train.edge),
        test_grain=_ratio(test.grain, train.grain),
        test_edge=_ratio(test.edge, train.edge),
    )


def _ratio(value: float | None, real: float | None) -> float | None:
    return None if value is None or not real else value / real
