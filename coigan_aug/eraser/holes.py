"""What an eraser is trained on: clean training windows with holes whose size grows along the training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.rle import Mask, decode_box
from coigan_aug.compose.placement import fit
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.prepared import Prepared

SMALLEST, LARGEST = 0.15, 0.8  # sides of the largest hole at the beginning and at the end, in windows
MOST = 0.4  # of a window may be holes; the first may be larger
GROWN = (1, 3)  # px that a real object's mask is grown by, least and most

Rng = np.random.Generator


@dataclass(frozen=True)
class Holes:
    """The stream of `count` examples that `seed` names: sample n is the same in any order."""

    prepared: Prepared
    seed: int
    count: int

    def __getitem__(self, index: int) -> tuple[Pixels, Mask]:
        """Return a clean window, uint8 [S, S, 3], and the holes to fill in it, uint8 [S, S] of 0 and 1."""
        rng = streams.generator(self.seed, "eraser", index)
        pixels = _clean(self.prepared, rng)
        limit = SMALLEST + (LARGEST - SMALLEST) * index / self.count
        return pixels, _holes(self.prepared, rng, side=max(round(limit * self.prepared.window), 2))


def _clean(prepared: Prepared, rng: Rng) -> Pixels:
    """Cut a clean window: shifted by up to a quarter in an image without defects, else as the windows were cut.

    It is never mirrored, so that light from one side stays there.
    """
    side = prepared.window
    window = prepared.clean[int(rng.integers(len(prepared.clean)))]
    left, top = window.left, window.top
    if not prepared.by_record.get(window.position):
        height, width = prepared.cache[window.position].shape[:2]
        reach = side // 4
        left = int(np.clip(left + rng.integers(-reach, reach + 1), 0, max(width - side, 0)))
        top = int(np.clip(top + rng.integers(-reach, reach + 1), 0, max(height - side, 0)))
    return prepared.pixels(window.position, Box(left, top, side, side))


def _holes(prepared: Prepared, rng: Rng, *, side: int) -> Mask:
    """Draw up to four holes of at most `side` px each, as long as they cover no more than MOST of a window together."""
    window = prepared.window
    out = np.zeros((window, window), np.uint8)
    for _ in range(4):
        shape = _rectangle(rng, side) if rng.random() < 0.5 else _shape(prepared, rng, side)
        left, top = (int(rng.integers(window - length + 1)) for length in shape.shape[::-1])
        more = out.copy()
        more[top : top + shape.shape[0], left : left + shape.shape[1]] |= shape
        out = more if not out.any() or more.mean() <= MOST else out
    return out


def _rectangle(rng: Rng, side: int) -> Mask:
    return np.ones(rng.integers(1, side + 1, 2).tolist(), np.uint8)


def _shape(prepared: Prepared, rng: Rng, side: int) -> Mask:
    labels = [k for k, members in enumerate(prepared.by_class) if members]
    members = prepared.by_class[labels[int(rng.integers(len(labels)))]]
    item = prepared.objects[members[int(rng.integers(len(members)))]]
    mask = np.rot90(decode_box(item.scaled, item.box), int(rng.integers(4)))
    more = int(rng.integers(GROWN[0], GROWN[1] + 1))
    rows, columns = fit(rng, mask, height=max(side - 2 * more, 1), width=max(side - 2 * more, 1))
    return grow(np.pad(mask[rows, columns], more), more)[:side, :side]
