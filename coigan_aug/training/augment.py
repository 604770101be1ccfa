"""Differentiable augmentation of the discriminators' input (Zhao et al. 2020): the same shift for image and masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(image: Tensor, masks: Tensor | None, *, translate: float, gain: float, rng: torch.Generator) -> Tensor:
    """Shift each sample by up to `translate` of its size and multiply its image by 1 - gain .. 1 + gain.

    What is shifted in from outside is black and unmasked. Only the image is brightened; masks stay as they are.

    Shape: [B, C, H, W], [B, K, H, W] or None -> [B, C + K, H, W].
    """
    count, _, height, width = image.shape
    factor = 1 + gain * (2 * torch.rand(count, 1, 1, 1, generator=rng) - 1).to(image.device)
    both = image * factor if masks is None else torch.cat((image * factor, masks), dim=1)
    reach_y, reach_x = round(translate * height), round(translate * width)
    if reach_y == 0 and reach_x == 0:
        return both
    shift_y = torch.randint(-reach_y, reach_y + 1, (count,), generator=rng).tolist()
    shift_x = torch.randint(-reach_x, reach_x + 1, (count,), generator=rng).tolist()
    padded = F.pad(both, (reach_x, reach_x, reach_y, reach_y))
    moved = [
        sample[:, reach_y + y : reach_y + y + height, reach_x + x : reach_x + x + width]
        for sample, y, x in zip(padded, shift_y, shift_x, strict=True)
    ]
    return torch.stack(moved)
