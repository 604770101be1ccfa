"""Patches: pictures as squares round each of their pixels, the nearest ones among those of examples, and their vote.

The values compared are whole numbers, small enough that their sums are exact in single precision: what is nearest does not
depend on how a machine adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 7  # px of a patch, at every size
HALF = SIDE // 2
COMPLETE = 0.05  # alpha of the paper's equation 2: the smaller, the more every patch of the examples is made use of
MOST_KEYS = 3_000  # patches of the examples that each patch of the picture is compared with, where it is with all
SPREAD = 0.8  # px: how fast a patch's vote falls off from its middle; the wider, the smoother the result
STEPS, LARGEST = 32, 127  # of a unit in which values are compared: 4 units at most, so 196 squares stay below 2^24
_BLOCK = 1_024
_BARRED = np.float32(1e12)
_ROUND = np.array([(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)])
_JITTERS = (1, 3)  # px: how far from what was nearest it is looked for, too

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
Marks = NDArray[np.bool_]
Rng = np.random.Generator


@dataclass(frozen=True)
class Shelf:
    """What patches are taken from: examples one below another, [H, W, C + 1], the last channel being the depth.

    `starts` holds the first row of each, `allowed` marks the middles of patches that may be taken, [H, W], and `keys` lists
    these, (row, column), [M, 2].
    """

    values: Floats
    starts: Indices
    allowed: Marks
    keys: Indices


@dataclass(frozen=True)
class Canvas:
    """What is drawn at one size: the pixels that are, and the middles of the patches that they are made of, [N, 2].

    Middles lie on every `step`-th row and column. `base` [h, w, C] is what lies round what is drawn, `depth` [h, w] the guide.
    """

    base: Floats
    depth: Floats
    drawn: Marks
    middles: Indices
    step: int

    def owners(self) -> Indices:
        """Return for each pixel the number of the patch that it belongs to, [h, w]: the one up and left; -1 where none is."""
        owners = np.full((self.drawn.shape[0] + self.step, self.drawn.shape[1] + self.step), -1)
        rows, columns = self.middles.T
        for down in range(self.step):
            for right in range(self.step):
                owners[rows + down, columns + right] = np.arange(len(rows))
        return owners[: self.drawn.shape[0], : self.drawn.shape[1]]


def nearest_of_all(rng: Rng, picture: Floats, canvas: Canvas, shelf: Shelf) -> Indices:
    """Return for each patch of a picture [h, w, C] the middle of its nearest neighbour among all on the shelf: [N, 2].

    Distances are divided by how near a neighbour comes to any patch of the picture (Granot et al. 2022, equation 2), so
    that all of the examples shows. At most 3,000 patches of the shelf are looked at, drawn with `rng`.
    """
    keys = shelf.keys
    if len(keys) > MOST_KEYS:
        keys = keys[np.sort(rng.choice(len(keys), MOST_KEYS, replace=False))]
    values = _rounded(_patches(shelf.values)[keys[:, 0], keys[:, 1]]).reshape(len(keys), -1)
    lengths = (values * values).sum(axis=1)
    blocks = [canvas.middles[start : start + _BLOCK] for start in range(0, len(canvas.middles), _BLOCK)]
    view = _patches(np.dstack([picture, canvas.depth]))

    def distances(middles: Indices) -> Floats:
        queries = _rounded(view[middles[:, 0], middles[:, 1]]).reshape(len(middles), -1)
        squares = (queries * queries).sum(axis=1)[:, None] + lengths - 2 * (queries @ values.T)
        return np.asarray(np.maximum(squares, 0) / np.float32(queries.shape[1] * STEPS**2))

    nearest = np.full(len(keys), np.inf, np.float32)
    for middles in blocks:
        nearest = np.minimum(nearest, distances(middles).min(axis=0))
    weights = 1 / (COMPLETE + nearest)
    return keys[np.concatenate([(distances(middles) * weights).argmin(axis=1) for middles in blocks])]


def nearest_around(rng: Rng, picture: Floats, canvas: Canvas, shelf: Shelf, field: Indices) -> Indices:
    """Improve on `field` [N, 2], what was nearest: by the neighbours' neighbours, by near ones and by one from anywhere.

    Source: Barnes et al. 2009, "PatchMatch", all patches at once.
    """
    reach = canvas.step
    owners = np.pad(canvas.owners(), reach, constant_values=-1)
    view, shelved = _patches(np.dstack([picture, canvas.depth])), _patches(shelf.values)
    out = np.empty_like(field)
    for start in range(0, len(field), _BLOCK):
        own = slice(start, start + _BLOCK)
        middles, old = canvas.middles[own], field[own]
        places = [old]
        for step in _ROUND * canvas.step:
            beside = owners[tuple((middles + reach + step).T)]
            places.append(np.where(beside[:, None] < 0, old, field[beside] - step))
        places += [old + rng.integers(-far, far + 1, old.shape) for far in _JITTERS]
        places.append(shelf.keys[rng.integers(len(shelf.keys), size=len(old))])
        tried = np.clip(np.stack(places, axis=1), 0, np.array(shelf.allowed.shape) - 1)
        rows, columns = tried[..., 0], tried[..., 1]
        differences = _rounded(shelved[rows, columns]) - _rounded(view[middles[:, 0], middles[:, 1]])[:, None]
        distances = np.einsum("nkcyx,nkcyx->nk", differences, differences) + _BARRED * ~shelf.allowed[rows, columns]
        out[own] = tried[np.arange(len(old)), distances.argmin(axis=1)]
    return out


def finer(rng: Rng, field: Indices, last: tuple[Canvas, Shelf], now: tuple[Canvas, Shelf]) -> Indices:
    """Bring what was nearest at one size to a larger one; where that may not be taken stands one from anywhere: [N, 2]."""
    (coarse, old), (canvas, shelf) = last, now
    ratio = np.array(canvas.drawn.shape) / np.array(coarse.drawn.shape)
    before = np.clip(((canvas.middles + 0.5) / ratio).astype(int), 0, np.array(coarse.drawn.shape) - 1)
    owner = coarse.owners()[before[:, 0], before[:, 1]]
    source, middle = field[np.maximum(owner, 0)], coarse.middles[np.maximum(owner, 0)]
    example = np.searchsorted(old.starts, source[:, 0], side="right") - 1
    place = (source - _first(old, example) + 0.5) * ratio + canvas.middles - (middle + 0.5) * ratio
    place = np.rint(place).astype(int) + _first(shelf, example)
    place = np.clip(place, 0, np.array(shelf.allowed.shape) - 1)
    bad = (owner < 0) | ~shelf.allowed[place[:, 0], place[:, 1]]
    place[bad] = shelf.keys[rng.integers(len(shelf.keys), size=int(bad.sum()))]
    return np.asarray(place)


def voted(canvas: Canvas, shelf: Shelf, field: Indices) -> Floats:
    """Return the picture [h, w, C] that patches of the shelf agree on: each pixel the mean of those over it."""
    channels = canvas.base.shape[2]
    total, weight = np.zeros_like(canvas.base), np.zeros(canvas.drawn.shape, np.float32)
    offsets = np.arange(-HALF, HALF + 1)
    fall = np.exp(-(offsets**2) / (2 * SPREAD**2)).astype(np.float32)
    (rows, columns), (from_rows, from_columns) = canvas.middles.T, field.T
    for down, across in np.ndindex(SIDE, SIDE):
        share, y, x = fall[down] * fall[across], offsets[down], offsets[across]
        total[rows + y, columns + x] += share * shelf.values[from_rows + y, from_columns + x, :channels]
        weight[rows + y, columns + x] += share
    mean = total / np.maximum(weight, 1e-12)[..., None]
    return np.asarray(np.where((canvas.drawn & (weight > 0))[..., None], mean, canvas.base), np.float32)


def copied(canvas: Canvas, shelf: Shelf, field: Indices) -> Floats:
    """Return the picture [h, w, C] with the very pixels that each patch has at its middle: as grainy as the examples."""
    owners, out = canvas.owners(), canvas.base.copy()
    places = np.argwhere(canvas.drawn & (owners >= 0))
    owner = owners[places[:, 0], places[:, 1]]
    source = field[owner] + places - canvas.middles[owner]
    out[places[:, 0], places[:, 1]] = shelf.values[source[:, 0], source[:, 1], : out.shape[2]]
    return out


def _patches(picture: Floats) -> Floats:
    """View a picture [h, w, C] as the patches round its pixels, [h, w, C, SIDE, SIDE], 0 beyond its edges."""
    padded = np.pad(picture, ((HALF, HALF), (HALF, HALF), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(0, 1))


def _rounded(values: Floats) -> Floats:
    return np.clip(np.rint(values * np.float32(STEPS)), -LARGEST, LARGEST)


def _first(shelf: Shelf, example: Indices) -> Indices:
    return np.stack([shelf.starts[example], np.zeros_like(example)], axis=1)
