"""Agreement: what a segmenter that knows real images only sees where a defect was drawn, and beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from coigan_aug.annotations.masks import grow, resize
from coigan_aug.annotations.rle import Mask, Rle, box, decode_box
from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import read_struct, write_sealed
from coigan_aug.segmenter.scoring import predict
from coigan_aug.synthesis.gan import merge_boxes

MOST_LOOKED_AT = 100  # training objects of a class
LEAST_FOUND = 0.2  # of a class's own training objects; a segmenter that finds less can't judge the class


@dataclass(frozen=True, slots=True)
class Seen:
    """What the segmenter sees of a defect.

    `found` is the share of its mask that it calls the defect's class, `spilled` the area that it calls some defect beside
    all masks, and did not on the base, in areas of the masks.
    """

    found: float
    spilled: float


@dataclass(frozen=True)
class Bounds:
    """What counts as agreement, for each class (by position): at least `found`, at most `spilled`.

    None where the segmenter can't judge the class.
    """

    found: tuple[float | None, ...]
    spilled: tuple[float | None, ...]


@dataclass(frozen=True)
class Sight:
    """A segmenter with what it needs to look at full-size images."""

    network: nn.Module
    scale: float
    window: int
    device: torch.device

    def look(self, base: Pixels, image: Pixels, defects: Sequence[tuple[int, Rle]], *, margin: int) -> list[Seen]:
        """Look at the defects (class, mask) of a picture [H, W(, 3)], neighbours in one piece."""
        side = round(self.window / self.scale)
        seen: dict[int, Seen] = {}
        for item in merge_boxes([box(mask) for _, mask in defects], reach=side // 4):
            piece = _piece(item, side)
            predicted = self._found(image, piece)
            masks = {k: self._shown(mask, piece) for k, (_, mask) in enumerate(defects)}
            union = np.max(list(masks.values()), axis=0)
            outside = grow(union, round(margin * self.scale) + 1) == 0
            beside = predicted.any(axis=0) & outside
            if beside.any():
                beside &= self._found(base, piece).max(axis=0) == 0
            spilled = float(beside.sum()) / max(float(union.sum()), 1.0)
            for k, (label, mask) in enumerate(defects):
                if k not in seen and box(mask).within(piece):
                    seen[k] = Seen(float(predicted[label][masks[k] != 0].mean()), spilled)
        return [seen[k] for k in range(len(defects))]

    def _shown(self, mask: Rle, piece: Box) -> Mask:
        return resize(decode_box(mask, piece), height=self._small(piece.height), width=self._small(piece.width))

    def _small(self, length: int) -> int:
        return max(round(length * self.scale), 1)

    def _found(self, image: Pixels, piece: Box) -> Mask:
        pixels = to_rgb(cut_mirrored(image, piece))
        if self.scale != 1:
            small = (self._small(piece.width), self._small(piece.height))
            pixels = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
        return predict(self.network, pixels, device=self.device)


def _piece(item: Box, side: int) -> Box:
    """Widen a box by a quarter of a window all round, to a window at least."""
    return item.around(max(item.width + side // 2, side), max(item.height + side // 2, side))


def kept_bounds(sight: Sight, prepared: Prepared, path: Path) -> Bounds:
    """Return the bounds of a segmenter, measured once and kept beside its file."""
    with contextlib.suppress(DataError):  # not there yet, or damaged: measured anew
        return read_struct(path, Bounds)
    bounds = measure_bounds(sight, prepared)
    write_sealed(path, asdict(bounds))
    return bounds


def measure_bounds(sight: Sight, prepared: Prepared) -> Bounds:
    """Measure what the segmenter sees of the training objects, 100 of a class at most: what synthetic ones must reach.

    At least a fifth of the median share that it finds of a real one; no more beside the masks than beside 90 % of the
    real ones, or half a mask's area where that is more. A class of which it finds less than a fifth even there is not
    judged.
    """
    found: list[float | None] = []
    spilled: list[float | None] = []
    for members in prepared.by_class:
        step = max(len(members) // MOST_LOOKED_AT, 1)
        seen = [_real(sight, prepared, k) for k in members[::step][:MOST_LOOKED_AT]]
        median = float(np.median([item.found for item in seen])) if seen else 0.0
        judged = median >= LEAST_FOUND
        found.append(round(median / 5, 4) if judged else None)
        beside = [item.spilled for item in seen]
        spilled.append(round(max(float(np.quantile(beside, 0.9)), 0.5), 4) if judged else None)
    return Bounds(tuple(found), tuple(spilled))


def _real(sight: Sight, prepared: Prepared, number: int) -> Seen:
    """Look at a training object in its working image, as `Sight.look` does; what is called a defect anywhere near counts."""
    item = prepared.objects[number]
    region = _piece(item.box, sight.window)
    predicted = predict(sight.network, prepared.pixels(item.position, region), device=sight.device)
    inside = decode_box(item.scaled, region) != 0
    outside = grow(prepared.masks(item.position, region).max(axis=0), 2) == 0
    void = prepared.void_in(item.position, region)
    outside = outside if void is None else outside & (void == 0)
    beside = float((predicted.any(axis=0) & outside).sum())
    return Seen(
        float(predicted[item.label][inside].mean()) if inside.any() else 0.0, beside / max(float(inside.sum()), 1.0)
    )
