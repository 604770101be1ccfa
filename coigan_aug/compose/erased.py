"""The training images with their defects erased: made once for a workspace, at the working scale."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from coigan_aug import rng as streams
from coigan_aug.annotations import masks
from coigan_aug.compose.erase import GROW, Erasing
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.cache import Edit, open_cache
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent


def with_erased(prepared: Prepared, erasing: Erasing, *, cache_root: Path, report: Report = silent) -> Prepared:
    """Erase the defects of all training images that hold any, or open the cache that holds them erased already.

    What an image becomes depends on it and its position alone, not on the order or the others.
    """

    def edit(position: int, pixels: Pixels) -> Pixels:
        union = prepared.masks(position, Box.of(pixels.shape)).max(axis=0)
        return erasing.fill(streams.generator(0, "erase", position), pixels, masks.grow(union, GROW))

    erased = open_cache(
        prepared.dataset, sorted(prepared.by_record), scale=prepared.scale, root=cache_root,
        edit=Edit(f"erased {erasing.name} {erasing.key} {GROW}", edit), report=report,
    )  # fmt: skip
    return dataclasses.replace(prepared, erased=erased)
