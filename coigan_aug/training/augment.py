"""Differentiable augmentation of the discriminators' input: the same for an image and its masks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from coigan_aug.settings import TrainSettings
from coigan_aug.training.distributed import own_rows


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is done to each sample of a batch [B]: factors of brightness, shifts (down, right) in px."""

    factor: Tensor
    shift: list[tuple[int, int]]


def draw(count: int, size: tuple[int, int], train: TrainSettings, *, rng: torch.Generator) -> Draws:
    """Draw for `count` samples of that height and width.

    Process r of several takes the draws of its own samples, so `rng` must stand at the same place in all.
    """
    height, width = size

    def uniform(*columns: int) -> Tensor:
        return own_rows(count, lambda rows: torch.rand(rows, *columns, generator=rng))

    factor = 1 + train.gain * (2 * uniform() - 1)
    reach = torch.tensor((round(train.translate * height), round(train.translate * width)))
    shift = (uniform(2) * (2 * reach + 1)).floor() - reach
    return Draws(factor=factor, shift=[(int(y), int(x)) for y, x in shift.tolist()])


def augment(image: Tensor, masks: Tensor, draws: Draws) -> Tensor:
    """Brighten each sample's image; then shift it with its masks. What is shifted in from outside is black and unmasked.

    Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training".

    Shape: [B, C, H, W], [B, K, H, W] -> [B, C + K, H, W].
    """
    bright = image * draws.factor.to(image)[:, None, None, None]
    both = torch.cat((bright, masks), dim=1)
    return torch.stack([_shifted(sample, y, x) for sample, (y, x) in zip(both, draws.shift, strict=True)])


def _shifted(sample: Tensor, y: int, x: int) -> Tensor:
    _, height, width = sample.shape
    padded = F.pad(sample, (abs(x), abs(x), abs(y), abs(y)))
    return padded[:, abs(y) + y : abs(y) + y + height, abs(x) + x : abs(x) + x + width]
