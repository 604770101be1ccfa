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
    """What is done to each sample of a batch [B]: factors of brightness, shifts in px, squares to blank, mirrors, turns."""

    factor: Tensor
    shift: list[tuple[int, int]]
    cut: list[tuple[int, int, int]]
    mirror: list[tuple[bool, bool]]
    turns: list[int]


def draw(count: int, size: tuple[int, int], train: TrainSettings, *, strength: float, rng: torch.Generator) -> Draws:
    """Draw for `count` samples of that height and width; each operation is done with probability `strength`.

    Process r of several takes the draws of its own samples, so `rng` must stand at the same place in all.
    """
    height, width = size

    def uniform(*columns: int) -> Tensor:
        return own_rows(count, lambda rows: torch.rand(rows, *columns, generator=rng))

    does = uniform(5) < strength
    factor = torch.where(does[:, 0], 1 + train.gain * (2 * uniform() - 1), 1.0)
    reach = torch.tensor((round(train.translate * height), round(train.translate * width)))
    shift = ((uniform(2) * (2 * reach + 1)).floor() - reach) * does[:, 1:2]
    side = (uniform() * train.cutout * min(height, width)).round() * does[:, 2]
    corner = (uniform(2) * torch.tensor((height, width))).floor()
    mirror = (uniform(2) < 0.5) & does[:, 3:4] & train.turn
    quarters = own_rows(count, lambda rows: torch.randint(0, 4, (rows,), generator=rng))
    turns = quarters * (does[:, 4] & train.turn)
    return Draws(
        factor=factor,
        shift=[(int(y), int(x)) for y, x in shift.tolist()],
        cut=[(int(y), int(x), int(s)) for (y, x), s in zip(corner.tolist(), side.tolist(), strict=True)],
        mirror=[(bool(y), bool(x)) for y, x in mirror.tolist()],
        turns=[int(n) for n in turns.tolist()],
    )


def augment(image: Tensor, masks: Tensor | None, draws: Draws) -> Tensor:
    """Brighten each sample's image; then shift, blank, mirror and turn it with its masks.

    What is shifted in from outside is black and unmasked, and so is a blanked square. Only the image is brightened.

    Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"; Karras et al. 2020, "Training
    Generative Adversarial Networks with Limited Data", for the probability.

    Shape: [B, C, H, W], [B, K, H, W] or None -> [B, C + K, H, W]; H = W where there are turns.
    """
    bright = image * draws.factor.to(image)[:, None, None, None]
    both = bright if masks is None else torch.cat((bright, masks), dim=1)
    return torch.stack([_move(sample, draws, k) for k, sample in enumerate(both)])


def _move(sample: Tensor, draws: Draws, k: int) -> Tensor:
    _, height, width = sample.shape
    y, x = draws.shift[k]
    if y or x:
        padded = F.pad(sample, (abs(x), abs(x), abs(y), abs(y)))
        sample = padded[:, abs(y) + y : abs(y) + y + height, abs(x) + x : abs(x) + x + width]
    top, left, side = draws.cut[k]
    if side:
        keep = torch.ones(height, width, device=sample.device, dtype=sample.dtype)
        keep[max(top - side // 2, 0) : top - side // 2 + side, max(left - side // 2, 0) : left - side // 2 + side] = 0
        sample = sample * keep
    flips = [axis for axis, flip in zip((1, 2), draws.mirror[k], strict=True) if flip]
    sample = sample.flip(flips) if flips else sample
    return torch.rot90(sample, draws.turns[k], (1, 2)) if draws.turns[k] else sample
