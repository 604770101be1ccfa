"""Shapes that are a training object's: as it is, or turned, rescaled and bent within what its class shows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from coigan_aug.annotations.rle import Mask, box
from coigan_aug.geometry import Box
from coigan_aug.prepare.examples import Examples
from coigan_aug.rng import drawn_within
from coigan_aug.shapes.bend import draw_bend
from coigan_aug.shapes.forms import ClassForms, Edges, Form, edges_of, mask_of, measure
from coigan_aug.shapes.shape import Bend, Shape
from coigan_aug.shapes.warp import Floats, warp_tight

MOST = 1.25  # largest rescaling, up or down
JITTER = math.radians(3)
RESIZED = "resized"
AGREED = 0.8  # concentration from which a class has one direction, even for its roundish objects

Rng = np.random.Generator
Mirrors = Callable[[Rng, int], Floats]
"""Draws how a training object (a position in `objects`) is mirrored: a matrix [2, 2] of 1 and -1 on its diagonal."""


def real(
    examples: Examples, rng: Rng, chosen: int, *, mirrors: Mirrors, size: tuple[float, float] = (1.0, 1.0)
) -> Shape:
    """Return the mask of a training object (a position in `objects`), mirrored, larger or smaller by a factor of `size`.

    What reaches from one edge of its image to the opposite one keeps its size.
    """
    mirror = mirrors(rng, chosen)
    factor = 1.0 if edges_of(examples, examples.objects[chosen]).spans else drawn_within(rng, size)
    return _shape(examples, chosen, "real" if factor == 1 else RESIZED, factor * np.eye(2), mirror, ())


def warped(examples: Examples, forms: ClassForms, rng: Rng, chosen: int, *, mirrors: Mirrors) -> Shape:
    """Return the mask of a training object mirrored, bent, turned and rescaled; `forms` are those of its class.

    Its direction afterwards is that of another object of the class, give or take 3 degrees (standard deviation); one
    without a direction is turned anyhow, or hardly where its class has one direction. Its size and length lie in the
    class' ranges, or as near as rescaling by 1.25 brings them. What touches an edge of its image is not turned, and not
    rescaled where it reaches from one edge to the opposite one.
    """
    item = examples.objects[chosen]
    mirror = mirrors(rng, chosen)
    change, bend = draw_change(rng, mask_of(item), forms, edges=edges_of(examples, item), mirror=mirror)
    return _shape(examples, chosen, "warped", change, mirror, bend)


def draw_change(rng: Rng, mask: Mask, forms: ClassForms, *, edges: Edges, mirror: Floats) -> tuple[Floats, Bend]:
    """Draw what a mask [h, w] that touches these edges goes through, as `warped` says: it is bent, mirrored, and then
    turned and rescaled by the matrix [2, 2] that is returned with the bend.
    """
    bend = draw_bend(rng, width=mask.shape[1], height=mask.shape[0], edges=edges)
    form = measure(warp_tight(mask, mirror, bend, box=Box.of(mask.shape)).mask)
    scale = 1.0 if edges.spans else draw_scale(rng, form, forms)
    turn = 0.0 if any(edges) else draw_turn(rng, form, forms)
    return scale * rotation(turn), bend


def draw_mirror(rng: Rng, *, flip: bool) -> Floats:
    """Draw a matrix [2, 2] that mirrors one way, the other, both or neither; neither without `flip`."""
    return np.diag(np.where((rng.random(2) < 0.5) & flip, -1.0, 1.0))


def mirrored(edges: Edges, mirror: Floats) -> Edges:
    """Mirror edges by a matrix [2, 2] of `draw_mirror`."""
    return edges.mirrored(flip_x=bool(mirror[0, 0] < 0), flip_y=bool(mirror[1, 1] < 0))


def mirrored_mask(mask: Mask, mirror: Floats) -> Mask:
    """Mirror a mask [h, w] by a matrix [2, 2] of `draw_mirror`."""
    return np.ascontiguousarray(mask[:: int(mirror[1, 1]), :: int(mirror[0, 0])])


def rotation(angle: float) -> Floats:
    """Return the matrix [2, 2] that turns from x towards y (down), radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def draw_scale(rng: Rng, form: Form, forms: ClassForms) -> float:
    """Draw a rescaling of at most MOST that leads size and length into the class' ranges, or as near as may be."""
    least = max(forms.sizes[0] / form.size, forms.lengths[0] / form.length)
    largest = min(forms.sizes[1] / form.size, forms.lengths[1] / form.length)
    low, high = (math.log(min(max(value, 1 / MOST), MOST)) for value in (least, largest))
    return math.exp(rng.uniform(low, high) if low < high else (low + high) / 2)


def draw_turn(rng: Rng, form: Form, forms: ClassForms) -> float:
    """Draw a turn, radians, that gives a shape one of its class' directions.

    A roundish shape is turned anyhow, but only by the jitter in a class whose directions agree.
    """
    jitter = float(rng.normal(0, JITTER))
    if form.directed and forms.angles:
        angle = forms.angles[int(rng.integers(len(forms.angles)))] + jitter
        return (angle - form.angle + math.pi / 2) % math.pi - math.pi / 2
    return jitter if forms.concentration >= AGREED else float(rng.uniform(0, 2 * math.pi))


def _shape(examples: Examples, chosen: int, kind: str, turn: Floats, mirror: Floats, bend: Bend) -> Shape:
    item = examples.objects[chosen]
    made = warp_tight(mask_of(item), turn @ mirror, bend, box=box(item.full))
    near = near_of(examples, chosen, mirror)
    return Shape(made.mask, kind, chosen, warp=tuple(made.matrix.ravel().tolist()), bend=bend, near=near)


def near_of(examples: Examples, chosen: int, mirror: Floats) -> tuple[float, float]:
    """Return where in its image an object lies, mirrored: shares of the free room, x and y; 0.5 where it fills all."""
    item = examples.objects[chosen]
    record = examples.dataset[item.position]
    place = box(item.full)
    near = (_share(place.left, record.width - place.width), _share(place.top, record.height - place.height))
    x, y = (1 - share if flipped else share for share, flipped in zip(near, np.diag(mirror) < 0, strict=True))
    return x, y


def _share(start: int, free: int) -> float:
    return start / free if free > 0 else 0.5
