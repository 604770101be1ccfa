"""What a segmenter learns from: windows by step and place, the same for every arm where the arms share them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Box, Mask
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.examples import Examples, defect_region

Rng = np.random.Generator
DEFECTIVE = 0.5  # of the real windows; the others lie anywhere, most of them on clean surface


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Real training images, and what an arm adds to them.

    `share` of the windows of a step are cut round the objects of `extra`; of the others half are cut round real
    objects, each class as often as any other, half lie anywhere on the real images. With `tiles` nothing is balanced:
    a window is any window of `real` or `extra`. With `fade`, the number of steps of the whole training, the share falls
    evenly from twice `share` to nothing: the same number of windows, but what is learnt last is learnt from real ones.
    """

    real: Examples
    extra: Examples | None = None
    share: float = 0.0
    flip: bool = True
    photometric: float = 0.2
    binary: bool = False
    tiles: bool = False
    fade: int = 0

    def batch(self, seed: int, step: int, *, size: int) -> tuple[Tensor, Tensor]:
        """Draw the windows of a step: images float32 [B, 3, H, W] in 0..1 and masks float32 [B, K, H, W] of 0 and 1.

        Window k of a step that is real is the same in every arm of the seed.
        """
        added = int(np.floor(size * self._until(step + 1))) - int(np.floor(size * self._until(step)))
        windows = [self._window(seed, step * size + k, added=k < added) for k in range(size)]
        images, masks = (np.stack(values) for values in zip(*windows, strict=True))
        return torch.from_numpy(images), torch.from_numpy(masks)

    def _until(self, step: int) -> float:
        """Return how many of `extra`'s windows the steps before this one hold, in windows a place of the batch."""
        return self.share * step * (2 - step / self.fade if self.fade else 1)

    def _window(self, seed: int, index: int, *, added: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = streams.generator(seed, "segment-added" if added else "segment", index)
        examples = self.extra if added and self.extra is not None else self.real
        round_object = not self.tiles and (added or rng.random() < DEFECTIVE)
        position, region = defect_region(rng, examples) if round_object else any_region(rng, examples)
        pixels, masks = examples.pixels(position, region), examples.masks(position, region)
        if self.binary:
            masks = masks.max(axis=0, keepdims=True)
        return augment(rng, pixels, masks, flip=self.flip, photometric=self.photometric)


def any_region(rng: Rng, examples: Examples) -> tuple[int, Box]:
    """Choose a window anywhere on any image: record and region."""
    positions = examples.positions
    position = positions[int(rng.integers(len(positions)))]
    height, width = examples.cache[position].shape[:2]
    side = examples.window
    left, top = (int(rng.integers(max(room - side, 0) + 1)) for room in (width, height))
    return position, (left, top, side, side)


def augment(
    rng: Rng, pixels: Pixels, masks: Mask, *, flip: bool, photometric: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mirror a window [H, W, 3] with its masks [K, H, W], and vary gamma, contrast and brightness of the image alone.

    Returns float32 [3, H, W] in 0..1 and float32 [K, H, W]. `photometric` is the largest change: a factor of
    1 +- photometric on gamma and on contrast round the window's mean, a shift of up to half of it in brightness.
    """
    flip_x, flip_y = (bool(value) for value in rng.random(2) < 0.5) if flip else (False, False)
    columns, rows = (-1 if flip_x else 1), (-1 if flip_y else 1)
    gamma, contrast, shift = rng.uniform(-photometric, photometric, 3)
    image = (pixels[::rows, ::columns].astype(np.float32) / 255) ** np.float32(1 + gamma)
    image = (image - image.mean()) * np.float32(1 + contrast) + image.mean() + np.float32(shift / 2)
    picture = np.ascontiguousarray(image.clip(0, 1).transpose(2, 0, 1))
    return picture, np.ascontiguousarray(masks[:, ::rows, ::columns], dtype=np.float32)
