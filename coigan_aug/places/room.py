"""The room on a part: where in it a mask lies, and how far from its edge. Full-size pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import depths
from coigan_aug.annotations.rle import Mask
from coigan_aug.geometry import Box

Field = NDArray[np.float32]
Numbers = NDArray[np.int64]
Edges = tuple[bool, bool, bool, bool]
_POINTS = 2_000  # of a mask's outline that are looked at, at most


@dataclass(frozen=True, slots=True)
class RelativePlace:
    """Where an object lies, relative to its part.

    `x`, `y`: shares of the free room in the part's box, 0 at its left or top edge, 1 at its right or bottom edge, 0.5
    where the object fills it. `distance`: to the part's edge, px, 0 where it touches; `relative`: the same over the
    part's shorter side. `edges`: the sides of the part's box that it touches: left, top, right, bottom. `touches`: whether
    it touches the part's edge, wherever that is.
    """

    x: float
    y: float
    distance: float
    relative: float
    edges: Edges
    touches: bool

    def mirrored(self, *, x: bool, y: bool) -> RelativePlace:
        """Return the place in the mirrored image: left and right changed with `x`, top and bottom with `y`."""
        left, top, right, bottom = self.edges
        left, right = (right, left) if x else (left, right)
        top, bottom = (bottom, top) if y else (top, bottom)
        across, down = (1 - self.x if x else self.x), (1 - self.y if y else self.y)
        return RelativePlace(across, down, self.distance, self.relative, (left, top, right, bottom), self.touches)


@dataclass(frozen=True, eq=False)
class Room:
    """A part in an image of `height` x `width`: its box, and how far each of its pixels lies from its edge.

    `depth` [H, W] is 0 on the pixels along the edge (the image's frame is one) and off the part; None where the part is the
    whole image. What is nearer than `slack` px to an edge touches it.
    """

    height: int
    width: int
    box: Box
    depth: Field | None
    slack: float

    @property
    def short(self) -> int:
        """The shorter side of the part's box, px."""
        return self.box.shorter

    def free(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return how far a mask of that height and width can move inside the part's box, across and down; at least 0."""
        return max(self.box.width - shape[1], 0), max(self.box.height - shape[0], 0)

    def distances(self, mask: Mask, lefts: Numbers, tops: Numbers) -> Field:
        """Return how far a tight mask [h, w] is from the part's edge, put at each of these places: float32 [n].

        On the way inwards from any edge the depth only grows, so the nearest pixel is on the mask's outline.
        """
        height, width = mask.shape
        if self.depth is None:
            sides = (lefts, tops, self.width - width - lefts, self.height - height - tops)
            return np.asarray(np.minimum.reduce(sides), np.float32)
        rows, columns = outline_points(mask)
        return np.asarray(self.depth[tops[:, None] + rows, lefts[:, None] + columns].min(axis=1), np.float32)

    def edges(self, shape: tuple[int, int], lefts: Numbers, tops: Numbers) -> NDArray[np.bool_]:
        """Tell which sides of the part's box (left, top, right, bottom) a tight mask touches at each place: bool [n, 4]."""
        box = self.box
        gaps = (lefts - box.left, tops - box.top, box.right - shape[1] - lefts, box.bottom - shape[0] - tops)
        return np.stack(gaps, axis=1) < self.slack

    def place(self, mask: Mask, *, left: int, top: int) -> RelativePlace:
        """Measure where a tight mask [h, w] lies that is put at (left, top)."""
        at = np.array([left]), np.array([top])
        distance = float(self.distances(mask, *at)[0])
        sides = [bool(side) for side in self.edges((mask.shape[0], mask.shape[1]), *at)[0]]
        across, down = self.free((mask.shape[0], mask.shape[1]))
        return RelativePlace(
            x=_share(left - self.box.left, across, sides[0], sides[2]),
            y=_share(top - self.box.top, down, sides[1], sides[3]),
            distance=distance,
            relative=distance / max(self.short, 1),
            edges=(sides[0], sides[1], sides[2], sides[3]),
            touches=distance < self.slack,
        )


def whole_room(height: int, width: int) -> Room:
    """Return the room in an image that is all part."""
    return Room(height, width, Box.of((height, width)), None, 2.0)


def room_of(part: Mask, *, scale: float) -> Room:
    """Measure the room on a part, uint8 [H, W], that was found at the working scale `scale`.

    The image's frame is known to the pixel; an edge seen in pixels of the working scale is known to one of those.
    """
    height, width = part.shape
    if part.all() or not part.any():
        return whole_room(height, width)
    padded = cv2.copyMakeBorder((part != 0).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = depths(padded)[1:-1, 1:-1].astype(np.float32) - 1
    return Room(height, width, Box(*cv2.boundingRect(part)), np.maximum(depth, 0), 1 + 1 / scale)


def outline_points(mask: Mask) -> tuple[Numbers, Numbers]:
    """Return the rows and columns of the pixels along the outline of a tight mask [h, w], evenly thinned to 2,000."""
    solid = cv2.copyMakeBorder((mask != 0).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.erode(solid, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((solid - inside)[1:-1, 1:-1])
    step = -(-len(rows) // _POINTS)
    return rows[::step], columns[::step]


def _share(start: int, free: int, first: bool, last: bool) -> float:
    """Return where an extent lies in its free room: exactly 0 or 1 where it touches one side, 0.5 where both."""
    if first == last:
        return min(max(start / free, 0.0), 1.0) if free > 0 and not first else 0.5
    return 0.0 if first else 1.0
