"""Erasing a defect: the paired sample's 'before' picture, and training images with their defects erased."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations import masks
from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.prepare.cache import Edit, open_cache
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent

GROW = 1  # px at the working scale: the hole is larger than the mask by it, so that a soft edge of the defect goes too
BAND = 4.0  # px; what a Gaussian of this width takes away is texture, and is moved; the rest flows in from the border
RING = 2  # px round a hole, by which textures are compared
MOST_ERASED = 0.25  # of a window that is taken for a clean one, or of an image; more is too much of it to make up
SMALL = 64  # px: the side of the windows of recipe tiny
CANDIDATES = 33
ROUNDS = 4

Rng = np.random.Generator
Bytes = NDArray[np.uint8]
Texture = NDArray[np.float32]
Marks = NDArray[np.bool_]
Region = tuple[slice, slice]


@dataclass(frozen=True)
class Erasing:
    """A way to erase defects: its name, and what fills a hole [h, w] of an image [h, w, 3] and changes nothing else.

    `key` tells its results from those of others of the same name.
    """

    name: str
    fill: Callable[[Rng, Bytes, Bytes], Bytes]
    key: str = ""


def fill_from_surface(erasing: Erasing, rng: Rng, pixels: Bytes, hole: Bytes, void: Bytes | None) -> Bytes:
    """Fill a hole [h, w] of an image [h, w, 3] without looking at what is void [h, w] beside it, which stays as it is.

    Nobody knows whether that is surface to take texture from. None: nothing is void.
    """
    other = None if void is None else (void != 0) & (hole == 0)
    if other is None or not other.any():
        return erasing.fill(rng, pixels, hole)
    filled = erasing.fill(rng, pixels, np.asarray(hole | other, np.uint8))
    return np.where(other[..., None], pixels, filled)


def erase(rng: Rng, pixels: Bytes, mask: Bytes, *, grow: int) -> Bytes:
    """Fill a mask [h, w] of an image [h, w, 3] from its surroundings: uint8 [h, w, 3]; outside the hole nothing changes.

    Args:
        grow: the hole is this much larger than the mask, px.
    """
    return telea(rng, pixels, masks.grow(mask, grow))


def telea(rng: Rng, pixels: Bytes, hole: Bytes) -> Bytes:
    """Fill a hole [h, w] of an image [h, w, 3]: the colour flows in from the border (Telea 2004), with texture on it.

    A hole that is nowhere, or everywhere, stays as it is.
    """
    if not hole.any() or hole.all():
        return pixels.copy()
    image, marks = (
        cv2.copyMakeBorder(np.ascontiguousarray(x), 1, 1, 1, 1, cv2.BORDER_REPLICATE) for x in (pixels, hole)
    )
    filled = cv2.inpaint(image, marks, 3, cv2.INPAINT_TELEA)[1:-1, 1:-1]  # bare lines of 1 px come out at random
    return with_texture(rng, pixels, np.asarray(filled, np.float32), hole)


def with_texture(rng: Rng, pixels: Bytes, filled: Texture, hole: Bytes) -> Bytes:
    """Put a fill [h, w, 3], smoothed, into the hole [h, w] of an image [h, w, 3], and texture on it.

    The texture comes from elsewhere in the image, because a smooth patch would tell the generator where to draw. Each
    part of the hole takes it from one place, whose surroundings look most like its own; more where one does not cover it.
    """
    smooth = cv2.GaussianBlur(filled, (0, 0), BAND)
    texture = (pixels - smooth) * (hole == 0)[..., None]
    grey, moved = texture.mean(axis=2), np.zeros_like(texture)
    for region, part in holes(hole, around=RING):
        _fill_part(rng, texture, grey, hole == 0, region, part, moved)
    out = np.clip(np.rint(smooth + moved), 0, 255).astype(np.uint8)
    return np.where(hole[..., None] != 0, out, pixels)


def holes(hole: Bytes, *, around: int) -> Iterator[tuple[Region, Marks]]:
    """Yield the 8-connected parts of a hole [h, w]: the rows and columns of its box, `around` px more, and it in them."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(hole, connectivity=8)
    for part in range(1, count):
        own = Box(*stats[part, :4].tolist()).grow(around).clip(hole.shape).slices
        yield own, parts[own] == part


def _fill_part(
    rng: Rng, texture: Texture, grey: Texture, free: Marks, target: Region, missing: Marks, moved: Texture
) -> None:
    """Write texture [h, w, 3] from where it is free into one part of the hole; `moved` [H, W, 3] takes it."""
    ring = (masks.grow(missing, RING) != 0) & free[target]
    for _ in range(ROUNDS):
        sources = _draw_sources(rng, target, free.shape)
        scores = [_score(grey[source], free[source], grey[target], missing, ring) for source in sources]
        best = sources[max(range(len(sources)), key=scores.__getitem__)]
        covered = missing & free[best]
        moved[target][covered] = texture[best][covered]
        missing = missing & ~covered
        if not missing.any():
            return


def _draw_sources(rng: Rng, target: Region, size: tuple[int, ...]) -> list[Region]:
    """Draw regions as large as the target: a third straight above or below, a third straight beside (streaks go on there)."""
    height, width = (side.stop - side.start for side in target)
    sources: list[Region] = []
    for top, left in rng.integers((size[0] - height + 1, size[1] - width + 1), size=(CANDIDATES, 2)).tolist():
        rows, columns = slice(top, top + height), slice(left, left + width)
        sources.append(((rows, target[1]), (target[0], columns), (rows, columns))[len(sources) % 3])
    return sources


def _score(source: Texture, free: Marks, target: Texture, missing: Marks, ring: Marks) -> tuple[float, float]:
    """Return the share of the hole that a source [h, w] covers, in tenths, and how alike the surroundings look.

    Alike: the correlation on the ring, less how far the strengths are apart (log of their ratio).
    """
    covered = round(float((missing & free).sum() / missing.sum()), 1)
    both = ring & free
    if both.sum() < 2:
        return covered, -np.inf
    one, other = source[both], target[both]
    strength, others = float(one.std()) + 0.3, float(other.std()) + 0.3  # grey levels: flat surfaces are all alike
    covariance = float(((one - one.mean()) * (other - other.mean())).mean())
    return covered, covariance / (strength * others) - abs(math.log(strength / others))


TELEA = Erasing("telea", telea)


def with_erased(prepared: Prepared, erasing: Erasing, *, cache_root: Path, report: Report = silent) -> Prepared:
    """Erase the defects of all training images that hold any, and the void beside, or open the cache that holds them so.

    What an image becomes depends on it and its position alone, not on the order or the others.
    """

    def edit(position: int, pixels: Bytes) -> Bytes:
        whole = Box.of(pixels.shape)
        hole, void = masks.grow(prepared.hole(position, whole), GROW), prepared.void_in(position, whole)
        return fill_from_surface(erasing, streams.generator(0, "erase", position), pixels, hole, void)

    erased = open_cache(
        prepared.dataset, sorted(prepared.by_record), scale=prepared.scale, root=cache_root,
        edit=Edit(f"erased {erasing.name} {erasing.key} {GROW}", edit), report=report,
    )  # fmt: skip
    return dataclasses.replace(prepared, erased=erased)


def _smaller(window: int) -> str:
    """Return what trains on smaller windows than these."""
    return "coigan-aug train --recipe tiny" if window > SMALL else f"coigan-aug train --set data.window={SMALL // 2}"


def with_surface(prepared: Prepared, *, cache_root: Path, report: Report = silent) -> Prepared:
    """Take windows whose defects are erased for the clean ones, where the training images have none.

    Windows of which masks and the void beside cover more than a quarter are not taken, nor those with other void.

    Raises:
        DataError: all are.
    """
    if prepared.clean:
        return prepared
    erased = with_erased(prepared, TELEA, cache_root=cache_root, report=report)
    usable = [
        window
        for window in prepared.with_objects
        if (prepared.hole(window.position, window.box(prepared.window)) != 0).mean() <= MOST_ERASED
        and not prepared.void_left(window.position, window.box(prepared.window))
    ]
    if not usable:
        raise DataError(
            "No window of the training images is free of defects, and the defects cover too much of each to be erased.",
            remedy="Import defect-free images of the same surface, too (coigan-aug import ... --overwrite), or train on"
            f" smaller windows: {_smaller(prepared.window)}",
        )
    return dataclasses.replace(erased, clean=usable)
