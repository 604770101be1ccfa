"""Pixel losses weighted by the masks."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from coigan_aug.precision import at_least_float32

Across = Callable[[Tensor], Tensor]


def alone(value: Tensor) -> Tensor:
    """Return the value itself: the mean over the processes that train together, when there is one."""
    return value


def weight_map(masks: Tensor, *, kernel: int, object_weight: float, background_weight: float) -> Tensor:
    """Return object_weight * M + background_weight * (1 - M), M being the box-filtered union of the masks.

    The box is `kernel` x `kernel` pixels and counts zeros beyond the border; 1 leaves the mask sharp.
    Overlapping classes count once, so M stays in 0..1 (in the thesis' code they add up, and backgrounds
    can weigh less than nothing). Raises ValueError for an even kernel, which would shift the map.

    Shape: [B, K, H, W] in {0, 1} -> [B, 1, H, W] between the two weights, float32 at least.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel {kernel} must be odd and positive")
    union = at_least_float32(masks).amax(dim=1, keepdim=True)
    smooth = F.avg_pool2d(union, (kernel, 1), stride=1, padding=(kernel // 2, 0))
    smooth = F.avg_pool2d(smooth, (1, kernel), stride=1, padding=(0, kernel // 2)).clamp(0, 1)
    return object_weight * smooth + background_weight * (1 - smooth)


def masked_l1(output: Tensor, target: Tensor, weights: Tensor, *, across: Across = alone) -> Tensor:
    """Return the weighted mean absolute difference; 0 where all weights are 0.

    Shape: output and target [B, C, H, W]; weights >= 0, expandable to it -> scalar, float32 at least.
    """
    difference = (at_least_float32(output) - at_least_float32(target)).abs()
    return weighted_mean(difference, weights, across=across)


def smooth_masked_l1(
    output: Tensor,
    target: Tensor,
    masks: Tensor,
    *,
    kernel: int = 31,
    object_weight: float = 0.1,
    background_weight: float = 1.0,
    across: Across = alone,
) -> Tensor:
    """Return the mean absolute difference weighted by `weight_map`: mild on the defects, strict around them.

    A true weighted mean: a constant difference d gives d. The thesis' code divides by the weights of one
    channel only and so is 3 times this value; its loss weight 5 is 15 here.

    Shape: output and target [B, C, H, W], masks [B, K, H, W] -> scalar, float32 at least.
    """
    weights = weight_map(masks, kernel=kernel, object_weight=object_weight, background_weight=background_weight)
    return masked_l1(output, target, weights, across=across)


def contrast_error(output: Tensor, base: Tensor, masks: Tensor, contrast: Tensor, *, across: Across = alone) -> Tensor:
    """Return how far the brightness inside the masks is from base x (1 + contrast).

    For each sample and class with a mask the absolute difference of the two means over the mask; then the mean of those,
    0 where there is no mask.

    Args:
        across: as in `weighted_mean`.

    Shape: output and base [B, 3, H, W], masks [B, K, H, W] of 0 and 1, contrast [B, 1, H, W] from -1 up -> scalar.
    """
    change = (at_least_float32(output) - base * (1 + contrast)).mean(dim=1, keepdim=True)  # [B, 1, H, W]
    area = masks.sum(dim=(2, 3))  # [B, K]
    errors = ((change * masks).sum(dim=(2, 3)) / area.clamp_min(1)).abs()
    return weighted_mean(errors, (area > 0).to(errors.dtype), across=across)


def weighted_mean(values: Tensor, weights: Tensor, *, across: Across = alone) -> Tensor:
    """Return sum(values * weights) / sum(weights), and 0 where the weights sum to 0.

    Args:
        across: gives the mean of a number over the processes that share a batch. The mean over them of what this
            function returns is then the weighted mean over the whole batch, whatever part of the weights each has.

    Shape: values [B, C, H, W]; weights >= 0, expandable to it -> scalar, float32 at least.
    """
    weights = at_least_float32(weights).expand_as(values)
    total = across(weights.sum())
    return (values * weights).sum() / torch.where(
        total > 0, total, 1
    )  # dividing by next to nothing overflows a gradient
