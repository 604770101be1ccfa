"""Training a segmenter: so many steps, no more; what the windows are is the caller's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from coigan_aug.errors import CoiganError
from coigan_aug.partway import Partway
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.build import pretrained_part
from coigan_aug.segmenter.windows import VOID
from coigan_aug.settings import EvaluateSettings

CONTINUE = "Continue with the same command. synthesize --no-screen draws without this training."
WARM_UP = 0.05
_IGNORED = -100
Draw = Callable[[int], tuple[Tensor, Tensor]]


def fit(
    network: nn.Module,
    draw: Draw,
    settings: EvaluateSettings,
    *,
    device: torch.device,
    report: Report = silent,
    kept: Path | None = None,
) -> None:
    """Train a segmenter in place for `settings.steps` steps and leave it in eval mode.

    AdamW; the learning rate warms up over 5 % of the steps and falls to nothing by a cosine, and what stays is the average
    of the weights along the way: nothing is chosen among checkpoints, which would need images held out for it. The precision
    is that of the settings, so that equal commands give equal segmenters.

    Args:
        draw: step -> images [B, 3, H, W] in 0..1 and masks [B, K, H, W] of 0, 1 and VOID.
        kept: the file from which a training that was stopped goes on, as if it had not been; None can't be stopped so.

    Raises:
        Stopped: Ctrl-C or SIGTERM; what there is lies in `kept`.
        CoiganError: the loss is not finite; the message names the step.
    """
    network.to(device).to(memory_format=torch.channels_last).train()
    bfloat16 = settings.precision == "bfloat16" or (settings.precision == "auto" and device.type != "cpu")
    groups = _parameter_groups(network, settings)
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    averaged = AveragedModel(network, multi_avg_fn=_average(settings.average), use_buffers=True)
    parts = {"network": network, "average": averaged}
    with Partway(kept, parts, optimizer, remedy=CONTINUE).watched() as partway:
        for step in range(partway.begun, settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = group["largest"] * schedule(step, settings.steps)
            images, marked = draw(step)
            masks, void = parted(marked)
            images = images.to(device).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
                logits = network(images)
            loss = segmentation_loss(logits, masks.to(device), void=None if void is None else void.to(device))
            if step % 50 == 0 and not math.isfinite(loss.item()):
                raise CoiganError(
                    f"The segmenter's loss is not finite at step {step}.", remedy="--set evaluate.learning_rate=5e-4"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            averaged.update_parameters(network)
            report(step + 1, settings.steps)
            partway.after(step + 1, settings.steps)
    network.load_state_dict(averaged.module.state_dict())
    network.eval()


def _parameter_groups(network: nn.Module, settings: EvaluateSettings) -> list[dict[str, Any]]:
    """Return the parameters with their largest rates: those that were trained elsewhere learn more slowly."""
    pretrained = pretrained_part(network)
    known = list(pretrained.parameters()) if pretrained is not None else []
    names = {id(value) for value in known}
    new = [value for value in network.parameters() if id(value) not in names]
    groups = [(new, settings.learning_rate), (known, settings.learning_rate * settings.encoder_rate)]
    return [{"params": values, "lr": rate, "largest": rate} for values, rate in groups if values]


def _average(most: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Return what moves averaged weights towards new ones: by less at first, when the average is of little yet.

    After n updates the share (1 + n) / (10 + n) of the average is kept, `most` at most: the warm-up of TensorFlow's
    ExponentialMovingAverage.
    """

    def update(averaged: Sequence[Tensor], new: Sequence[Tensor], count: Tensor | int) -> None:
        kept = min(most, (1 + int(count)) / (10 + int(count)))
        for old, value in zip(averaged, new, strict=True):
            if old.is_floating_point():
                old.lerp_(value, 1 - kept)
            else:
                old.copy_(value)

    return update


def schedule(step: int, steps: int) -> float:
    """Return the share of the largest learning rate at a step, 0..1.

    >>> [round(schedule(step, 100), 2) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.51, 0.0]
    """
    warm = max(round(WARM_UP * steps), 1)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))


def parted(masks: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return masks [B, K, H, W] of 0 and 1, and which pixels are void, bool [B, 1, H, W]; None where none is."""
    void = masks[:, :1] == VOID
    return (masks.masked_fill(void, 0), void) if void.any() else (masks, None)


def segmentation_loss(logits: Tensor, masks: Tensor, *, void: Tensor | None = None) -> Tensor:
    """Return cross-entropy plus soft Dice over the windows and classes that hold a mask.

    Where masks of several classes overlap the first of them counts. Dice is taken for each window and class by itself
    (Milletari et al. 2016, "V-Net", with plain sums below the line): pooled over a batch, a defect of a few pixels
    vanishes beside large ones and is not learnt for a long time. What is void takes part in neither.

    Shape: logits [B, 1 + K, H, W], background first, masks [B, K, H, W], void [B, 1, H, W] -> scalar.
    """
    labels = first_class(masks)
    logarithms = logits.log_softmax(dim=1)
    shares = logarithms[:, 1:].exp()
    if void is not None:
        labels = labels.masked_fill(void[:, 0], _IGNORED)
        shares = shares.masked_fill(void, 0)
    both = (shares * masks).sum(dim=(2, 3))
    sums = shares.sum(dim=(2, 3)) + masks.sum(dim=(2, 3))
    present = masks.amax(dim=(2, 3)) > 0
    missed = torch.where(present, 1 - 2 * both / sums.clamp_min(1e-6), torch.zeros_like(both))
    return _entropy(logarithms, labels, void) + missed.sum() / present.sum().clamp_min(1)


def _entropy(logarithms: Tensor, labels: Tensor, void: Tensor | None) -> Tensor:
    """Return the mean cross-entropy of the pixels that are not void; 0 where all are."""
    if void is None:
        return F.nll_loss(logarithms, labels)
    summed = F.nll_loss(logarithms, labels, ignore_index=_IGNORED, reduction="sum")
    return summed / (~void).sum().clamp_min(1)


def first_class(masks: Tensor) -> Tensor:
    """Return the number of the first class of each pixel, 0 where there is none: masks [B, K, H, W] -> int64 [B, H, W]."""
    labels = torch.zeros_like(masks[:, 0], dtype=torch.int64)
    for k in range(masks.shape[1] - 1, -1, -1):
        labels.masked_fill_(masks[:, k] > 0, k + 1)
    return labels
