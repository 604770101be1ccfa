"""What a segmenter learns from: windows by step and place, the same for every arm where the arms share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import cover, resize
from coigan_aug.annotations.rle import Mask
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.examples import Examples, place_window

Rng = np.random.Generator
Cut = tuple[Pixels, Mask]
Range = tuple[float, float]
VOID = 2
"""What void pixels are in the masks of a window, in those of all classes: they are not learnt from."""
DEFECTIVE = 0.5  # of a batch: windows round real defects, in every arm
SAME: Range = (1.0, 1.0)


class Source(Protocol):
    """What an arm adds: a window uint8 [S, S, 3] with its masks uint8 [K, S, S] for each index, another one for each.

    Masks are 0 and 1, and VOID where a pixel is void.

    It depends on (what it draws from, seed, index) alone, so that it can be asked in any order and by any process.
    """

    def window(self, seed: int, index: int) -> Cut: ...


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Windows round the defects of images that are there: real ones once more, or a synthetic set's; `label`: of one class."""

    examples: Examples
    jitter: Range = SAME
    tiles: bool = False
    label: int | None = None

    def window(self, seed: int, index: int) -> Cut:
        """Cut window `index` round a defect; with `tiles` anywhere."""
        rng = streams.generator(seed, "added", index)
        if self.tiles:
            return anywhere(rng, self.examples, self.jitter)
        return round_defect(rng, self.examples, self.jitter, label=self.label)


@dataclass(frozen=True, kw_only=True)
class Empty:
    """The control that adds nothing: windows anywhere, as those that they take the place of, but others."""

    examples: Examples
    jitter: Range = SAME

    def window(self, seed: int, index: int) -> Cut:
        """Cut window `index` anywhere."""
        return anywhere(streams.generator(seed, "added", index), self.examples, self.jitter)


@dataclass(frozen=True, kw_only=True)
class CutMix:
    """A rectangle of a window with a defect set into a window from anywhere, pixels and masks alike.

    The rectangle has the window's proportions, takes a share of its area drawn evenly from 0 to 1, and lies anywhere.

    Source: Yun et al. 2019, "CutMix", section 3.1 (alpha = 1).
    """

    examples: Examples
    jitter: Range = SAME

    def window(self, seed: int, index: int) -> Cut:
        """Mix window `index`."""
        rng = streams.generator(seed, "added", index)
        pixels, masks = anywhere(rng, self.examples, self.jitter)
        other, others = round_defect(rng, self.examples, self.jitter)
        side = len(pixels)
        half = side * np.sqrt(rng.random()) / 2
        (top, bottom), (left, right) = (
            np.clip(np.rint(rng.random() * side + np.array([-half, half])), 0, side).astype(int) for _ in range(2)
        )
        mixed, labels = pixels.copy(), masks.copy()
        mixed[top:bottom, left:right] = other[top:bottom, left:right]
        labels[:, top:bottom, left:right] = others[:, top:bottom, left:right]
        return mixed, labels


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Real training images, and what an arm adds to them.

    Half of a step's windows lie round real defects, in every arm; the others anywhere on the real images, most of them on
    clean surface. `share` of the windows come from the `added` sources, by turns: they take the place of windows from
    anywhere, or with `extra` they come on top, and an arm without sources gets as many more real ones. As many
    `negatives` as added windows take the place of further windows from anywhere. With `tiles` nothing is balanced:
    real windows lie anywhere. With `fade`, the number of steps of the whole training, the share falls evenly from twice `share`
    to nothing: the same number of windows, but what is learnt last is learnt from real ones. Of added windows so many px on
    each side of the masks' borders are void (`ring`).
    """

    real: Examples
    added: Sequence[Source] = ()
    negatives: Source | None = None
    share: float = 0.0
    extra: bool = False
    jitter: Range = SAME
    flip: bool = True
    photometric: float = 0.2
    binary: bool = False
    tiles: bool = False
    fade: int = 0
    ring: int = 0

    def batch(self, seed: int, step: int, *, size: int) -> tuple[Tensor, Tensor]:
        """Draw the windows of a step: images float32 [B, 3, H, W] in 0..1 and masks float32 [B, K, H, W] of 0, 1 and VOID.

        Window k of a step that is real is the same in every arm of the seed.
        """
        first = int(np.floor(size * self._until(step)))
        count = int(np.floor(size * self._until(step + 1))) - first
        real = size + count if self.extra and not self.added else size
        more = [self._added(seed, first + k) for k in range(count if self.added else 0)]
        room = count if self.extra else max(int(size * (1 - DEFECTIVE)) - len(more), 0)
        if self.negatives is not None:
            more += [self.negatives.window(seed, first + k) for k in range(min(count, room))]
        kept = real if self.extra else real - len(more)
        windows = [
            self._real(seed, step * 2 * size + k, defective=self._defective(k, size)) for k in range(kept)
        ] + more
        changed = [self._augment(seed, step * 4 * size + k, window) for k, window in enumerate(windows)]
        images, masks = (np.stack(values) for values in zip(*changed, strict=True))
        return torch.from_numpy(images), torch.from_numpy(masks)

    def _until(self, step: int) -> float:
        """Return how many windows the steps before this one add, in windows a place of the batch."""
        return self.share * step * (2 - step / self.fade if self.fade else 1)

    def _defective(self, k: int, size: int) -> bool:
        """Tell whether place k of a step holds a real defect: the first half, and every other one that comes on top."""
        return not self.tiles and (k < size * DEFECTIVE if k < size else k % 2 == 0)

    def _added(self, seed: int, index: int) -> Cut:
        pixels, masks = self.added[index % len(self.added)].window(seed, index)
        return pixels, ringed(masks, self.ring)

    def _real(self, seed: int, index: int, *, defective: bool) -> Cut:
        rng = streams.generator(seed, "segment", index)
        return round_defect(rng, self.real, self.jitter) if defective else anywhere(rng, self.real, self.jitter)

    def _augment(self, seed: int, index: int, window: Cut) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels, masks = window
        if self.binary:
            masks = masks.max(axis=0, keepdims=True)
        rng = streams.generator(seed, "photometric", index)
        return augment(rng, pixels, masks, flip=self.flip, photometric=self.photometric)


def round_defect(rng: Rng, examples: Examples, jitter: Range, *, label: int | None = None) -> Cut:
    """Cut a window round a defect: each class as often as any other, of it an image, and of that one of its objects.

    An image with many specks so counts as one defect, not as many. With `label` the defect is of that class.
    """
    classes = [images for images in examples.by_image if images] if label is None else [examples.by_image[label]]
    images = classes[int(rng.integers(len(classes)))]
    position = list(images)[int(rng.integers(len(images)))]
    members = images[position]
    item = examples.objects[members[int(rng.integers(len(members)))]]
    side = draw_side(rng, examples.window, jitter)
    return shown(examples, position, place_window(rng, item.box, examples.cache[position].shape[:2], side=side))


def anywhere(rng: Rng, examples: Examples, jitter: Range) -> Cut:
    """Cut a window anywhere on any image."""
    positions = examples.positions
    position = positions[int(rng.integers(len(positions)))]
    height, width = examples.cache[position].shape[:2]
    side = draw_side(rng, examples.window, jitter)
    left, top = (int(rng.integers(room - side + 1)) if room >= side else (room - side) // 2 for room in (width, height))
    return shown(examples, position, Box(left, top, side, side))


def draw_side(rng: Rng, window: int, jitter: Range) -> int:
    """Draw the side of the region that is shown as a window, px: all factors of size alike on a logarithmic scale."""
    if jitter == SAME:
        return window
    return max(round(window / float(np.exp(rng.uniform(*np.log(jitter))))), 1)


def shown(examples: Examples, position: int, region: Box) -> Cut:
    """Cut a square region of an image and show it at the window's size."""
    pixels, masks = resized(examples.pixels(position, region), examples.masks(position, region), examples.window)
    return pixels, with_void(masks, examples.void_in(position, region))


def with_void(masks: Mask, void: Mask | None) -> Mask:
    """Mark in masks [K, S, S] what is void [h, h] and in none of them; None: nothing is."""
    if void is None or not void.any():
        return masks
    side = masks.shape[-1]
    free = (cover(void, height=side, width=side) != 0) & (masks.max(axis=0) == 0)
    return np.where(free, np.uint8(VOID), masks)


def ringed(masks: Mask, ring: int) -> Mask:
    """Mark what is within so many px of the borders of masks [K, S, S] as void; parts too thin for a border inside keep it.

    >>> ringed(np.array([[[0, 0, 0, 1, 1, 1, 1, 1]] * 9], np.uint8), 1)[0, 4].tolist()
    [0, 0, 2, 2, 1, 1, 1, 1]
    """
    if not ring:
        return masks
    solid = (masks == 1).max(axis=0).astype(np.uint8)
    kernel = np.ones((2 * ring + 1, 2 * ring + 1), np.uint8)
    inner = cv2.erode(solid, kernel)
    border = (cv2.dilate(solid, kernel) > solid) | (cv2.dilate(inner, kernel) > inner) & (solid > 0)
    return np.where(border, np.uint8(VOID), masks)


def resized(pixels: Pixels, masks: Mask, side: int) -> Cut:
    """Bring a square cut [h, h, 3] with its masks [K, h, h] to a side."""
    if len(pixels) == side:
        return pixels, masks
    how = cv2.INTER_AREA if len(pixels) > side else cv2.INTER_LINEAR
    picture = np.asarray(cv2.resize(pixels, (side, side), interpolation=how), np.uint8)
    return picture, np.stack([resize(mask, height=side, width=side) for mask in masks])


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
    image = ((np.arange(256, dtype=np.float32) / 255) ** np.float32(1 + gamma))[pixels[::rows, ::columns]]
    image = (image - image.mean()) * np.float32(1 + contrast) + image.mean() + np.float32(shift / 2)
    picture = np.ascontiguousarray(image.clip(0, 1).transpose(2, 0, 1))
    return picture, np.ascontiguousarray(masks[:, ::rows, ::columns], dtype=np.float32)
