"""Watching a training: how far its drawn defects are from real ones, measured on fixed samples while it goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coigan_aug.annotations.rle import Mask
from coigan_aug.compose.augment import tight
from coigan_aug.compose.composer import Stream
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored
from coigan_aug.metrics.features import Lite0, Rows
from coigan_aug.metrics.kernel import kernel_distance
from coigan_aug.models.build import Inpainter
from coigan_aug.training.batches import Batch, stack

SAMPLES = 96
_SMALLEST = 16
_FACTOR = 1.5
_BATCH = 16


@dataclass(frozen=True)
class Watch:
    """Fixed samples to draw, and what real training defects look like in the same feature space."""

    batches: tuple[Batch, ...]
    real: Rows
    features: Lite0
    device: torch.device


def begin_watch(stream: Stream, *, device: torch.device, samples: int = SAMPLES) -> Watch:
    """Take the first samples of a stream: their masks are to be drawn, their real defect windows are compared with."""
    taken = [stream[index] for index in range(samples)]
    batches = tuple(stack(taken[k : k + _BATCH]) for k in range(0, samples, _BATCH))
    features = Lite0().to(device)
    real = [crop for batch in batches for crop in _crops(batch.pair_target, batch.pair_masks)]
    return Watch(batches, _rows(features, real), features, device)


@torch.no_grad()
def distance(watch: Watch, generator: Inpainter) -> float:
    """Return the KID between what a generator draws and real training defects, inside the masks.

    Rows and kernel are those of `evaluate quality` inside the masks (there x 1000); here both sides are windows at the
    working scale. Near 0 is best; it can be a little below.
    """
    generator.eval()
    made: list[tuple[Pixels, Mask]] = []
    for batch in watch.batches:
        moved = batch.to(watch.device)
        made += _crops(generator(moved.base, moved.condition, moved.latent, moved.masks).cpu(), batch.masks)
    return kernel_distance(_rows(watch.features, made), watch.real).value


def _crops(images: Tensor, masks: Tensor) -> Iterator[tuple[Pixels, Mask]]:
    """Cut the masks of each class out of each window, with some surroundings: pixels [S, S, 3] and mask [S, S]."""
    for image, of_classes in zip(images, masks, strict=True):
        pixels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        for mask in of_classes.numpy().astype(np.uint8):
            if mask.any():
                rows, columns = tight(mask)
                length = max(rows.stop - rows.start, columns.stop - columns.start)
                side = max(round(_FACTOR * length), _SMALLEST)
                left, top = ((part.start + part.stop - side) // 2 for part in (columns, rows))
                region = Box(left, top, side, side)
                yield cut_mirrored(pixels, region), cut_mirrored(mask, region)


def _rows(features: Lite0, crops: list[tuple[Pixels, Mask]]) -> Rows:
    parts = [crops[k : k + _BATCH] for k in range(0, len(crops), _BATCH)]
    rows = [features.with_inside([c[0] for c in part], [c[1] for c in part])[1].cpu().numpy() for part in parts]
    return np.concatenate(rows)
