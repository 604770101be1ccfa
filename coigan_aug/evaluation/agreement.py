"""Mask fidelity: does a segmenter that has seen real images only find synthetic defects where their masks say?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from coigan_aug import __version__
from coigan_aug.files import write_bytes
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.prepare.prepared import training_positions
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.scoring import class_counts, iou
from coigan_aug.segmenter.windows import Mixture
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

_LEARNT_FROM = ("window", "scale", "min_area", "flip", "groups_per_class", "subset_seed")  # of the data settings
Agreement = Callable[[Dataset, Sequence[int]], Mapping[str, float]]


def real_only(
    real: Dataset, settings: Settings, *, cache_root: Path, device: torch.device, report: Report = silent
) -> Agreement:
    """Train a segmenter on the real training images and return what gives its IoU for each class on some records.

    The IoU is pooled over the records' pixels at the working scale; 0 where a class is neither there nor predicted.
    The segmenter is kept below `cache_root` for the next synthetic set of the same data and settings.
    """
    examples = load_examples(real, training_positions(real, settings.data), settings.data, cache_root=cache_root)
    network = build_segmenter(settings.evaluate, examples.classes, seed=settings.evaluate.seed)
    kept = cache_root / f"segmenter-{_key(real, settings, device)}.safetensors"
    if kept.exists():
        network.load_state_dict(load_file(kept, device=str(device)))
        network.to(device).eval()
    else:
        _train(network, examples, settings, device, report)
        write_bytes(kept, save({name: value.cpu().contiguous() for name, value in network.state_dict().items()}))
    return lambda dataset, positions: _scores(network, dataset, positions, settings, cache_root, device)


def _key(real: Dataset, settings: Settings, device: torch.device) -> str:
    """Name what the segmenter depends on."""
    data = {name: getattr(settings.data, name) for name in _LEARNT_FROM}
    parts = [__version__, real.manifest["sha256"], device.type, data, asdict(settings.evaluate)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _train(network: nn.Module, examples: Examples, settings: Settings, device: torch.device, report: Report) -> None:
    evaluate = settings.evaluate
    mixture = Mixture(real=examples, flip=settings.data.flip, photometric=evaluate.photometric)
    fit(
        network, lambda step: mixture.batch(evaluate.seed, step, size=evaluate.batch), evaluate, device=device,
        bfloat16=device.type != "cpu", report=report,
    )  # fmt: skip


def _scores(
    network: nn.Module, dataset: Dataset, positions: Sequence[int], settings: Settings, cache_root: Path,
    device: torch.device,
) -> dict[str, float]:  # fmt: skip
    examples = load_examples(dataset, positions, settings.data, cache_root=cache_root)
    found = iou(class_counts(network, examples, positions, device=device).sum(axis=0))
    return {name: float(np.nan_to_num(value)) for name, value in zip(dataset.names, found, strict=True)}
