"""The engines that copy: a training object's own pixels, through the same warp as its shape, put in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import grow, inside
from coigan_aug.annotations.rle import Mask, Rle, box, decode, decode_box, union
from coigan_aug.annotations.void import no_surface
from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.shapes.warp import source_places
from coigan_aug.synthesis.bases import void_of
from coigan_aug.synthesis.harmonic import continue_into
from coigan_aug.synthesis.job import Job, PlannedDefect, base_of
from coigan_aug.synthesis.margin import add_change, alpha_of, margin_of, soft_alpha

RING = 4  # px beyond the margin: what brightness is matched on
WIDER = 8  # px more where the training image has void: its borders lie just there
GAIN = (0.5, 2.0)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
Floats = NDArray[np.float32]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Cut:
    """Where a defect goes, and the training object's surroundings brought there: both uint8 RGB [h, w, 3].

    `mask` is the planned one [h, w]; `surface` marks the pixels that show plain surface in both pictures: inside both
    images, part of no defect, and not void. `ring` is how far beyond the margin brightness is matched, px.
    """

    region: Box
    target: Pixels
    source: Pixels
    mask: Mask
    surface: Marks
    ring: int = RING


def paste(prepared: Prepared, job: Job, image: Pixels, settings: Settings) -> Pixels:
    """Copy each defect's training object onto the image [H, W(, 3)], its brightness matched on the surface round it."""
    return _put(prepared, job, image, settings, matched)


def transplant(prepared: Prepared, job: Job, image: Pixels, settings: Settings) -> Pixels:
    """Move each defect's training objects onto the image [H, W(, 3)], brightness matched as by `paste`, with a soft edge.

    What makes it a transplant is that it was planned in its own place (`own_place`).
    """
    return _put(prepared, job, image, settings, matched, soft=True)


def poisson(prepared: Prepared, job: Job, image: Pixels, settings: Settings) -> Pixels:
    """Clone each defect's training object into the image [H, W(, 3)] by its gradients.

    Source: Pérez et al. 2003, "Poisson Image Editing", section 2, importing gradients.
    """
    return _put(prepared, job, image, settings, cloned)


PUT = {"transplant": transplant, "paste": paste, "poisson": poisson}
"""What each copying engine puts a job's defects onto an image with."""


def _put(
    prepared: Prepared, job: Job, image: Pixels, settings: Settings, pixels_of: Callable[[Cut, int], Floats], *,
    soft: bool = False,
) -> Pixels:  # fmt: skip
    out, margin = image.copy(), margin_of(settings)
    masks, void = [defect.rle for defect in job.defects], void_of(prepared, base_of(job))
    for k, defect in enumerate(job.defects):
        others = masks[:k] + masks[k + 1 :]
        blocked = others if void is None else [*others, void]
        cut = cut_object(prepared, defect, out, blocked, margin=margin)
        held = cut.region.clip(image.shape)
        inner, own = held.slices, held.seen_from(cut.region).slices
        change = (pixels_of(cut, margin) - cut.target) / np.float32(255)
        alpha = soft_alpha(cut.mask, settings) if soft else alpha_of(cut.mask[None], settings)
        alpha = (alpha * (covered(others, cut.region) == 0))[own] * np.float32(defect.strength)  # none over a neighbour
        out[inner] = add_change(out[inner], change[own], alpha)
    return out


def counterfeit(job: Job, image: Pixels, settings: Settings, *, surface: Pixels) -> Pixels:
    """Set clean surface of another base where a job's defects would be, with the same seam as theirs.

    What is learnt from a seam is then wrong. The surface comes from its own place, in the image's proportions.

    Args:
        image: the base [H, W(, 3)], whole.
        surface: the other base [h, w(, 3)], whole.
    """
    out, margin = image.copy(), margin_of(settings)
    size = (image.shape[1], image.shape[0])
    other = np.asarray(cv2.resize(to_rgb(surface), size, interpolation=cv2.INTER_LINEAR), np.uint8)
    for defect in job.defects:
        held = _region(defect, margin + RING).clip(image.shape)
        inner = held.slices
        mask = decode_box(defect.rle, held)
        target = to_rgb(out[inner])
        cut = Cut(held, target, other[inner], mask, np.ones(mask.shape, bool))
        change = (matched(cut, margin) - target) / np.float32(255)
        out[inner] = add_change(out[inner], change, soft_alpha(mask, settings))
    return out


def _region(defect: PlannedDefect, reach: int) -> Box:
    """Return a defect's box with what is looked at round it: the margin and the ring that its brightness is matched on."""
    return box(defect.rle).grow(reach + 1)


def cut_object(prepared: Prepared, defect: PlannedDefect, image: Pixels, others: Sequence[Rle], *, margin: int) -> Cut:
    """Bring a defect's training object to its place in an image [H, W(, 3)].

    Args:
        others: the masks of the other defects of the image, and its void; they do not count as surface.

    Raises:
        DataError: the defect's shape is no training object's.
    """
    if defect.shape_of is None or not defect.warp:
        raise DataError(
            f"A {prepared.dataset.names[defect.label]} has a shape of no training object: nothing can be copied.",
            remedy="Draw it with --engine gan, or plan with --shapes real or warped.",
        )
    item = prepared.objects[defect.shape_of]
    record = prepared.dataset[item.position]
    ring = RING if record.void is None else RING + WIDER
    region = _region(defect, margin + ring)
    whole = prepared.dataset.stored(item.position)
    places = _places(defect, item, region)
    window = _around(places)
    near = places[0] - np.float32(window.left), places[1] - np.float32(window.top)
    source = cv2.remap(to_rgb(cut_mirrored(whole, window)), *near, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    bare = inside(window, whole.shape) & (decode_box(no_surface(record), window) == 0)
    plain = cv2.remap(bare.astype(np.uint8), *near, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) != 0
    free = inside(region, image.shape) & (covered(others, region) == 0)
    target, mask = to_rgb(cut_mirrored(image, region)), decode_box(defect.rle, region)
    return Cut(region, target, np.asarray(source, np.uint8), mask, plain & free, ring)


def _places(defect: PlannedDefect, item: DefectObject, region: Box) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the columns and rows in the image of its training object of each pixel of a region that a defect is copied to."""
    matrix = np.array(defect.warp).reshape(2, 3) - [[0, 0, region.left], [0, 0, region.top]]
    return source_places(matrix, defect.bend, (region.width, region.height), box=box(item.full))


def void_brought(prepared: Prepared, defect: PlannedDefect, shape: tuple[int, int], *, margin: int) -> Mask | None:
    """Return what a copy brings of its training image's void into the margin round its mask: uint8 [H, W]; None for none."""
    if defect.shape_of is None or not defect.warp:
        return None
    item = prepared.objects[defect.shape_of]
    void = prepared.dataset[item.position].void if item.position in prepared.void else None
    if void is None:
        return None
    out, region = np.zeros(shape, np.uint8), _region(defect, margin)
    places = _places(defect, item, region)
    brought = cv2.remap(decode(void), *places, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101) != 0
    held = region.clip(shape)
    within = (grow(decode_box(defect.rle, region), margin) != 0) & brought
    out[held.slices] = within[held.seen_from(region).slices]
    return out


def _around(places: tuple[Floats, Floats]) -> Box:
    """Return the box of the pixels that are looked up at places (x, y), and 2 px round it."""
    (left, right), (top, bottom) = ((int(np.floor(axis.min())), int(np.ceil(axis.max())) + 1) for axis in places)
    return Box(left, top, right - left, bottom - top).grow(2)


def covered(others: Sequence[Rle], region: Box) -> Mask:
    """Return what of a region other defects cover: uint8 [h, w]."""
    return decode_box(union(others), region) if others else np.zeros((region.height, region.width), np.uint8)


def matched(cut: Cut, margin: int) -> Floats:
    """Return the object's pixels float32 [h, w, 3] with the brightness of their new surroundings.

    Light multiplies, so the pixels are scaled by the ratio of the medians of the surface just beyond the margin, within
    0.5 and 2; what the ratio leaves is added. Unchanged where hardly any plain surface lies round both.
    """
    source = cut.source.astype(np.float32)
    ring = (grow(cut.mask, margin + cut.ring) != 0) & (grow(cut.mask, margin) == 0) & cut.surface
    if ring.sum() < RING:
        return source
    here, there = np.median(cut.source[ring], axis=0), np.median(cut.target[ring], axis=0)
    gain = np.clip((there + 1) / (here + 1), *GAIN)
    return np.asarray((source - here) * gain + there, np.float32)


def cloned(cut: Cut, margin: int) -> Floats:
    """Return the target with the object's gradients inside the margin, float32 [h, w, 3].

    The source plus the smoothest correction: target - source on the rim of the margin, continued inwards (Pérez et al.,
    equation 5). The rim counts only where both pictures show surface: at an image's edge nothing is known beyond it,
    and beside another defect nothing should be matched. With no such rim at all the brightness is matched instead.

    OpenCV's seamlessClone is not used: it takes 3 px off the mask and solves for the mask's whole box, so wide defects
    lose most of their contrast and the result does not meet the target at the margin.
    """
    within = grow(cut.mask, margin)
    rim = (cv2.dilate(within, CROSS) > within) & cut.surface
    if not rim.any():
        return matched(cut, margin)
    difference = cut.target.astype(np.float64) - cut.source
    if (difference == difference[..., :1]).all():  # grey: solved once
        difference = difference[..., :1]
    channels = [continue_into(difference[..., c], within != 0, rim) for c in range(difference.shape[2])]
    return np.asarray(np.where(within[..., None] != 0, cut.source + np.stack(channels, axis=2), cut.target), np.float32)
