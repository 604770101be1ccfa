"""One network learns: back through its losses, the mean over parts and processes, one step of its optimiser."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from coigan_aug.errors import CoiganError
from coigan_aug.training.distributed import across, average_gradients, said_once
from coigan_aug.training.judging import Losses
from coigan_aug.training.networks import Step


def learn(
    parts: Iterable[Losses], optimizer: torch.optim.Optimizer, network: nn.Module, name: str, step: Step
) -> Losses:
    """Go back through the losses of each part of the batch, average over parts and processes, step; return the losses.

    Where no part has any, nothing is stepped.
    """
    optimizer.zero_grad(set_to_none=True)
    seen: Losses = {}
    for losses in parts:
        if not losses:
            continue
        total = torch.stack(list(losses.values())).sum() / step.parts
        _check_finite(total, losses, name)
        total.backward()
        for key, value in losses.items():
            seen[key] = seen.get(key, torch.zeros_like(value)) + value.detach() / step.parts
    if seen:
        average_gradients(network.parameters())
        optimizer.step()
    return seen


def _check_finite(total: Tensor, losses: Losses, name: str) -> None:
    if not torch.isfinite(across(total)):  # all processes stop together
        values = ", ".join(f"{key} {float(across(value.detach())):g}" for key, value in losses.items())
        error = CoiganError(
            f"The {name}'s loss is not finite ({values}); nothing was stepped.",
            remedy="Start a new run with half the --set train.learning_rate, or --set train.precision=float32.",
        )
        raise said_once(error)
