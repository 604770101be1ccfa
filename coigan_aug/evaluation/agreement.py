"""Mask fidelity: does a segmenter that has seen real images only find synthetic defects where their masks say?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from coigan_aug.prepare.examples import load_examples
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.real_only import real_only_segmenter
from coigan_aug.segmenter.scoring import class_counts, iou
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

Agreement = Callable[[Dataset, Sequence[int]], Mapping[str, float]]


def real_only(
    real: Dataset, settings: Settings, *, cache_root: Path, device: torch.device, report: Report = silent
) -> Agreement:
    """Train a segmenter on the real training images and return what gives its IoU for each class on some records.

    The IoU is pooled over the records' pixels at the working scale; 0 where a class is neither there nor predicted.
    The segmenter is kept below `cache_root` for the next synthetic set of the same data and settings.
    """
    network = real_only_segmenter(real, settings, cache_root=cache_root, device=device, report=report)

    def scores(dataset: Dataset, positions: Sequence[int]) -> dict[str, float]:
        examples = load_examples(dataset, positions, settings.data, cache_root=cache_root)
        found = iou(class_counts(network, examples, positions, device=device).sum(axis=0))
        return {name: float(np.nan_to_num(value)) for name, value in zip(dataset.names, found, strict=True)}

    return scores
