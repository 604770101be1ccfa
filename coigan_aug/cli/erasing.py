"""The way of erasing defects that the settings name, ready to use in a workspace."""

from __future__ import annotations

from pathlib import Path

import torch

from coigan_aug.compose.erase import TELEA, Erasing
from coigan_aug.eraser.file import trained_eraser
from coigan_aug.eraser.fill import learned
from coigan_aug.eraser.fit import EraserSettings
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import progress
from coigan_aug.settings import Settings


def erasing_of(
    prepared: Prepared, settings: Settings, *, cache_root: Path, scale: float, device: torch.device, quiet: bool
) -> Erasing:
    """Return what `data.erase` says; a network is trained first where the workspace's cache does not hold it.

    Args:
        scale: what brings the images that will be filled to the working scale.
    """
    if settings.data.erase == "telea":
        return TELEA
    with progress("train the eraser", quiet=quiet) as report:
        file = trained_eraser(
            prepared, settings.data, EraserSettings(), root=cache_root, device=device,
            bfloat16=settings.train.precision == "bfloat16", report=report,
        )  # fmt: skip
    return learned(file, window=prepared.window, scale=scale)
