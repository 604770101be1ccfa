"""Defects moved in their own place: where they lay in their own image, in the proportions of another one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.rle import Mask
from coigan_aug.geometry import Box
from coigan_aug.places.density import PlaceDensity
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.rng import drawn_within
from coigan_aug.shapes.forms import edges_of
from coigan_aug.shapes.warp import warp_mask
from coigan_aug.synthesis.job import PlannedDefect

STRETCHES = (1.25, 2.0, math.inf)
"""How much an image may have to be stretched, on either side, at the first tries, the next, and the last."""
LEAST_ALLOWED = 0.9  # of a moved mask must lie where defects may; the rest is cut off
MOVED = "moved"

Rng = np.random.Generator
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Donor:
    """The defects of one class of a training image, to be moved together: positions in `Prepared.objects`, mirrored or not,
    `size` times as large about their middle, or from the edge of the image that they touch.
    """

    label: int
    objects: tuple[int, ...]
    flip_x: bool
    flip_y: bool
    size: float = 1.0

    @property
    def first(self) -> int:
        """The object that stands for all of them."""
        return self.objects[0]


def draw_donor(
    prepared: Prepared,
    places: PlaceDensity,
    rng: Rng,
    label: int,
    *,
    flip: bool,
    size: tuple[float, float] = (1.0, 1.0),
) -> Donor:
    """Draw a training image with a class, each as often as any other, mirrored so that the class keeps its sides.

    Args:
        size: how many times as large it is drawn, from and to; all factors alike on a logarithmic scale. What reaches from
            one edge to the opposite one keeps its size.
    """
    images = prepared.by_image[label]
    position = list(images)[int(rng.integers(len(images)))]
    members = sorted(images[position], key=lambda k: (-rle.area(prepared.objects[k].full), k))
    x, y = (bool(value) for value in (rng.random(2) < 0.5) & flip)
    flip_x, flip_y, _ = places.mirror(rng, label, members[0], x=x, y=y)
    spans = any(edges_of(prepared, prepared.objects[k]).spans for k in members)
    return Donor(label, tuple(members), flip_x, flip_y, 1.0 if spans else drawn_within(rng, size))


def stretch_of(prepared: Prepared, donor: Donor, base: int) -> float:
    """Return by how much the donor's image is stretched or shrunk to a base image's size, the worse side: 1 or more."""
    old, new = prepared.dataset[prepared.objects[donor.first].position], prepared.dataset[base]
    factors = (new.width / old.width, new.height / old.height)
    return max(max(factor, 1 / factor) for factor in factors)


def move(prepared: Prepared, donor: Donor, base: int, region: Box, allowed: NDArray[np.bool_]) -> PlannedDefect | None:
    """Move a donor's defects to a region of a base image; None where too little of them would lie where defects may.

    Args:
        allowed: where defects may lie in the whole base image, bool [H, W].

    Returns:
        One defect: its mask, in the region, holds all of the donor's objects.
    """
    matrix = to_base(prepared, donor, base)
    whole = np.zeros(allowed.shape, np.uint8)
    for k in donor.objects:
        _draw(whole, prepared, k, matrix)
    here = whole & allowed
    if not here.any() or here.sum() < LEAST_ALLOWED * whole.sum():
        return None
    mask = rle.encode(np.ascontiguousarray(here[region.slices]))
    if rle.area(mask) == 0:
        return None
    shifted = matrix - np.array([[0, 0, region.left], [0, 0, region.top]])
    contrast = round(contrast_of(prepared, prepared.objects[donor.first]), 4)
    return PlannedDefect(donor.label, mask, donor.first, tuple(shifted.ravel().tolist()), contrast, shape=MOVED)


def to_base(prepared: Prepared, donor: Donor, base: int) -> Floats:
    """Return the matrix [2, 3] that takes (x, y, 1) in the donor's image to the base image, edge to edge, full-size px."""
    old, new = prepared.dataset[prepared.objects[donor.first].position], prepared.dataset[base]
    rows = [_axis(old.width, new.width, flip=donor.flip_x), _axis(old.height, new.height, flip=donor.flip_y)]
    matrix = np.array([[rows[0][0], 0, rows[0][1]], [0, rows[1][0], rows[1][1]]])
    if donor.size == 1:
        return matrix
    hull = rle.box(rle.union([prepared.objects[k].full for k in donor.objects]))
    fixed = [_fixed(hull.left, hull.right, old.width), _fixed(hull.top, hull.bottom, old.height), 1.0]
    grown = matrix * donor.size
    grown[:, 2] += matrix @ np.array(fixed) * (1 - donor.size)
    return grown


def _fixed(first: int, last: int, length: int) -> float:
    """Return what stays where it is when defects from `first` to before `last` change their size: an edge that they touch
    alone, else their middle, as the middles of pixels are counted.
    """
    if (first == 0) != (last == length):
        return -0.5 if first == 0 else length - 0.5
    return (first + last - 1) / 2


def _axis(old: int, new: int, *, flip: bool) -> tuple[float, float]:
    """Return the factor and the shift of one axis: pixel p covers p .. p + 1 of its side, as in the base image."""
    factor = new / old
    shift = (factor - 1) / 2
    return (-factor, new - 1 - shift) if flip else (factor, shift)


def _draw(whole: Mask, prepared: Prepared, number: int, matrix: Floats) -> None:
    """Draw an object's moved mask into that of the base image [H, W]."""
    item = prepared.objects[number]
    box = rle.box(item.full)
    corners = matrix @ np.array([[box.left - 1, box.right], [box.top - 1, box.bottom], [1, 1]])
    first = np.floor(corners.min(axis=1)).astype(int).clip(0)
    last = np.ceil(corners.max(axis=1)).astype(int).clip(None, np.array(whole.shape[::-1]) - 1)
    size = (int(last[0] - first[0]) + 1, int(last[1] - first[1]) + 1)
    if min(size) < 1:
        return
    here = matrix - np.array([[0, 0, first[0]], [0, 0, first[1]]])
    moved = warp_mask(rle.decode_box(item.full, box), here, (), size, box=box)
    whole[first[1] : first[1] + size[1], first[0] : first[0] + size[0]] |= moved
