"""Adversarial losses of both players, five kinds behind two functions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from coigan_aug.losses.reconstruction import Across, alone, weighted_mean
from coigan_aug.precision import at_least_float32

KINDS = ("logistic", "relativistic", "hinge", "least_squares", "wasserstein")


def generator_loss(
    fake_logits: Tensor,
    weights: Tensor | None = None,
    *,
    kind: str = "logistic",
    real_logits: Tensor | None = None,
    real_weights: Tensor | None = None,
    across: Across = alone,
) -> Tensor:
    """Return what the generator pays for its images.

    logistic: mean softplus(-D(fake)), non-saturating: log 2 for an undecided discriminator (Goodfellow et al. 2014,
    section 3). relativistic: mean softplus(D(real) - D(fake)) over pairs of images (Jolicoeur-Martineau 2018; Huang
    et al. 2024, "R3GAN", equation 2). hinge and wasserstein: mean -D(fake) (Lim and Ye 2017; Arjovsky et al. 2017).
    least_squares: mean (D(fake) - 1)^2 (Mao et al. 2017, a = 0, b = c = 1).

    Args:
        weights: of each logit in the mean, not negative; None weighs all alike. All zeros give 0.
        real_logits, real_weights: of the real image that each fake is paired with; relativistic needs them, the others
            don't look at them.
        across: as in `reconstruction.weighted_mean`.

    Shape: logits of any shape, weights expandable to it -> scalar, float32 at least.
    """
    fake = at_least_float32(fake_logits)
    if kind == "logistic":
        return _mean(F.softplus(-fake), weights, across)
    if kind == "relativistic":
        if real_logits is None:
            raise ValueError("the relativistic loss pairs fake logits with real ones")
        return F.softplus(image_scores(real_logits, real_weights) - image_scores(fake_logits, weights)).mean()
    if kind == "least_squares":
        return _mean((fake - 1).square(), weights, across)
    return _mean(-fake, weights, across)


def discriminator_loss(
    real_logits: Tensor,
    fake_logits: Tensor,
    real_weights: Tensor | None = None,
    fake_weights: Tensor | None = None,
    *,
    kind: str = "logistic",
    across: Across = alone,
) -> Tensor:
    """Return what the discriminator pays.

    logistic: mean softplus(-D(real)) + mean softplus(D(fake)): 2 log 2 when undecided. relativistic: mean
    softplus(D(fake) - D(real)) over pairs of images: log 2. hinge: mean max(0, 1 - D(real)) + mean max(0, 1 + D(fake)).
    least_squares: mean (D(real) - 1)^2 + mean D(fake)^2. wasserstein: mean D(fake) - mean D(real), which needs a penalty
    on the gradient (`regularizers.gradient_penalty`). Sources as in `generator_loss`.

    Shape: logits of any two shapes, each with its own mean and weights as there; relativistic pairs image n of one with
    image n of the other -> scalar.
    """
    real, fake = at_least_float32(real_logits), at_least_float32(fake_logits)
    if kind == "relativistic":
        return F.softplus(image_scores(fake, fake_weights) - image_scores(real, real_weights)).mean()
    if kind == "logistic":
        pays_real, pays_fake = F.softplus(-real), F.softplus(fake)
    elif kind == "hinge":
        pays_real, pays_fake = F.relu(1 - real), F.relu(1 + fake)
    elif kind == "least_squares":
        pays_real, pays_fake = (real - 1).square(), fake.square()
    else:
        pays_real, pays_fake = -real, fake
    return _mean(pays_real, real_weights, across) + _mean(pays_fake, fake_weights, across)


def rejection_loss(
    logits: Tensor, weights: Tensor | None = None, *, kind: str = "logistic", across: Across = alone
) -> Tensor:
    """Return what the discriminator pays for pictures that it must call fake and that no generator drew.

    The fake half of `discriminator_loss`; where that is a comparison (relativistic, wasserstein), the logistic one.

    Shape: as `generator_loss`.
    """
    values = at_least_float32(logits)
    if kind == "hinge":
        return _mean(F.relu(1 + values), weights, across)
    if kind == "least_squares":
        return _mean(values.square(), weights, across)
    return _mean(F.softplus(values), weights, across)


def accuracy(
    real_logits: Tensor,
    fake_logits: Tensor,
    real_weights: Tensor | None = None,
    fake_weights: Tensor | None = None,
    *,
    kind: str = "logistic",
) -> Tensor:
    """Return the share of images that a discriminator tells rightly, by `image_scores`: 0.5 for one that cannot.

    Of real images those above, of fake ones those below what it says when undecided: 0, with least_squares 0.5. Where it
    only compares (relativistic, wasserstein), the share of pairs of which the real one has the higher score.

    Shape: as `discriminator_loss` -> scalar in 0..1.
    """
    real, fake = image_scores(real_logits, real_weights), image_scores(fake_logits, fake_weights)
    if kind in ("relativistic", "wasserstein"):
        return (real > fake).to(real.dtype).mean()
    undecided = 0.5 if kind == "least_squares" else 0.0
    return torch.cat((real > undecided, fake < undecided)).to(real.dtype).mean()


def image_scores(logits: Tensor, weights: Tensor | None) -> Tensor:
    """Return one number for each image, the weighted mean of its logits; 0 where all its weights are 0.

    Shape: logits [B, ...], weights expandable to it -> [B], float32 at least.
    """
    logits = at_least_float32(logits)
    if weights is None:
        return logits.flatten(1).mean(dim=1)
    weights = at_least_float32(weights).expand_as(logits).flatten(1)
    return (logits.flatten(1) * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(1e-12)


def _mean(values: Tensor, weights: Tensor | None, across: Across) -> Tensor:
    return values.mean() if weights is None else weighted_mean(values, weights, across=across)
