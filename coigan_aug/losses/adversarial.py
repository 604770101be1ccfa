"""The non-saturating logistic loss of both players."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from coigan_aug.losses.reconstruction import Across, alone, at_least_float32, weighted_mean


def generator_loss(fake_logits: Tensor, weights: Tensor | None = None, *, across: Across = alone) -> Tensor:
    """Return mean softplus(-D(fake)): log 2 for an undecided discriminator, 0 for a fooled one.

    Args:
        weights: of each logit in the mean, not negative; None weighs all alike. All zeros give 0.
        across: as in `reconstruction.weighted_mean`.

    Source: Goodfellow et al. 2014, section 3, the non-saturating form.

    Shape: logits of any shape, weights of the same -> scalar, float32 at least.
    """
    return _mean(F.softplus(-at_least_float32(fake_logits)), weights, across)


def discriminator_loss(
    real_logits: Tensor,
    fake_logits: Tensor,
    real_weights: Tensor | None = None,
    fake_weights: Tensor | None = None,
    *,
    across: Across = alone,
) -> Tensor:
    """Return mean softplus(-D(real)) + mean softplus(D(fake)): 2 log 2 for an undecided discriminator.

    Shape: logits of any two shapes, each with its own mean and weights as in `generator_loss` -> scalar.
    """
    real = _mean(F.softplus(-at_least_float32(real_logits)), real_weights, across)
    return real + _mean(F.softplus(at_least_float32(fake_logits)), fake_weights, across)


def _mean(values: Tensor, weights: Tensor | None, across: Across) -> Tensor:
    return values.mean() if weights is None else weighted_mean(values, weights, across=across)
