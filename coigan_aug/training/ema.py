"""The averaged generator: what is saved, shown and used."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, *, decay: float, step: int) -> None:
    """Move the average towards the model: decay * average + (1 - decay) * model; buffers are copied.

    Early on the average follows faster (decay at most (1 + step) / (10 + step)), so that it does not
    remember the random start.
    """
    kept = min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - kept)
    for copied, buffer in zip(average.buffers(), model.buffers(), strict=True):
        copied.copy_(buffer)
