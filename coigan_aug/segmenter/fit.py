"""Training a segmenter: so many steps, no more; what the windows are is the caller's."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.errors import CoiganError
from coigan_aug.progress import Report, silent
from coigan_aug.settings import EvaluateSettings

WARM_UP = 0.05
Draw = Callable[[int], tuple[Tensor, Tensor]]


def fit(
    network: nn.Module,
    draw: Draw,
    settings: EvaluateSettings,
    *,
    device: torch.device,
    bfloat16: bool,
    report: Report = silent,
) -> None:
    """Train a segmenter in place for `settings.steps` steps and leave it in eval mode.

    AdamW; the learning rate warms up over 5 % of the steps and falls to nothing by a cosine, so that the last weights
    need no choosing among checkpoints (which would need images held out for it).

    Args:
        draw: step -> images [B, 3, H, W] in 0..1 and masks [B, K, H, W].

    Raises:
        CoiganError: the loss is not finite; the message names the step.
    """
    network.to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule(step, settings.steps)
        images, masks = draw(step)
        images = images.to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
            logits = network(images)
        loss = segmentation_loss(logits, masks.to(device))
        if step % 50 == 0 and not math.isfinite(loss.item()):
            raise CoiganError(
                f"The segmenter's loss is not finite at step {step}.", remedy="--set evaluate.learning_rate=5e-4"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        report(step + 1, settings.steps)
    network.eval()


def schedule(step: int, steps: int) -> float:
    """Return the share of the largest learning rate at a step, 0..1.

    >>> [round(schedule(step, 100), 2) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.51, 0.0]
    """
    warm = max(round(WARM_UP * steps), 1)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice over the windows and classes that hold a mask.

    Where masks of several classes overlap the first of them counts. Dice is taken for each window and class by itself
    (Milletari et al. 2016, "V-Net", with plain sums below the line): pooled over a batch, a defect of a few pixels
    vanishes beside large ones and is not learnt for a long time.

    Shape: logits [B, 1 + K, H, W], background first, and masks [B, K, H, W] -> scalar.
    """
    labels = torch.where(masks.amax(dim=1) > 0, masks.argmax(dim=1) + 1, 0)
    shares = logits.softmax(dim=1)[:, 1:]
    both = (shares * masks).sum(dim=(2, 3))
    sums = shares.sum(dim=(2, 3)) + masks.sum(dim=(2, 3))
    present = masks.amax(dim=(2, 3)) > 0
    missed = torch.where(present, 1 - 2 * both / sums.clamp_min(1e-6), torch.zeros_like(both))
    return F.cross_entropy(logits, labels) + missed.sum() / present.sum().clamp_min(1)
