"""Erasing a defect by classical inpainting: the paired sample's 'before' picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import masks

BAND = 4.0  # px; what a Gaussian of this width takes away is texture, and is moved; the rest flows in from the border
RING = 2  # px round a hole, by which textures are compared
CANDIDATES = 33
ROUNDS = 4

Rng = np.random.Generator
Bytes = NDArray[np.uint8]
Texture = NDArray[np.float32]
Marks = NDArray[np.bool_]
Place = tuple[slice, slice]


def erase(rng: Rng, pixels: Bytes, mask: Bytes, *, grow: int) -> Bytes:
    """Fill a mask [h, w] of an image [h, w, 3] from its surroundings: uint8 [h, w, 3]; outside the mask nothing changes.

    The colour flows in from the border (Telea 2004), with texture of the surroundings on it.

    Args:
        grow: the hole is this much larger than the mask, px, so that a soft edge of the defect goes too.
    """
    hole = masks.grow(mask, grow)
    if not hole.any() or hole.all():
        return pixels.copy()
    filled = np.asarray(cv2.inpaint(np.ascontiguousarray(pixels), hole, 3, cv2.INPAINT_TELEA), np.float32)
    return with_texture(rng, pixels, filled, hole)


def with_texture(rng: Rng, pixels: Bytes, filled: Texture, hole: Bytes) -> Bytes:
    """Put a fill [h, w, 3], smoothed, into the hole [h, w] of an image [h, w, 3], and texture on it.

    The texture comes from elsewhere in the image, because a smooth patch would tell the generator where to draw. Each
    part of the hole takes it from one place, whose surroundings look most like its own; more where one does not cover it.
    """
    smooth = cv2.GaussianBlur(filled, (0, 0), BAND)
    texture = (pixels - smooth) * (hole == 0)[..., None]
    moved = np.zeros_like(texture)
    count, parts = cv2.connectedComponents(hole, connectivity=8)
    for part in range(1, count):
        _fill_part(rng, texture, hole, parts == part, moved)
    out = np.clip(np.rint(smooth + moved), 0, 255).astype(np.uint8)
    return np.where(hole[..., None] != 0, out, pixels)


def _fill_part(rng: Rng, texture: Texture, hole: Bytes, part: Marks, moved: Texture) -> None:
    """Write texture [h, w, 3] from outside the hole into one part of it."""
    rows, columns = (_extent(part.any(axis=1 - axis), part.shape[axis]) for axis in (0, 1))
    open_, free, grey = part[rows, columns].copy(), hole == 0, texture.mean(axis=2)
    ring = (masks.grow(open_, RING) != 0) & free[rows, columns]
    for _ in range(ROUNDS):
        places = _places(rng, (rows, columns), part.shape)
        scores = [_score(grey[place], free[place], grey[rows, columns], open_, ring) for place in places]
        place = places[max(range(len(places)), key=scores.__getitem__)]
        found = open_ & free[place]
        moved[rows, columns][found] = texture[place][found]
        open_ &= ~found
        if not open_.any():
            return


def _extent(used: Marks, room: int) -> slice:
    first, last = np.flatnonzero(used)[[0, -1]]
    return slice(max(int(first) - RING, 0), min(int(last) + 1 + RING, room))


def _places(rng: Rng, own: Place, room: tuple[int, ...]) -> list[Place]:
    """Draw places of the same size: one third straight above or below, one third straight beside (streaks go on there)."""
    height, width = (side.stop - side.start for side in own)
    found = []
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
