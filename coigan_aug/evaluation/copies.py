"""Are synthetic objects varied, and are they copies? Distances between what is inside the masks, class by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.evaluation.crops import Crop, Instance, cut_crop
from coigan_aug.evaluation.numbers import Copies, Diversity
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.features import Rows
from coigan_aug.metrics.neighbours import QUANTILE, copy_limit, mean_distance, nearest
from coigan_aug.pictures import contact_sheet, mark
from coigan_aug.store.dataset import Dataset

SHOWN = 4


@dataclass(frozen=True)
class Neighbour:
    """A synthetic object and its nearest training object, by their numbers within the class, and their distance."""

    synthetic: int
    train: int
    distance: float


def measure_diversity(synthetic: Rows, train: Rows, *, features: str) -> Diversity:
    """Compare the spread of synthetic insides [n, C] with that of train's; over all pairs, taken in blocks."""
    made, real = (mean_distance(rows) if len(rows) > 1 else None for rows in (synthetic, train))
    ratio = made / real if made is not None and real else None
    return Diversity(
        features=features, comparable=False, synthetic=made, train=real, ratio=ratio, n_synthetic=len(synthetic),
        n_train=len(train),
    )  # fmt: skip


def measure_copies(
    rows: tuple[Rows, Rows, Rows], synthetic: Sequence[Instance], train: Sequence[Instance], files: Sequence[str], *,
    features: str,
) -> tuple[Copies, list[Neighbour]]:  # fmt: skip
    """Look up the nearest training object of each synthetic one of a class.

    Args:
        rows: the insides of the class's objects: synthetic, train, test.
        synthetic, train: the same objects in the same order.
        files: the file of each training object's image.

    Returns:
        The figures, and the nearest pairs, nearest first.
    """
    distances, which = nearest(rows[0], rows[1])
    threshold = copy_limit(rows[1], [item.group for item in train])
    per_file = Counter(files)
    named = [k for k, item in enumerate(synthetic) if item.shape_of and train]
    copies = Copies(
        features=features,
        comparable=False,
        quantile=QUANTILE,
        threshold=threshold,
        share=_below(distances, threshold),
        floor=_below(nearest(rows[2], rows[1])[0], threshold),
        from_shape_source=_mean([files[which[k]] == synthetic[k].shape_of for k in named]),
        by_chance=_mean([per_file[synthetic[k].shape_of] / len(files) for k in named]),
        n_synthetic=len(synthetic),
        n_train=len(train),
        n_test=len(rows[2]),
    )
    order = np.argsort(distances, kind="stable") if train else np.zeros(0, np.int64)
    return copies, [Neighbour(int(k), int(which[k]), float(distances[k])) for k in order]


def _below(distances: NDArray[np.float64], threshold: float | None) -> float | None:
    return None if threshold is None or len(distances) == 0 else float((distances < threshold).mean())


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def copies_picture(
    pairs: Sequence[Sequence[tuple[Instance, Instance]]], synthetic: Dataset, real: Dataset, *, factor: float
) -> Pixels:
    """Show for each class its nearest pairs: synthetic beside the training object, below with the outlines of the masks."""
    rows: list[list[Pixels]] = []
    for nearest_pairs in pairs:
        shown = nearest_pairs[:SHOWN]
        crops = [cut for made, near in shown for cut in (_crop(synthetic, made, factor), _crop(real, near, factor))]
        if crops:
            classes = [real.classes[shown[0][0].label]]
            rows.append([crop.pixels for crop in crops])
            rows.append([mark(crop.pixels, crop.mask[None], classes) for crop in crops])
    headings = ("synthetic", "nearest real") * SHOWN
    return contact_sheet(rows, headings=headings, classes=real.classes, cell=128)


def _crop(dataset: Dataset, instance: Instance, factor: float) -> Crop:
    return cut_crop(dataset.image(instance.position), instance, number=0, factor=factor)
