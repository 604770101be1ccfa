"""The Fourier units of a network as products with fixed matrices, for programs that know neither FFT nor complex numbers.

ONNX has a discrete Fourier transform, but few programs that run ONNX files have it on every device.
"""

from __future__ import annotations

import copy
import math
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from coigan_aug.models.ffc import FourierUnit


def waves(length: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the cosines and sines of an orthonormal discrete Fourier transform: float32 [length, count] each.

    Column k holds cos and sin of 2 pi n k / length for n = 0, 1, ..., divided by the root of `length`. The product n k is
    reduced to one turn in whole numbers, so no precision is lost in large angles.
    """
    turn = torch.outer(torch.arange(length), torch.arange(count)) % length
    angle = turn.to(torch.float64) * (2 * math.pi / length)
    return (angle.cos() / math.sqrt(length)).float(), (angle.sin() / math.sqrt(length)).float()


class MatrixFourierUnit(nn.Module):
    """A `FourierUnit` for images of one size, its transforms and their inverses written as matrix products.

    Shape: [B, C, height, width] -> the same.
    """

    row_cos: Tensor
    row_sin: Tensor
    column_cos: Tensor
    column_sin: Tensor
    times: Tensor

    def __init__(self, unit: FourierUnit, *, height: int, width: int) -> None:
        super().__init__()
        self.mix = unit.mix
        columns = width // 2 + 1
        times = torch.full((columns,), 2.0)  # the other half of the spectrum holds the conjugates
        times[0] = 1.0
        if width % 2 == 0:
            times[-1] = 1.0
        parts = (*waves(height, height), *waves(width, columns), times)
        for name, value in zip(("row_cos", "row_sin", "column_cos", "column_sin", "times"), parts, strict=True):
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self._back(self.mix(self._spectrum(x)))

    def _spectrum(self, x: Tensor) -> Tensor:
        real, imaginary = x @ self.column_cos, -(x @ self.column_sin)  # [B, C, H, W // 2 + 1]
        parts = (
            self.row_cos @ real + self.row_sin @ imaginary,
            self.row_cos @ imaginary - self.row_sin @ real,
        )
        return torch.stack(parts, dim=2).flatten(1, 2)  # [B, 2C, H, W // 2 + 1]

    def _back(self, x: Tensor) -> Tensor:
        real, imaginary = x.unflatten(1, (-1, 2)).unbind(dim=2)  # [B, C, H, W // 2 + 1]
        rows = (
            self.row_cos @ real - self.row_sin @ imaginary,
            self.row_cos @ imaginary + self.row_sin @ real,
        )
        return (rows[0] * self.times) @ self.column_cos.T - (rows[1] * self.times) @ self.column_sin.T  # [B, C, H, W]


def with_matrices(network: nn.Module, *inputs: Tensor) -> nn.Module:
    """Return a copy of a network whose Fourier units are matrix products, for inputs of just these sizes."""
    copied = copy.deepcopy(network)
    sizes = _sizes(copied, *inputs)
    for name, (height, width) in sizes.items():
        parent, _, child = name.rpartition(".")
        unit = copied.get_submodule(name)
        assert isinstance(unit, FourierUnit)
        setattr(copied.get_submodule(parent), child, MatrixFourierUnit(unit, height=height, width=width))
    return copied


@torch.no_grad()
def _sizes(network: nn.Module, *inputs: Tensor) -> dict[str, tuple[int, int]]:
    """Return the height and width of what comes into each Fourier unit, by its name."""
    sizes: dict[str, tuple[int, int]] = {}

    def remember(name: str, x: Tensor) -> None:
        sizes[name] = (x.shape[-2], x.shape[-1])

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            if isinstance(module, FourierUnit):
                seen = module.register_forward_pre_hook(lambda _, args, name=name: remember(name, args[0]))
                hooks.enter_context(seen)
        network(*inputs)
    return sizes
