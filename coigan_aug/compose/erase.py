"""Erasing a defect: the paired sample's 'before' picture, and an image with defects as one without."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import masks
from coigan_aug.geometry import Box

GROW = 1  # px at the working scale: the hole is larger than the mask by it, so that a soft edge of the defect goes too
BAND = 4.0  # px; what a Gaussian of this width takes away is texture, and is moved; the rest flows in from the border
RING = 2  # px round a hole, by which textures are compared
CANDIDATES = 33
ROUNDS = 4

Rng = np.random.Generator
Bytes = NDArray[np.uint8]
Texture = NDArray[np.float32]
Marks = NDArray[np.bool_]
Place = tuple[slice, slice]


@dataclass(frozen=True)
class Erasing:
    """A way to erase defects: its name, and what fills a hole [h, w] of an image [h, w, 3] and changes nothing else.

    `key` tells its results from those of others of the same name.
    """

    name: str
    fill: Callable[[Rng, Bytes, Bytes], Bytes]
    key: str = ""


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
    for own, part in holes(hole, around=RING):
        _fill_part(rng, texture, grey, hole == 0, own, part, moved)
    out = np.clip(np.rint(smooth + moved), 0, 255).astype(np.uint8)
    return np.where(hole[..., None] != 0, out, pixels)


def holes(hole: Bytes, *, around: int) -> Iterator[tuple[Place, Marks]]:
    """Yield the 8-connected parts of a hole [h, w]: the rows and columns of its box, `around` px more, and it in them."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(hole, connectivity=8)
    for part in range(1, count):
        own = Box(*stats[part, :4].tolist()).grow(around).clip(hole.shape).slices
        yield own, parts[own] == part


def _fill_part(
    rng: Rng, texture: Texture, grey: Texture, free: Marks, own: Place, open_: Marks, moved: Texture
) -> None:
    """Write texture [h, w, 3] from where it is free into one part of the hole."""
    ring = (masks.grow(open_, RING) != 0) & free[own]
    for _ in range(ROUNDS):
        places = _places(rng, own, free.shape)
        scores = [_score(grey[place], free[place], grey[own], open_, ring) for place in places]
        place = places[max(range(len(places)), key=scores.__getitem__)]
        found = open_ & free[place]
        moved[own][found] = texture[place][found]
        open_ = open_ & ~found
        if not open_.any():
            return


def _places(rng: Rng, own: Place, room: tuple[int, ...]) -> list[Place]:
    """Draw places of the same size: one third straight above or below, one third straight beside (streaks go on there)."""
    height, width = (side.stop - side.start for side in own)
    found: list[Place] = []
    for top, left in rng.integers((room[0] - height + 1, room[1] - width + 1), size=(CANDIDATES, 2)).tolist():
        rows, columns = slice(top, top + height), slice(left, left + width)
        found.append(((rows, own[1]), (own[0], columns), (rows, columns))[len(found) % 3])
    return found


def _score(source: Texture, free: Marks, own: Texture, open_: Marks, ring: Marks) -> tuple[float, float]:
    """Return the share of the hole that a place [h, w] covers, in tenths, and how alike the surroundings look.

    Alike: the correlation on the ring, less how far the strengths are apart (log of their ratio).
    """
    covered = round(float((open_ & free).sum() / open_.sum()), 1)
    both = ring & free
    if both.sum() < 2:
        return covered, -np.inf
    one, other = source[both], own[both]
    strength, others = float(one.std()) + 0.3, float(other.std()) + 0.3
    together = float(((one - one.mean()) * (other - other.mean())).mean())
    return covered, together / (strength * others) - abs(math.log(strength / others))


TELEA = Erasing("telea", telea)
