"""How well a segmenter finds the defects of whole images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from coigan_aug.annotations.rle import Mask
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, to_rgb
from coigan_aug.prepare.examples import Examples

Counts = NDArray[np.int64]
Scores = NDArray[np.float64]


@torch.no_grad()
def predict(network: nn.Module, image: Pixels, *, device: torch.device) -> Mask:
    """Predict the masks of a whole image [h, w(, 3)] at the working scale: uint8 [K, h, w] of 0 and 1.

    The network, in eval mode, sees the image in one piece; a pixel belongs to its likeliest class, or to none.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(to_rgb(image).transpose(2, 0, 1)))
    logits = network(pixels[None].to(device).float() / 255)[0]  # [1 + K, h, w]
    classes = torch.arange(1, len(logits), device=logits.device)
    return np.asarray((logits.argmax(dim=0) == classes[:, None, None]).to(torch.uint8).cpu().numpy())


def class_counts(
    network: nn.Module, examples: Examples, positions: Sequence[int], *, device: torch.device, binary: bool = False
) -> Counts:
    """Count true positive, false positive and false negative pixels at the working scale: int64 [N, K, 3]; none that is void.

    Args:
        binary: all classes count as one, K = 1.
    """
    rows = np.zeros((len(positions), 1 if binary else examples.classes, 3), np.int64)
    for row, position in zip(rows, positions, strict=True):
        image = np.asarray(examples.cache[position])
        predicted = predict(network, image, device=device) != 0
        true = examples.masks(position, Box.of(image.shape)) != 0
        void = examples.void_in(position, Box.of(image.shape))
        if void is not None:
            predicted &= (void == 0) | true.any(axis=0)
        true = true.any(axis=0, keepdims=True) if binary else true
        row[:] = np.stack([(predicted & true), (predicted & ~true), (~predicted & true)], axis=-1).sum(axis=(1, 2))
    return rows


def iou(counts: Counts | Scores) -> Scores:
    """Return the intersection over union of counts [..., 3]; NaN where there is neither mask nor prediction.

    >>> iou(np.array([[2, 1, 1], [0, 0, 0]])).tolist()
    [0.5, nan]
    """
    return _share(counts[..., 0], counts.sum(axis=-1))


def dice(counts: Counts | Scores) -> Scores:
    """Return the Dice coefficient of counts [..., 3]; NaN where there is neither mask nor prediction."""
    return _share(2 * counts[..., 0], counts.sum(axis=-1) + counts[..., 0])


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Scores:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
