"""How alike two images are in their small patches, wherever in a region each patch lies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from coigan_aug.losses.reconstruction import Across, alone, weighted_mean
from coigan_aug.precision import at_least_float32


def random_kernels(count: int, *, channels: int, side: int, rng: torch.Generator) -> Tensor:
    """Draw directions in the space of patches: [count, channels, side, side] of mean 0 and length 1.

    Of mean 0, so that they see edges and grain and no brightness.
    """
    kernels = torch.randn(count, channels, side, side, generator=rng)
    kernels = kernels - kernels.mean(dim=(1, 2, 3), keepdim=True)
    return kernels / kernels.flatten(1).norm(dim=1)[:, None, None, None]


def patch_distance(
    output: Tensor, target: Tensor, region: Tensor, kernels: Tensor, *, across: Across = alone
) -> Tensor:
    """Return how far apart the patches of two images are as distributions: the sliced Wasserstein-1 distance.

    Every patch round a pixel of the region is projected on each kernel; projections of both images are sorted, and their
    mean absolute difference taken, image by image. Where a patch lies does not matter, so grain that is drawn elsewhere
    than photographed costs nothing, and a blur that a pixel loss would like best costs much.

    Images without a region do not count; 0 where none has one.

    Source: Elnekave and Weiss 2022, "Generating natural images with direct Patch Distributions Matching", section 3.

    Shape: output and target [B, C, H, W], region [B, 1, H, W] of 0 and 1, kernels [R, C, P, P] with P odd and at most
    H and W -> scalar, float32 at least.
    """
    reach = kernels.shape[-1] // 2
    both = F.pad(at_least_float32(torch.cat((output, target))), (reach,) * 4, mode="reflect")
    seen = F.conv2d(both, kernels.to(both)).unflatten(0, (2, -1)).transpose(0, 1)  # [B, 2, R, H, W]
    inside = region[:, 0] > 0
    distances = [_sorted_distance(pair[:, :, where]) for pair, where in zip(seen, inside, strict=True)]
    return weighted_mean(torch.stack(distances), inside.flatten(1).any(dim=1).to(both), across=across)


def _sorted_distance(values: Tensor) -> Tensor:
    """Return the mean distance of the sorted values of two sets: [2, R, N] -> scalar; 0 for none."""
    first, second = values.sort(dim=-1).values
    return (first - second).abs().sum() / max(first.numel(), 1)
