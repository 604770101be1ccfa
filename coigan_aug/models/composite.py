"""Blend generated pixels into the base image, and nowhere else."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def mask_alpha(masks: Tensor, *, grow: int, soften: int) -> Tensor:
    """Return how much of each pixel may come from the generator.

    With d the chessboard distance to the nearest pixel of any mask (0 inside): exactly 1 for d <= `grow`,
    then falling linearly, exactly 0 for d > `grow` + `soften`. All zeros where there is no mask.
    Raises ValueError for negative distances.

    Shape: [B, K, H, W] in {0, 1} -> [B, 1, H, W] float32 in 0..1.
    """
    if grow < 0 or soften < 0:
        raise ValueError(f"grow {grow} and soften {soften} are distances in pixels and must not be negative")
    reach = (masks.amax(dim=1, keepdim=True) > 0).float()
    reach = _dilate(reach, radius=grow)
    rings = reach
    for _ in range(soften):
        reach = _dilate(reach, radius=1)
        rings = rings + reach  # whole numbers: the ends of the ramp stay exact
    return rings / (soften + 1)


def _dilate(x: Tensor, *, radius: int) -> Tensor:
    """Maximum over a square, one direction after the other.

    Shape: [B, 1, H, W] -> the same.
    """
    x = F.max_pool2d(x, (2 * radius + 1, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(x, (1, 2 * radius + 1), stride=1, padding=(0, radius))


def composite(base: Tensor, generated: Tensor, alpha: Tensor) -> Tensor:
    """Blend `generated` into `base`: base + alpha * (generated - base), clamped to 0..1.

    Where alpha is 0 the result is the base bit for bit, whatever `generated` holds there.

    Shape: [B, 3, H, W], [B, 3, H, W], [B, 1, H, W] in 0..1 -> [B, 3, H, W].
    """
    blended = (base + alpha * (generated - base)).clamp(0, 1)
    return torch.where(alpha > 0, blended, base)
