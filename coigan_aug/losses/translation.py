"""What keeps a change of look true: edges stay where they are, and both ways look at the same places."""

from __future__ import annotations

import torch
from torch import Tensor

from coigan_aug.losses.reconstruction import Across, alone, weighted_mean
from coigan_aug.precision import at_least_float32

SOFT = 0.02
"""Gradients of images in 0..1 a pixel below which noise, not an edge, is likely."""


def edge_error(before: Tensor, after: Tensor, weights: Tensor, *, soft: float = SOFT, across: Across = alone) -> Tensor:
    """Return how far the gradients of two images point elsewhere, whatever their contrast and whichever side is brighter.

    With g, h the gradients (differences of neighbours, of the mean of the channels) and s = `soft`, at each pixel
    1 - (g . h + s^2)^2 / ((|g|^2 + s^2) (|h|^2 + s^2)): 0 where they are alike, for edges far above s also where one is a
    multiple of the other; near 1 where an edge is in one of them alone.

    Source: Haber and Modersitzki 2006, "Intensity Gradient Based Registration and Fusion of Multi-Modal Images", equation 3,
    with s^2 in the product too, so that an image's distance from itself is 0.

    Shape: [B, C, H, W] both, weights [B, 1, H, W] >= 0 -> scalar: the weighted mean over all pixels but the last row, column.
    """
    (down, right), (other_down, other_right) = _gradients(before), _gradients(after)
    both = down * other_down + right * other_right + soft**2
    lengths = (down.square() + right.square() + soft**2) * (other_down.square() + other_right.square() + soft**2)
    return weighted_mean(1 - both.square() / lengths, weights[..., :-1, :-1], across=across)


def _gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    grey = at_least_float32(image).mean(dim=1, keepdim=True)
    return grey[..., 1:, :-1] - grey[..., :-1, :-1], grey[..., :-1, 1:] - grey[..., :-1, :-1]


def attention(features: Tensor, score: Tensor) -> Tensor:
    """Return where a network's features speak for a score: 0 to 1 at the strongest place, in each image (Grad-CAM).

    The features are weighted by the mean over all places of d score / d features, added up, cut off below 0 and brought to
    0..1. The weights count as constants; gradients go through the features.

    Source: Selvaraju et al. 2017, equations 1 and 2; of a generator's residual block for a discriminator's mean verdict:
    F. Botti's thesis on attention transfer, sections 2.5 and 2.6.

    Shape: features [B, C, h, w], score a sum over the images -> [B, 1, h, w].
    """
    (gradient,) = torch.autograd.grad(score, features, retain_graph=True)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = at_least_float32((weights * features).sum(dim=1, keepdim=True)).relu()
    heat = heat - heat.amin(dim=(2, 3), keepdim=True)
    most = heat.amax(dim=(2, 3), keepdim=True)
    return heat / torch.where(most > 0, most, 1)


def attention_error(there: Tensor, back: Tensor, weights: Tensor, *, across: Across = alone) -> Tensor:
    """Return the weighted mean squared difference of two attentions: [B, 1, h, w] each -> scalar."""
    return weighted_mean((there - back).square(), weights, across=across)
