"""Where an object goes: inside the canvas, never on another, never on what is blocked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask

TRIES = 8


def fit(rng: np.random.Generator, mask: Mask, *, height: int, width: int) -> tuple[slice, slice]:
    """Choose the part of an object's mask [h, w] that fits into height x width: rows and columns of it, not empty.

    An object that is larger than the canvas is cut at a random place that holds some of it (thesis 4.3.3).
    """
    rows, columns = np.nonzero(mask)
    k = int(rng.integers(len(rows)))
    return _around(rng, mask.shape[0], height, int(rows[k])), _around(rng, mask.shape[1], width, int(columns[k]))


def _around(rng: np.random.Generator, length: int, room: int, point: int) -> slice:
    if length <= room:
        return slice(0, length)
    low, high = max(0, point - room + 1), min(point, length - room)
    start = int(rng.integers(low, high + 1))
    return slice(start, start + room)


def find_place(
    rng: np.random.Generator, mask: Mask, blocked: NDArray[np.bool_], *, near: tuple[float, float] | None = None
) -> tuple[int, int] | None:
    """Find a (left, top) where a mask [h, w] lies inside `blocked` [H, W] and meets none of it; None where none is found.

    Uniform at first try and then uniform again; with `near`, a share (x, y) of the free room in 0..1, the tries spread
    out from there: the standard deviation grows from 5 % of the room to all of it.
    """
    room_x, room_y = blocked.shape[1] - mask.shape[1], blocked.shape[0] - mask.shape[0]
    if room_x < 0 or room_y < 0:
        return None
    solid = mask != 0
    for attempt in range(TRIES):
        left, top = _draw(rng, room_x, room_y, near, spread=0.05 * (1 + 2 * attempt))
        if not (blocked[top : top + mask.shape[0], left : left + mask.shape[1]] & solid).any():
            return left, top
    return None


def _draw(
    rng: np.random.Generator, room_x: int, room_y: int, near: tuple[float, float] | None, *, spread: float
) -> tuple[int, int]:
    if near is None:
        return int(rng.integers(room_x + 1)), int(rng.integers(room_y + 1))
    share_x, share_y = (_beside(rng, share, spread) for share in near)
    return round(share_x * room_x), round(share_y * room_y)


def _beside(rng: np.random.Generator, share: float, spread: float) -> float:
    """Draw beside a share in 0..1; a defect at an edge (0 or 1) stays at that edge."""
    drawn = float(np.clip(rng.normal(share, spread), 0, 1))
    return share if share in (0.0, 1.0) else drawn
