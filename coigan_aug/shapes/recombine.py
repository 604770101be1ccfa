"""New shapes from two training objects of a class: blended, or, where they are thin, joined."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import depths
from coigan_aug.annotations.rle import Mask
from coigan_aug.compose.augment import tight
from coigan_aug.geometry import Box
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.shapes.cover import largest_piece
from coigan_aug.shapes.forms import ClassForms, Edges, Form, Traits, mask_of, measure
from coigan_aug.shapes.join import joined
from coigan_aug.shapes.shape import Shape
from coigan_aug.shapes.warp import Floats, warp_tight
from coigan_aug.shapes.warped import AGREED, Mirrors, draw_change, mirrored, mirrored_mask, near_of, rotation

TRIES = 8
SHARE = (0.25, 0.75)  # of the second object in a blend, least and most
SLACK = 1.1  # sizes and lengths may be so much out of their range: pixels are coarse
MIRRORS = tuple(np.diag([x, y]) for x in (1.0, -1.0) for y in (1.0, -1.0))

Rng = np.random.Generator


@dataclass(frozen=True)
class Part:
    """A training object's mask [h, w], mirrored, its form and the edges of its image that it touches then."""

    mask: Mask
    form: Form
    edges: Edges


def recombined(
    prepared: Prepared, forms: ClassForms, traits: Mapping[int, Traits], rng: Rng, chosen: int, *,
    members: Sequence[int], mirrors: Mirrors, flip: bool, min_area: int,
) -> Shape | None:  # fmt: skip
    """Make a new shape of a training object and another of `members` (positions in `objects`, as in `traits`), or None.

    The other one is of another group of images. Two lines are joined (`join.joined`); others are brought on top of each
    other, their signed distances averaged with a weight of 0.25 to 0.75, and cut at the level that gives the weighted
    geometric mean of their areas. The result is bent, turned and rescaled as `warped` does. Size and length lie in the
    class' ranges, give or take a tenth; it is in one piece, of at least `min_area` px, and touches the edges that the
    first one does (a line those at the ends that it was made of).

    None: nothing fits together, or nothing of the kind came of a few tries.
    """
    for _ in range(TRIES):
        mirror = mirrors(rng, chosen)
        partners = _partners(traits, chosen, members, mirror, flip=flip)
        if not partners:
            return None
        other, way = partners[int(rng.integers(len(partners)))]
        first, second = (_part(prepared, traits, k, how) for k, how in ((chosen, mirror), (other, way)))
        made = _joined(rng, first, second) if first.form.thin else _blended(rng, first, second, forms)
        if made is None:
            continue
        mask, edges = made
        change, bend = draw_change(rng, mask, forms, edges=edges, mirror=np.eye(2))
        final = warp_tight(mask, change, bend, box=Box.of(mask.shape)).mask
        if final.sum() >= min_area and accepted(measure(final), forms):
            near = near_edges(near_of(prepared, chosen, mirror), edges)
            return Shape(final, "recombined", chosen, others=(other,), near=near)
    return None


def _partners(
    traits: Mapping[int, Traits], chosen: int, members: Sequence[int], mirror: Floats, *, flip: bool
) -> list[tuple[int, Floats]]:
    """List what an object, mirrored, can be recombined with, and how that is mirrored.

    A line with lines. Others with what touches no other edge: what is cut off there would show inside the image.
    """
    shape, edges = traits[chosen], mirrored(traits[chosen].edges, mirror)
    return [
        (k, way)
        for k in members
        if traits[k].group != shape.group and traits[k].form.thin == shape.form.thin
        for way in (MIRRORS if flip else MIRRORS[:1])
        if shape.form.thin or mirrored(traits[k].edges, way).within(edges)
    ]


def _part(prepared: Prepared, traits: Mapping[int, Traits], k: int, mirror: Floats) -> Part:
    mask = mirrored_mask(mask_of(prepared.objects[k]), mirror)
    return Part(mask, measure(mask), mirrored(traits[k].edges, mirror))


def _blended(rng: Rng, first: Part, second: Part, forms: ClassForms) -> tuple[Mask, Edges] | None:
    share = float(rng.uniform(*SHARE))
    if not any(first.edges):
        return blended(*_laid_over(rng, first, second, forms, share), first.edges, share=share), first.edges
    mask = blended(*_boxes_alike(first, second, share), first.edges, share=share)
    return (mask, first.edges) if touching(mask, first.edges) else None


def _joined(rng: Rng, first: Part, second: Part) -> tuple[Mask, Edges] | None:
    """Join two lines: upright where neither touches an edge, else as they lie."""
    if any(first.edges) or any(second.edges):
        return joined(rng, (first.mask, second.mask), (first.edges, second.edges))
    one, other = (
        warp_tight(part.mask, rotation(math.pi / 2 - part.form.angle), (), box=Box.of(part.mask.shape)).mask
        for part in (first, second)
    )
    return joined(rng, (one, other), (Edges(), Edges()))


def _laid_over(rng: Rng, first: Part, second: Part, forms: ClassForms, share: float) -> tuple[Mask, Mask]:
    """Bring two masks to one size, the second one in the first one's direction, centres of mass on each other."""
    size = first.form.size ** (1 - share) * second.form.size**share
    one, other = (
        warp_tight(part.mask, size / part.form.size * rotation(angle), (), box=Box.of(part.mask.shape)).mask
        for part, angle in ((first, 0.0), (second, _turn_onto(rng, second.form, first.form, forms)))
    )
    return centred(one, other)


def _turn_onto(rng: Rng, form: Form, other: Form, forms: ClassForms) -> float:
    """Return the turn, radians, that brings a form into the direction of another."""
    if form.directed and other.directed:
        return (other.angle - form.angle + math.pi / 2) % math.pi - math.pi / 2
    return 0.0 if forms.concentration >= AGREED else float(rng.uniform(0, 2 * math.pi))


def centred(first: Mask, second: Mask) -> tuple[Mask, Mask]:
    """Pad two masks to one size, their centres of mass on each other."""
    centres = [np.argwhere(mask).mean(axis=0).round().astype(int) for mask in (first, second)]
    before = np.max(centres, axis=0)
    after = np.max([mask.shape - centre for mask, centre in zip((first, second), centres, strict=True)], axis=0)
    one, other = (
        np.pad(mask, np.column_stack([before - centre, after - mask.shape + centre]))
        for mask, centre in zip((first, second), centres, strict=True)
    )
    return one, other


def _boxes_alike(first: Part, second: Part, share: float) -> tuple[Mask, Mask]:
    """Stretch two masks to a box between theirs; from one edge to the opposite one it stays as long as the first's."""
    height, width = (
        a if whole else max(round(a ** (1 - share) * b**share), 1)
        for a, b, whole in zip(
            first.mask.shape,
            second.mask.shape,
            (first.edges.top and first.edges.bottom, first.edges.left and first.edges.right),
            strict=True,
        )
    )
    one, other = (
        (cv2.resize(part.mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5)
        for part in (first, second)
    )
    return one.astype(np.uint8), other.astype(np.uint8)


def blended(first: Mask, second: Mask, edges: Edges, *, share: float) -> Mask:
    """Blend two masks [h, w] of one size: the mean of their signed distances, `share` of it the second's, cut to a mask.

    Beyond the `edges` of the image they go on as they are. As large as the weighted geometric mean of their areas, or its
    largest piece; cut tight.

    Source: Rousson and Paragios 2002, "Shape Priors for Level Set Representations", section 3, averages distances so.
    """
    mean = (1 - share) * signed_distance(first, edges) + share * signed_distance(second, edges)
    area = float(first.sum()) ** (1 - share) * float(second.sum()) ** share
    count = min(max(round(area), 1), mean.size)
    level = np.partition(mean.ravel(), mean.size - count)[mean.size - count]
    mask = largest_piece((mean >= level).astype(np.uint8))
    return mask if any(edges) else mask[tight(mask)]


def signed_distance(mask: Mask, edges: Edges) -> NDArray[np.float32]:
    """Return how far inside a mask [h, w] each pixel lies, px, below 0 outside; beyond the `edges` it goes on as it is."""
    sides = ((not edges.top, not edges.bottom), (not edges.left, not edges.right))
    held = np.pad(mask, [(int(a), int(b)) for a, b in sides])  # what goes on is never nearer than where it begins
    inside, outside = depths(held), depths(1 - held)
    most, top, left = float(max(mask.shape)), int(not edges.top), int(not edges.left)
    signed = np.clip(inside - outside, -most, most)  # where a mask fills all, it is as far as that from its rim
    return np.asarray(signed, np.float32)[top : top + mask.shape[0], left : left + mask.shape[1]]


def touching(mask: Mask, edges: Edges) -> bool:
    """Tell whether a mask reaches those edges of its frame that it should."""
    sides = (mask[:, 0], mask[0], mask[:, -1], mask[-1])
    return all(side.any() for side, touched in zip(sides, edges, strict=True) if touched)


def accepted(form: Form, forms: ClassForms) -> bool:
    """Tell whether size and length lie in the class' ranges, give or take a tenth."""
    ranges = ((form.size, forms.sizes), (form.length, forms.lengths))
    return all(low / SLACK <= value <= high * SLACK for value, (low, high) in ranges)


def near_edges(near: tuple[float, float], edges: Edges) -> tuple[float, float]:
    """Return where a shape lies (shares of the free room, x and y), on the `edges` and on no others, near `near`."""
    pairs = zip(near, ((edges.left, edges.right), (edges.top, edges.bottom)), strict=True)
    x, y = (0.5 if a and b else 0.0 if a else 1.0 if b else min(max(share, 0.02), 0.98) for share, (a, b) in pairs)
    return x, y
