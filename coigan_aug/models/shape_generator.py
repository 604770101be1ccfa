"""The shape generator: a conditional variational auto-encoder of small maps of signed distance."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.models.layers import conv_norm_silu

HALVINGS = 3


class ShapeGenerator(nn.Module):
    """Encode maps of shapes, given what is known of each, and decode them again; decoded from noise, they are new.

    A map is positive inside the shape. What is known is its class and some `features` beside. `width` channels at full
    size, twice and then three times that below; `side` is the map's, a multiple of 8.

    Source: Kingma and Welling 2014, "Auto-Encoding Variational Bayes"; with a condition Sohn et al. 2015, "Learning
    Structured Output Representation using Deep Conditional Generative Models".

    Shape: maps [B, 1, side, side] in -1..1, label [B] of whole numbers below `classes`, features [B, F], latent
    [B, latent].
    """

    def __init__(self, *, side: int, classes: int, features: int, latent: int, width: int) -> None:
        super().__init__()
        self.latent, self.small = latent, side // 2**HALVINGS
        widths = [width * min(2**level, 3) for level in range(HALVINGS + 1)]
        known, flat = width + features, widths[-1] * self.small**2
        self.label = nn.Embedding(classes, width)
        self.downs = nn.Sequential(*(conv_norm_silu(a, b, 2) for a, b in pairwise([1, *widths[1:]])))
        self.moments = nn.Linear(flat + known, 2 * latent)
        self.start = nn.Linear(latent + known, flat)
        self.ups = nn.ModuleList(conv_norm_silu(a, b, 1) for a, b in pairwise(widths[::-1]))
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def encode(self, maps: Tensor, label: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of each map's latent: [B, latent] each."""
        flat = self.downs(maps).flatten(1)  # [B, channels * small * small]
        mean, log_variance = self.moments(torch.cat((flat, self.label(label), features), dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)

    def decode(self, latent: Tensor, label: Tensor, features: Tensor) -> Tensor:
        """Return maps [B, 1, side, side] in -1..1 (tanh)."""
        flat = F.silu(self.start(torch.cat((latent, self.label(label), features), dim=1)))
        out = flat.unflatten(1, (-1, self.small, self.small))
        for up in self.ups:
            out = up(F.interpolate(out, scale_factor=2.0))
        return torch.tanh(self.head(out))

    def forward(self, maps: Tensor, label: Tensor, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps decoded from latents that are drawn by `noise` [B, latent], and the latents' two moments."""
        mean, log_variance = self.encode(maps, label, features)
        return self.decode(mean + noise * (log_variance / 2).exp(), label, features), mean, log_variance
