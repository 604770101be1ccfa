"""Placing a mask: candidates round a proposed place, those that are allowed, and of these the best. Full-size pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask
from coigan_aug.geometry import Box
from coigan_aug.places.room import Field, Numbers, RelativePlace, Room, outline_points

Shares = NDArray[np.float64]
At = tuple[int, int]
CANDIDATES = 32
_SPREADS = (1.0, 2.0, 4.0)  # blurs within which candidates are drawn, one after the other; then anywhere


def put(
    rng: np.random.Generator,
    mask: Mask,
    allowed: NDArray[np.bool_],
    room: Room,
    *,
    proposal: RelativePlace,
    blur: tuple[float, float],
) -> tuple[At | None, At | None]:
    """Find a (left, top) for a tight mask [h, w], wholly inside `allowed` [H, W], as near as may be to a proposed place.

    Of the candidates in one ring round the place the best is taken: what touches the proposed sides of the part and no
    other, then what is as far from the part's edge as proposed. The next ring is tried where none of the first is right.

    Args:
        blur: standard deviation of the first ring, shares of the free room (x, y).

    Returns:
        (left, top) of a place that touches the part's edge, or does not, as the proposal does; and of one that differs in
        this, to fall back on. None where there is none.
    """
    if mask.shape[0] > room.height or mask.shape[1] > room.width:
        return None, None
    shape, spare = _shape(mask, allowed), None
    for lefts, tops in _candidates(rng, blur, proposal, room, shape):
        exact, other = _best(shape, room, proposal, lefts, tops)
        if exact is not None:
            return exact, None
        spare = spare or other
    return None, spare


def _candidates(
    rng: np.random.Generator, blur: tuple[float, float], proposal: RelativePlace, room: Room, shape: _Shape
) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield places, lefts and tops, round the proposed one, further and further away, and at last anywhere."""
    for spread in _SPREADS:
        shares = (
            _folded(rng.normal(share, spread * width, CANDIDATES))
            for share, width in zip((proposal.x, proposal.y), blur, strict=True)
        )
        yield from _starts(rng, shape, room, proposal, *shares)
    yield from _starts(rng, shape, room, proposal, *rng.random((2, 4 * CANDIDATES)))
    reach = shape.reach
    if reach.width >= shape.width and reach.height >= shape.height:
        lefts, tops = (reach.left, reach.right - shape.width + 1), (reach.top, reach.bottom - shape.height + 1)
        yield rng.integers(*lefts, 4 * CANDIDATES), rng.integers(*tops, 4 * CANDIDATES)


@dataclass(frozen=True, eq=False)
class _Shape:
    """A tight mask to be placed: the pixels of its outline, and where it may lie."""

    mask: Mask
    rows: Numbers
    columns: Numbers
    allowed: NDArray[np.bool_]

    @cached_property
    def reach(self) -> Box:
        """The box of all that is allowed."""
        return Box(*cv2.boundingRect(self.allowed.astype(np.uint8)))

    @property
    def height(self) -> int:
        return self.mask.shape[0]

    @property
    def width(self) -> int:
        return self.mask.shape[1]

    def open(self, lefts: Numbers, tops: Numbers) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell at which places the whole box is allowed, and at which the outline is: bool [n] each."""
        places = zip(lefts.tolist(), tops.tolist(), strict=True)
        boxes = [self.allowed[top : top + self.height, left : left + self.width].all() for left, top in places]
        free = np.array(boxes, bool)
        outline = free.copy()
        some = np.flatnonzero(~free)
        outline[some] = self.allowed[tops[some, None] + self.rows, lefts[some, None] + self.columns].all(axis=1)
        return free, outline

    def fits(self, left: int, top: int) -> bool:
        """Tell whether every pixel of the mask is allowed at a place."""
        under = self.allowed[top : top + self.height, left : left + self.width]
        return bool(under[self.mask != 0].all())


def _shape(mask: Mask, allowed: NDArray[np.bool_]) -> _Shape:
    rows, columns = outline_points(mask)
    return _Shape(mask, rows, columns, allowed)


def _starts(
    rng: np.random.Generator, shape: _Shape, room: Room, proposal: RelativePlace, across: Shares, down: Shares
) -> Iterator[tuple[Numbers, Numbers]]:
    """Turn shares of the free room into places; with an edge to touch they are at it, and pushed against the part's edge."""
    starts = []
    free, size = room.free((shape.height, shape.width)), (room.width - shape.width, room.height - shape.height)
    for axis, shares in enumerate((across, down)):
        at_edge = _at_edges(rng, shares, first=proposal.edges[axis], last=proposal.edges[axis + 2])
        start = room.box[axis] + np.rint(at_edge * free[axis]).astype(np.int64)
        starts.append(np.clip(start, 0, size[axis]))
    yield starts[0], starts[1]
    if proposal.touches and room.depth is not None:
        yield _pushed(shape, room, room.depth, *starts)


def _at_edges(rng: np.random.Generator, shares: Shares, *, first: bool, last: bool) -> Shares:
    """Put what touches an edge at it; what touches both, and has room to move here, at either."""
    if not first and not last:
        return shares
    sides = rng.integers(0, 2, len(shares)) if first and last else np.full(len(shares), int(last))
    return sides.astype(np.float64)


def _pushed(shape: _Shape, room: Room, depth: Field, lefts: Numbers, tops: Numbers) -> tuple[Numbers, Numbers]:
    """Move a mask from each place towards the part's edge that is nearest, until it touches it: down the slope of the depth."""
    for _ in range(2):
        rows, columns = tops[:, None] + shape.rows, lefts[:, None] + shape.columns
        nearest = np.argmin(depth[rows, columns], axis=1)[:, None]
        y, x = (np.take_along_axis(points, nearest, axis=1)[:, 0] for points in (rows, columns))
        slope_y = depth[np.minimum(y + 1, room.height - 1), x] - depth[np.maximum(y - 1, 0), x]
        slope_x = depth[y, np.minimum(x + 1, room.width - 1)] - depth[y, np.maximum(x - 1, 0)]
        step = depth[y, x] / np.maximum(np.hypot(slope_x, slope_y), 1e-6)
        lefts = np.clip(lefts - np.rint(step * slope_x).astype(np.int64), 0, room.width - shape.width)
        tops = np.clip(tops - np.rint(step * slope_y).astype(np.int64), 0, room.height - shape.height)
    return lefts, tops


def _best(
    shape: _Shape, room: Room, proposal: RelativePlace, lefts: Numbers, tops: Numbers
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return, of the allowed places, the best that touches an edge or none as the proposal does, and the best other one.

    Better is what touches more of the proposed sides and no other, then what is nearer to the proposed distance.
    """
    free, outline = shape.open(lefts, tops)
    lefts, tops, free = lefts[outline], tops[outline], free[outline]
    distances = room.distances(shape.mask, lefts, tops)
    edges = room.edges((shape.height, shape.width), lefts, tops)
    wrong = (edges != np.array(proposal.edges)).sum(axis=1)
    order = np.lexsort((np.abs(distances - proposal.relative * room.short), wrong))
    right = (distances < room.slack) == proposal.touches
    corners = []
    for kind in (right, ~right):
        ranked = (k for k in order[kind[order]] if free[k] or shape.fits(int(lefts[k]), int(tops[k])))
        best = next(ranked, None)
        corners.append(None if best is None else (int(lefts[best]), int(tops[best])))
    return corners[0], corners[1]


def _folded(shares: Shares) -> Shares:
    """Fold shares back into 0..1 at its ends, so that a density keeps its mass and its height there."""
    around = np.abs(shares) % 2
    return np.minimum(around, 2 - around)
