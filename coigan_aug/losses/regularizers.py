"""Penalties that keep both players in bounds.

Those on gradients need a double backward: run them in float32, on uncompiled networks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from coigan_aug.losses.reconstruction import Across, alone
from coigan_aug.precision import at_least_float32

_EPSILON = 1e-8  # under the square root, whose slope at 0 is infinite


def r1_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean over the samples of |dD/dinput|^2, summed over each sample's pixels and channels.

    Convention: no factor 1/2, so gamma here is half of the gamma in Mescheder et al. 2018,
    "Which Training Methods for GANs do actually Converge?", equation 9. A map of logits is summed.
    The last bias of a discriminator gets no gradient from it.

    Shape: logits [B, ...] computed from `inputs` [B, ...] that require grad -> scalar, float32 at least.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return _energy(gradient).mean()


def gradient_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Return the mean over the samples of (|dD/dinput| - 1)^2, for inputs between real and fake ones.

    Source: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation 3 (without its weight of 10).

    Shape: as `r1_penalty`.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return ((_energy(gradient) + _EPSILON).sqrt() - 1).square().mean()


def path_length(
    images: Tensor,
    inputs: Tensor,
    *,
    noise: Tensor,
    running_mean: Tensor,
    decay: float = 0.01,
    per: str = "sample",
    across: Across = alone,
) -> tuple[Tensor, Tensor]:
    """Return the variance-like penalty mean((length - mean length)^2) and the new running mean.

    With g = d sum(images * noise / sqrt(H W)) / d inputs, the length of a sample is |g| over all channels and pixels of
    its input, as the thesis' text says (`per` "sample"). Its code takes one length for each sample and column of the
    input, sqrt(mean over the channels of (sum over the rows of g^2)) (`per` "column"): where columns are alike, a
    sample's length is sqrt(channels x columns) times as long and its penalty channels x columns times as large, 1,792
    times for the thesis' input of 7 channels and 256 columns. So a weight goes with its kind of length.

    The running mean moves by `decay` towards the batch's mean length, that of all processes' parts where `across` gives
    the mean over them, and is a constant to the gradient (in the code that the thesis took over it is not, which changes
    a gradient by 1 %).

    Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 3.2, with
    the generator's input in the place of the latent (thesis).

    Shape: images [B, C, H, W] computed from `inputs` [B, ...] ([B, C', H', W'] per column) that require grad,
    noise ~ N(0, 1) like images, running_mean scalar -> (scalar, scalar without grad), float32 at least.
    """
    scaled = noise / (images.shape[-2] * images.shape[-1]) ** 0.5
    (gradient,) = torch.autograd.grad((images * scaled).sum(), inputs, create_graph=True)
    energy = _column_energy(gradient) if per == "column" else _energy(gradient)  # [B, W'] or [B]
    lengths = (energy + _EPSILON).sqrt()
    new_mean = running_mean + decay * (across(lengths.mean().detach()) - running_mean)
    return (lengths - new_mean).square().mean(), new_mean


def _column_energy(gradient: Tensor) -> Tensor:
    """Sum the squares of each column, mean over the channels: [B, C, H, W] -> [B, W]."""
    return at_least_float32(gradient).square().sum(dim=2).mean(dim=1)


def _energy(gradient: Tensor) -> Tensor:
    """Sum the squares of each sample: [B, ...] -> [B]."""
    return at_least_float32(gradient).square().flatten(1).sum(dim=1)
