"""Outlines for readers of COCO: along the pixels' corners, not through their centres."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.polygons import trace_centres_many
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
    return next(trace_corners_many([mask]))


def trace_corners_many(masks: Sequence[Rle]) -> Iterator[list[Outline]]:
    """Trace masks one after the other, as `trace_corners` does; memory grows with the length of all outlines."""
    return _traced(masks, _corners)


def trace_turns_many(masks: Sequence[Rle]) -> Iterator[list[Outline]]:
    """Trace masks one after the other, as `trace_centres` does, but for points on straight lines: see `turning_points`."""
    return _traced(masks, turning_points)


def _traced(masks: Sequence[Rle], work: Callable[[list[Outline]], list[Outline]]) -> Iterator[list[Outline]]:
    """Trace masks through pixel centres, do `work` on all outlines at once, and give each mask its own back."""
    of_masks = list(trace_centres_many(masks))
    done = iter(work([outline for outlines in of_masks for outline in outlines]))
    for outlines in of_masks:
        yield [next(done) for _ in outlines]


def turning_points(outlines: list[Outline]) -> list[Outline]:
    """Leave out the points of closed outlines that lie between two steps of one direction; at least 3 of each stay.

    >>> turning_points([np.array([[0, 0], [0, 1], [0, 2], [1, 2], [1, 1], [1, 0]], np.int32)])[0].tolist()
    [[0, 0], [0, 2], [1, 2], [1, 0]]
    """
    if not outlines:
        return []
    points, first = _joined(outlines)
    steps = _following(points, first) - points
    turns = (steps != _before(steps, first)).any(axis=1)
    few = np.add.reduceat(turns, first, dtype=np.int64) < 3
    turns |= np.repeat(few, [len(outline) for outline in outlines])
    return _parted(points[turns], np.add.reduceat(turns, first, dtype=np.int64))


def _joined(outlines: list[Outline]) -> tuple[Outline, Runs]:
    """Return the points of outlines one after the other, and where each outline begins."""
    lengths = np.array([len(outline) for outline in outlines])
    return np.concatenate(outlines), np.cumsum(lengths) - lengths


def _parted(points: Outline, lengths: Runs) -> list[Outline]:
    ends = np.cumsum(lengths).tolist()
    return [points[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _every_pixel(outlines: list[Outline]) -> tuple[Outline, Runs]:
    """Return all pixels of closed outlines, each once where it is passed, a pixel alone once; and how many of each."""
    points, first = _joined(outlines)
    steps = _following(points, first) - points
    count = np.abs(steps).max(axis=1)
    count[first[np.add.reduceat(count, first) == 0]] = 1
    owner = np.repeat(np.arange(len(points)), count)
    nth = np.arange(len(owner)) - (np.cumsum(count) - count)[owner]
    pixels = points[owner] + np.sign(steps)[owner] * nth[:, None]
    return pixels.astype(np.int32), np.add.reduceat(count, first, dtype=np.int64)


def _corners(outlines: list[Outline]) -> list[Outline]:
    """Turn outlines, counter-clockwise as seen, into the corners that a walk on their pixels' free sides turns at.

    Round a pixel the directions are counted N 0, NW 1, W 2, ... NE 7. Between where the outline comes from and where it
    goes to, in that order, the neighbours are free: the even ones of them are the sides to walk along.
    """
    if not outlines:
        return []
    pixels, lengths = _every_pixel(outlines)
    first = np.cumsum(lengths) - lengths
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
    return _parted(corners, np.add.reduceat(turns, np.cumsum(number) - number, dtype=np.int64))


def _before(values: Runs, first: Runs) -> Runs:
    """Return for each value of closed rows the one before; rows begin at `first`."""
    before = np.concatenate([values[-1:], values[:-1]])
    before[first] = values[np.append(first[1:], len(values)) - 1]
    return before


def _following(points: Outline, first: Runs) -> Outline:
    """Return for each point of closed rows the one after; rows begin at `first`."""
    after = np.concatenate([points[1:], points[:1]])
    after[np.append(first[1:], len(points)) - 1] = points[first]
    return after
