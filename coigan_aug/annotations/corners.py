"""Outlines for readers of COCO: along the pixels' corners, not through their centres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.polygons import trace_centres
from coigan_aug.annotations.rle import Rle, Runs

Outline = NDArray[np.int32]
_DIRECTIONS = np.array([[1, 0, 7], [2, 7, 6], [3, 4, 5]])  # of a step (dy + 1, dx + 1); no step: a pixel alone
_SIDE_BEGINS = np.array([[1, 0], [0, 0], [0, 1], [1, 1]], np.int32)  # where the sides N, W, S, E begin, as (dx, dy)


def trace_corners(mask: Rle) -> list[Outline]:
    """Trace a mask into polygons [n, 2] of (x, y) pixel corners; their union by `fill_coco` (pycocotools) is the mask again.

    Neighbouring vertices differ in one coordinate. A part with holes is cut as `trace_centres` does; the pieces lie side
    by side, so that readers who fill each alone and readers who count crossings see the same.

    >>> from coigan_aug.annotations import rle
    >>> trace_corners(rle.encode(np.array([[0, 1, 1]])))[0].tolist()
    [[1, 0], [1, 1], [3, 1], [3, 0]]
    """
    outlines = [_every_pixel(outline) for outline in trace_centres(mask)]
    return _corners(outlines) if outlines else []


def turning_points(outline: Outline) -> Outline:
    """Leave out the points of a closed outline that lie between two steps of one direction; at least 3 stay.

    >>> turning_points(np.array([[0, 0], [0, 1], [0, 2], [1, 2], [1, 1], [1, 0]], np.int32)).tolist()
    [[0, 0], [0, 2], [1, 2], [1, 0]]
    """
    steps = np.diff(outline, axis=0, append=outline[:1])
    before = np.concatenate([steps[-1:], steps[:-1]])
    turns = (steps != before).any(axis=1)
    return outline[turns] if turns.sum() >= 3 else outline


def _every_pixel(outline: Outline) -> Outline:
    """Return all pixels of a closed outline, each once where it is passed; a pixel alone once."""
    steps = np.diff(outline, axis=0, append=outline[:1])
    count = np.abs(steps).max(axis=1)
    if count.max() == 0:
        return outline[:1]
    owner = np.repeat(np.arange(len(outline)), count)
    nth = np.arange(len(owner)) - (np.cumsum(count) - count)[owner]
    return np.asarray(outline[owner] + np.sign(steps)[owner] * nth[:, None], dtype=np.int32)


def _corners(outlines: list[Outline]) -> list[Outline]:
    """Turn the pixels of outlines, counter-clockwise as seen, into the corners that a walk on their free sides turns at.

    Round a pixel the directions are counted N 0, NW 1, W 2, ... NE 7. Between where the outline comes from and where it
    goes to, in that order, the neighbours are free: the even ones of them are the sides to walk along.
    """
    lengths = np.array([len(outline) for outline in outlines])
    pixels, first = np.concatenate(outlines), np.cumsum(lengths) - lengths
    steps = _following(pixels, first) - pixels
    towards = _DIRECTIONS[steps[:, 1] + 1, steps[:, 0] + 1]
    begin = (_before(towards, first) + 4) % 8  # the way back to the pixel before
    begin[first[lengths == 1]] = towards[first[lengths == 1]]  # a pixel alone: all the way round
    end = begin + (towards - begin - 1) % 8 + 1
    side = begin + 2 - begin % 2
    count = np.maximum((end - side + 1) // 2, 0)
    owner = np.repeat(np.arange(len(pixels)), count)
    sides = (side[owner] + 2 * (np.arange(len(owner)) - (np.cumsum(count) - count)[owner])) % 8 // 2
    number = np.add.reduceat(count, first)
    turns = sides != _before(sides, np.cumsum(number) - number)
    corners = pixels[owner[turns]] + _SIDE_BEGINS[sides[turns]]
    return np.split(corners, np.cumsum(np.add.reduceat(turns, np.cumsum(number) - number))[:-1])


def _before(values: Runs, first: Runs) -> Runs:
    """Return for each value of closed rows the one before; rows begin at `first`."""
    found = np.concatenate([values[-1:], values[:-1]])
    found[first] = values[np.append(first[1:], len(values)) - 1]
    return found


def _following(points: Outline, first: Runs) -> Outline:
    """Return for each point of closed rows the one after; rows begin at `first`."""
    found = np.concatenate([points[1:], points[:1]])
    found[np.append(first[1:], len(points)) - 1] = points[first]
    return found
