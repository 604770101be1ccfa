"""The precision that sums, losses and spectra need, whatever the convolutions run in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Return `x` in float32 when it is half or bfloat16, unchanged otherwise (float64 stays float64)."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
