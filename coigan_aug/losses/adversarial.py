"""The non-saturating logistic loss of both players."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from coigan_aug.losses.reconstruction import at_least_float32


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Return mean softplus(-D(fake)): log 2 for an undecided discriminator, 0 for a fooled one.

    Source: Goodfellow et al. 2014, section 3, the non-saturating form.

    Shape: logits of any shape, mean over all of them -> scalar, float32 at least.
    """
    return F.softplus(-at_least_float32(fake_logits)).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return mean softplus(-D(real)) + mean softplus(D(fake)): 2 log 2 for an undecided discriminator.

    Shape: logits of any two shapes, each with its own mean -> scalar, float32 at least.
    """
    return F.softplus(-at_least_float32(real_logits)).mean() + F.softplus(at_least_float32(fake_logits)).mean()
