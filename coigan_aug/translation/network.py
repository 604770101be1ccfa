"""A trained change of look as an engine: images of any size, whole or in tiles that are blended into each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.objects import scaled_size
from coigan_aug.translation.engine import Engine
from coigan_aug.translator_file import TranslatorFile, load_translator_file

GENERATOR = "generator.safetensors"
WHOLE = 1 << 20
"""Pixels up to which an image is restyled in one piece."""
TILE, OVERLAP = 768, 256
"""Side of the tiles of larger ones, and how far they lie over each other at least, px."""


@dataclass(frozen=True)
class Network:
    """Restyles images with a trained generator: the same picture whatever index and seed."""

    file: TranslatorFile
    whole: int = WHOLE
    tile: int = TILE
    overlap: int = OVERLAP

    @property
    def name(self) -> str:
        return "network"

    @property
    def draws(self) -> bool:
        return False

    def about(self) -> Mapping[str, Any]:
        own = self.file.settings.translate
        return {"generator_sha256": self.file.sha256, "images_seen": self.file.images, "attention": own.attention}

    def reference(self, *, index: int, seed: int) -> str:
        return ""

    @torch.no_grad()
    def translate(self, image: Pixels, *, index: int, seed: int) -> Pixels:
        values = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 255  # [1, 3, H, W]
        made = (values + self._change(values)).clamp(0, 1)
        return np.asarray((made[0].permute(1, 2, 0) * 255).round().numpy(), np.uint8)

    def _change(self, image: Tensor) -> Tensor:
        """Return what is added to an image [1, 3, H, W]; that of a smaller copy, enlarged, where training looked at such."""
        height, width = image.shape[-2:]
        small = scaled_size(height, width, self.file.settings.data.scale)
        if small == (height, width):
            return self._blended(image)
        shrunk = F.interpolate(image, size=small, mode="area")
        return F.interpolate(self._blended(shrunk), size=(height, width), mode="bilinear", align_corners=False)

    def _blended(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if height * width <= self.whole:
            return self._made(image) - image
        total, weights = torch.zeros_like(image), torch.zeros(height, width)
        for tile in tiles(height, width, side=self.tile, overlap=self.overlap):
            rows, columns = tile.slices
            part = image[..., rows, columns]
            share = torch.from_numpy(slope(tile, height, width, overlap=self.overlap))
            total[..., rows, columns] += share * (self._made(part) - part)
            weights[rows, columns] += share
        return total / weights

    def _made(self, image: Tensor) -> Tensor:
        made: Tensor = self.file.network(image)
        return made


def load_translator(path: Path) -> Engine:
    """Load what `translate train` left: a run's folder or its generator file.

    Raises:
        DataError: there is none, or it is damaged.
    """
    file = path / GENERATOR if path.is_dir() else path
    if not file.exists():
        raise DataError(
            f"{path} holds no trained change of look.", remedy="Train one: coigan-aug translate train --to FOLDER"
        )
    return Network(load_translator_file(file))


def tiles(height: int, width: int, *, side: int, overlap: int) -> Iterator[Box]:
    """Yield tiles of at most side x side px that cover an image; neighbours have `overlap` px in common at least.

    >>> [tuple(tile) for tile in tiles(10, 25, side=10, overlap=2)]
    [(0, 0, 10, 10), (7, 0, 10, 10), (15, 0, 10, 10)]
    """
    for top in _starts(height, side, overlap):
        for left in _starts(width, side, overlap):
            yield Box(left, top, min(side, width), min(side, height))


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    steps = -(-(length - side) // (side - overlap))
    return [k * (length - side) // steps for k in range(steps + 1)]


def slope(tile: Box, height: int, width: int, *, overlap: int) -> NDArray[np.float32]:
    """Return how much each place of a tile counts, float32 [h, w]: 1 inside, falling to 0 over `overlap` px, but not where
    the image ends."""
    rows = _ramp(tile.top, tile.height, height, overlap)
    columns = _ramp(tile.left, tile.width, width, overlap)
    return np.outer(rows, columns).astype(np.float32)


def _ramp(start: int, length: int, room: int, overlap: int) -> NDArray[np.float32]:
    places = np.arange(length, dtype=np.float32) + 0.5
    before = places if start > 0 else np.full(length, np.inf, np.float32)
    behind = length - places if start + length < room else np.full(length, np.inf, np.float32)
    share = np.minimum(np.minimum(before, behind) / overlap, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * share), np.float32)
