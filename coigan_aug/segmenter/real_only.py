"""The segmenter that has seen real training images only: made once for a workspace, kept in its cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from coigan_aug import __version__
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock, write_bytes
from coigan_aug.log import note_kept
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.prepare.prepared import training_positions
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.build import METADATA, build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.windows import SAME, Mixture
from coigan_aug.settings import EvaluateSettings, Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.weights import read_weights, weights_bytes

SCREEN_BATCH, SCREEN_RATE = 16, 4e-3
SCREEN_WINDOW = 96  # px: what is drawn in larger windows is looked at in them, but learnt from pieces of this side
_PIXELS = SCREEN_BATCH * 64 * 64  # of a step; larger windows are fewer
_LEARNT_FROM = ("window", "scale", "min_area", "flip", "groups_per_class", "subset_seed")  # of the data settings


def real_only_segmenter(
    real: Dataset, settings: Settings, *, cache_root: Path, device: torch.device, report: Report = silent
) -> nn.Module:
    """Return a segmenter in eval mode that was trained on the real training images; trained where it is not kept yet."""
    kept = _kept(real, settings, cache_root, device)
    note_kept("segmenter of the real images", kept, kept=kept.exists())
    with folder_lock(cache_root / "segmenters", wait=True, beside=cache_root):
        network = build_segmenter(screening(settings), len(real.classes), seed=settings.evaluate.seed)
        try:
            network.load_state_dict(read_weights(kept, METADATA, bare=True)[1])
        except (DataError, RuntimeError):  # not there yet, damaged, or of another network, which is half loaded then
            network = build_segmenter(screening(settings), len(real.classes), seed=settings.evaluate.seed)
            _train(network, real, settings, cache_root, device, report, kept.with_suffix(".partway"))
            write_bytes(kept, weights_bytes(network.state_dict(), METADATA, "{}"))
    return network.to(device).eval()


def is_kept(real: Dataset, settings: Settings, *, cache_root: Path, device: torch.device) -> bool:
    """Tell whether `real_only_segmenter` has nothing to train."""
    return _kept(real, settings, cache_root, device).exists()


def _kept(real: Dataset, settings: Settings, cache_root: Path, device: torch.device) -> Path:
    return cache_root / f"segmenter-{segmenter_key(real, settings, device)}.safetensors"


def segmenter_key(real: Dataset, settings: Settings, device: torch.device) -> str:
    """Name what the segmenter depends on."""
    data = {name: getattr(settings.data, name) for name in _LEARNT_FROM}
    parts = [__version__, real.manifest["sha256"], device.type, data, asdict(screening(settings))]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def screening(settings: Settings) -> EvaluateSettings:
    """Return how it is trained: briefly, at the generator's scale, in its windows or in smaller ones."""
    evaluate, data = settings.evaluate, settings.data
    window = min(data.window, SCREEN_WINDOW)
    return EvaluateSettings(
        seed=evaluate.seed,
        segmenter=evaluate.segmenter,
        width=evaluate.width,
        depth=evaluate.depth,
        precision=evaluate.precision,
        photometric=evaluate.photometric,
        steps=evaluate.screen_steps,
        scale=data.scale,
        window=window,
        batch=min(SCREEN_BATCH, _PIXELS // window**2),
        stride=1,
        jitter=SAME,
        learning_rate=SCREEN_RATE,
        encoder_rate=1.0,
        average=0.0,
    )


def _train(
    network: nn.Module, real: Dataset, settings: Settings, cache_root: Path, device: torch.device, report: Report,
    partway: Path,
) -> None:  # fmt: skip
    evaluate = screening(settings)
    data = replace(settings.data, window=evaluate.window)
    examples: Examples = load_examples(real, training_positions(real, data), data, cache_root=cache_root)
    mixture = Mixture(real=examples, flip=settings.data.flip, photometric=evaluate.photometric)
    fit(
        network, lambda step: mixture.batch(evaluate.seed, step, size=evaluate.batch), evaluate, device=device,
        report=report, kept=partway,
    )  # fmt: skip
