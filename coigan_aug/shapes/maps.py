"""Masks as small square maps of signed distance, whatever their size and aspect, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask
from coigan_aug.compose.augment import tight
from coigan_aug.geometry import Box
from coigan_aug.shapes.cover import largest_piece, solid
from coigan_aug.shapes.forms import Edges, Form
from coigan_aug.shapes.recombine import signed_distance
from coigan_aug.shapes.warp import warp_tight
from coigan_aug.shapes.warped import rotation

BOX, MARGIN = 32, 4  # px of a map: what a mask's box is stretched to, and what lies round it
SIDE = BOX + 2 * MARGIN
REACH = 5.0  # px of a map: distance that is 1 in it; larger ones too
EDGES, FEATURES = 4, 6  # numbers of `Known.features`: the first ones are the edges
FINE = 3  # times finer than a map are the masks that its distances are measured on
SMOOTH = 0.5  # px: what the steps of a mask's rim are smoothed by before it is enlarged

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Known:
    """What is known of a shape: its class, the edges that it touches, width and height of its box, px."""

    label: int
    edges: Edges
    width: float
    height: float

    def features(self) -> NDArray[np.float32]:
        """Return the edges, the logarithms of size and aspect, at a scale of about 1: float32 [6]."""
        size, aspect = math.log(self.width * self.height) / 2 - 4, math.log(self.height / self.width)
        return np.array([*self.edges, size / 2, aspect], np.float32)


def upright(mask: Mask, form: Form, edges: Edges) -> Mask:
    """Turn a mask [h, w] with a direction upright; one that touches an edge stays as it lies."""
    if any(edges) or not form.directed:
        return mask
    return warp_tight(mask, rotation(math.pi / 2 - form.angle), (), box=Box.of(mask.shape)).mask


def square(mask: Mask) -> Mask:
    """Stretch a mask [h, w] to the box of a map, FINE times finer: uint8 [96, 96], in one piece."""
    side = FINE * BOX
    soft = cv2.GaussianBlur(np.pad(mask, 3, mode="edge").astype(np.float32), (0, 0), SMOOTH)[3:-3, 3:-3]
    grown = (max(mask.shape[1], side), max(mask.shape[0], side))
    fine = (cv2.resize(soft, grown, interpolation=cv2.INTER_CUBIC) >= min(0.5, float(soft.max()))).astype(np.float32)
    return solid(np.asarray(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA), np.float32))


def to_map(mask: Mask, edges: Edges) -> Map:
    """Return the map of a mask as `square` gives them: float32 [40, 40] in -1..1; beyond the edges it goes on as it is."""
    reach = FINE * MARGIN
    out = np.pad(mask, reach)
    for held, axis, border, inner in (
        (edges.left, 1, slice(0, reach), reach),
        (edges.right, 1, slice(-reach, None), -reach - 1),
        (edges.top, 0, slice(0, reach), reach),
        (edges.bottom, 0, slice(-reach, None), -reach - 1),
    ):
        if held and axis:
            out[:, border] = out[:, [inner]]
        elif held:
            out[border] = out[[inner]]
    distance = np.clip(signed_distance(out, edges) / (FINE * REACH), -1, 1)
    return np.asarray(cv2.resize(distance, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def from_map(drawn: Map, known: Known) -> Mask:
    """Return the mask of a map [40, 40] in the box that is known, cut tight but at the edges; its largest piece.

    A map that is positive nowhere gives the pixel at which it is largest.
    """
    size = (round(known.width * SIDE / BOX), round(known.height * SIDE / BOX))
    width, height = (max(length, 3) for length in size)
    fine = cv2.resize(drawn, (max(2 * width, 2 * SIDE), max(2 * height, 2 * SIDE)), interpolation=cv2.INTER_CUBIC)
    inside = (fine > min(0.0, float(fine.max()) - 1e-6)).astype(np.float32)
    cover = np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    across, down = round(width * MARGIN / SIDE), round(height * MARGIN / SIDE)
    edges = known.edges
    rows = slice(down * edges.top, height - down * edges.bottom)
    columns = slice(across * edges.left, width - across * edges.right)
    mask = largest_piece(solid(cover[rows, columns]))
    rows, columns = tight(mask)
    first_row, first_column = (0 if edges.top else rows.start), (0 if edges.left else columns.start)
    last_row = mask.shape[0] if edges.bottom else rows.stop
    last_column = mask.shape[1] if edges.right else columns.stop
    return mask[first_row:last_row, first_column:last_column]
