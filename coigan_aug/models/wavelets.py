"""The two-dimensional Haar transform in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor


def haar(x: Tensor) -> Tensor:
    """Split an image into its four Haar bands, orthonormally: energy is kept.

    Bands in the order LL (mean), LH (difference of rows), HL (difference of columns), HH (of both), each
    with all channels. Raises ValueError for odd sides.

    Shape: [B, C, H, W] -> [B, 4C, H / 2, W / 2].
    """
    if x.shape[-2] % 2 or x.shape[-1] % 2:
        raise ValueError(f"the Haar transform halves both sides, but the image is {x.shape[-2]} x {x.shape[-1]}")
    top, bottom = x[..., 0::2, :], x[..., 1::2, :]
    low, high = top + bottom, top - bottom  # [B, C, H / 2, W]
    bands = [band[..., 0::2] + sign * band[..., 1::2] for sign in (1, -1) for band in (low, high)]
    return torch.cat(bands, dim=1) / 2


def inverse_haar(x: Tensor) -> Tensor:
    """Put an image together from its four Haar bands; the exact inverse of `haar`.

    Shape: [B, 4C, H, W] -> [B, C, 2H, 2W].
    """
    ll, lh, hl, hh = x.chunk(4, dim=1)
    top = torch.stack((ll + lh + hl + hh, ll + lh - hl - hh), dim=-1)  # [B, C, H, W, 2]
    bottom = torch.stack((ll - lh + hl - hh, ll - lh - hl + hh), dim=-1)
    rows = torch.stack((top, bottom), dim=-3) / 2  # [B, C, H, 2, W, 2]
    return rows.flatten(-2).flatten(-3, -2)
