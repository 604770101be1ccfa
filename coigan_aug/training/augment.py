"""Differentiable augmentation of the discriminators' input (Zhao et al. 2020): the same shift for image and masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from coigan_aug.training.distributed import own_rows


def augment(image: Tensor, masks: Tensor | None, *, translate: float, gain: float, rng: torch.Generator) -> Tensor:
    """Shift each sample by up to `translate` of its size and multiply its image by 1 - gain .. 1 + gain.

    What is shifted in from outside is black and unmasked. Only the image is brightened; masks stay as they are.
    Process r of several takes the draws of its own samples, so `rng` must stand at the same place in all.

    Shape: [B, C, H, W], [B, K, H, W] or None -> [B, C + K, H, W].
    """
    count, _, height, width = image.shape
    drawn = own_rows(count, lambda rows: torch.rand(rows, 1, 1, 1, generator=rng))
    factor = 1 + gain * (2 * drawn - 1).to(image.device)
    both = image * factor if masks is None else torch.cat((image * factor, masks), dim=1)
    reach_y, reach_x = round(translate * height), round(translate * width)
    if reach_y == 0 and reach_x == 0:
        return both
    shift_y, shift_x = _shifts(reach_y, count, rng), _shifts(reach_x, count, rng)
    padded = F.pad(both, (reach_x, reach_x, reach_y, reach_y))
    moved = [
        sample[:, reach_y + y : reach_y + y + height, reach_x + x : reach_x + x + width]
        for sample, y, x in zip(padded, shift_y, shift_x, strict=True)
    ]
    return torch.stack(moved)


def _shifts(reach: int, count: int, rng: torch.Generator) -> list[int]:
    return own_rows(count, lambda rows: torch.randint(-reach, reach + 1, (rows,), generator=rng)).tolist()
