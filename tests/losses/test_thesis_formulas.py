"""The thesis' losses, against the formulas of its text and its configuration, written out in loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coigan_aug.losses.perceptual import smooth_masked_perceptual
from coigan_aug.losses.reconstruction import smooth_masked_l1
from coigan_aug.losses.regularizers import path_length

BATCH, CLASSES, SIDE = 2, 3, 9
INSIDE, OUTSIDE, KERNEL = 0.1, 1.0, 5


def _random(*shape: int, seed: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _masks() -> Tensor:
    """Draw masks of classes that never overlap, as they are composed."""
    label = torch.randint(0, 3 * CLASSES, (BATCH, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(3))
    return (label == torch.arange(CLASSES)[None, :, None, None]).double()


def _thesis_weights(masks: Tensor) -> np.ndarray:
    """Weigh each pixel: obj * M + bg * (1 - M), M the masks of all classes under a box that adds up its channels."""
    out = np.zeros((BATCH, SIDE, SIDE))
    for b, y, x in np.ndindex(out.shape):
        covered = 0.0
        for dy in range(-(KERNEL // 2), KERNEL // 2 + 1):
            for dx in range(-(KERNEL // 2), KERNEL // 2 + 1):
                if 0 <= y + dy < SIDE and 0 <= x + dx < SIDE:
                    covered += float(masks[b, :, y + dy, x + dx].sum()) / KERNEL**2
        out[b, y, x] = INSIDE * covered + OUTSIDE * (1 - covered)
    return out


def test_fifteen_times_the_l1_is_five_times_the_thesis() -> None:
    """Its sum runs over three channels and is divided by the weights of one."""
    output, target, masks = _random(BATCH, 3, SIDE, SIDE, seed=0), _random(BATCH, 3, SIDE, SIDE, seed=1), _masks()
    weights, total = _thesis_weights(masks), 0.0
    for b, c, y, x in np.ndindex(BATCH, 3, SIDE, SIDE):
        total += abs(float(output[b, c, y, x] - target[b, c, y, x])) * weights[b, y, x]
    made = smooth_masked_l1(
        output, target, masks, kernel=KERNEL, object_weight=INSIDE, background_weight=OUTSIDE
    )  # fmt: skip
    assert 15 * made.item() == pytest.approx(5 * total / weights.sum(), rel=1e-9)


class _Layers(nn.Module):
    """Three layers of other widths and sizes, one of them nonlinear."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        half = nn.functional.avg_pool2d(x, 2)
        return x, torch.cat((half, half.square()), dim=1), nn.functional.max_pool2d(half, 2)


def _between_corners(image: np.ndarray, size: int) -> np.ndarray:
    """Resize [h, h] to [size, size] bilinearly, corner pixels onto corner pixels."""
    out, side = np.zeros((size, size)), len(image)
    for y, x in np.ndindex(size, size):
        row, column = (k * (side - 1) / (size - 1) if size > 1 else 0.0 for k in (y, x))
        top, left = min(int(row), side - 2), min(int(column), side - 2)
        down, right = row - top, column - left
        upper = image[top, left] * (1 - right) + image[top, left + 1] * right
        lower = image[top + 1, left] * (1 - right) + image[top + 1, left + 1] * right
        out[y, x] = upper * (1 - down) + lower * down
    return out


def test_the_perceptual_loss_adds_up_channels_as_the_thesis_does() -> None:
    """Squared errors summed over channels, weighted by the resized map, over the sum of the map; mean over the layers."""
    output, target, masks = _random(BATCH, 3, SIDE, SIDE, seed=4), _random(BATCH, 3, SIDE, SIDE, seed=5), _masks()
    weights, layers = _thesis_weights(masks), []
    for got, want in zip(_Layers()(output), _Layers()(target), strict=True):
        above, below, size = 0.0, 0.0, got.shape[-1]
        for b in range(BATCH):
            own = _between_corners(weights[b], size)
            for y, x in np.ndindex(size, size):
                squared = sum(float(got[b, c, y, x] - want[b, c, y, x]) ** 2 for c in range(got.shape[1]))
                above, below = above + squared * own[y, x], below + own[y, x]
        layers.append(above / below)
    made = smooth_masked_perceptual(
        _Layers(), output, target, masks, kernel=KERNEL, object_weight=INSIDE, background_weight=OUTSIDE, channels="sum"
    )
    assert made.item() == pytest.approx(sum(layers) / 3, rel=1e-9)


def test_a_path_length_per_column_is_that_of_the_thesis_code() -> None:
    """sqrt(mean over channels of the sum over rows of g^2), with g by differences; their mean moves the running one."""
    channels, height, width, decay = 4, 3, 5, 0.01
    kernel = torch.randn(3, channels, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    inputs = _random(BATCH, channels, height, width, seed=7)
    noise = torch.randn(BATCH, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(8))

    def generate(x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, kernel, padding=1).tanh()

    def projected(x: Tensor) -> float:
        return float((generate(x) * noise).sum()) / math.sqrt(height * width)

    lengths = np.zeros((BATCH, width))
    for b, x in np.ndindex(BATCH, width):
        total = 0.0
        for c, y in np.ndindex(channels, height):
            ahead, behind = inputs.clone(), inputs.clone()
            ahead[b, c, y, x] += 1e-5
            behind[b, c, y, x] -= 1e-5
            total += ((projected(ahead) - projected(behind)) / 2e-5) ** 2 / channels
        lengths[b, x] = math.sqrt(total)
    before = 0.3
    mean = before + decay * (lengths.mean() - before)
    given = inputs.requires_grad_(True)
    running = torch.tensor(before, dtype=torch.float64)
    penalty, after = path_length(generate(given), given, noise=noise, running_mean=running, decay=decay, per="column")
    assert after.item() == pytest.approx(mean, rel=1e-6)
    assert penalty.item() == pytest.approx(((lengths - mean) ** 2).mean(), rel=1e-6)


def test_the_two_kinds_of_path_length_are_channels_times_columns_apart() -> None:
    """Where every pixel has the same slope: 7 channels and 256 columns make a penalty 1,792 times as large."""
    found = {}
    for per in ("sample", "column"):
        inputs = torch.ones(1, 7, 8, 256, dtype=torch.float64, requires_grad=True)
        images, noise = inputs.square() / 2, torch.ones(1, 7, 8, 256, dtype=torch.float64)
        running = torch.zeros((), dtype=torch.float64)
        found[per], _ = path_length(images, inputs, noise=noise, running_mean=running, decay=0.0, per=per)
    assert (found["sample"] / found["column"]).item() == pytest.approx(7 * 256, rel=1e-4)
