"""Mask fidelity: does a segmenter that has seen real images only find synthetic defects where their masks say?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from coigan_aug.prepare.examples import load_examples
from coigan_aug.prepare.prepared import training_positions
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.scoring import class_counts, iou
from coigan_aug.segmenter.windows import Mixture
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

Agreement = Callable[[Dataset, Sequence[int]], Mapping[str, float]]


def real_only(
    real: Dataset, settings: Settings, *, cache_root: Path, device: torch.device, report: Report = silent
) -> Agreement:
    """Train a segmenter on the real training images and return what gives its IoU for each class on some records.

    The IoU is pooled over the records' pixels at the working scale; 0 where a class is neither there nor predicted.
    """
    evaluate = settings.evaluate
    examples = load_examples(real, training_positions(real, settings.data), settings.data, cache_root=cache_root)
    network = build_segmenter(evaluate, examples.classes, seed=evaluate.seed)
    mixture = Mixture(real=examples, flip=settings.data.flip, photometric=evaluate.photometric)
    fit(
        network, lambda step: mixture.batch(evaluate.seed, step, size=evaluate.batch), evaluate, device=device,
        bfloat16=device.type != "cpu", report=report,
    )  # fmt: skip
    return lambda dataset, positions: _scores(network, dataset, positions, settings, cache_root, device)


def _scores(
    network: nn.Module, dataset: Dataset, positions: Sequence[int], settings: Settings, cache_root: Path,
    device: torch.device,
) -> dict[str, float]:  # fmt: skip
    examples = load_examples(dataset, positions, settings.data, cache_root=cache_root)
    found = iou(class_counts(network, examples, positions, device=device).sum(axis=0))
    return {name: float(np.nan_to_num(value)) for name, value in zip(dataset.names, found, strict=True)}
