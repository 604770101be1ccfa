"""The engines paste and poisson: a training object's own pixels, through the same warp as its shape, put in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.rle import Box, Mask, box, decode, decode_box, union
from coigan_aug.imaging import Pixels, cut_mirrored, read_image, to_rgb
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.synthesis.margin import add_change, alpha_of, margin_of
from coigan_aug.synthesis.plan import Job, PlannedDefect
from coigan_aug.synthesis.regions import inside

RING = 4  # px beyond the margin: what brightness is matched on
GAIN = (0.5, 2.0)
ERODED = 3  # px that cv2.seamlessClone takes off the mask before it solves
Floats = NDArray[np.float32]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Cut:
    """Where a defect goes, and the training object's surroundings brought there: both uint8 RGB [h, w, 3].

    `mask` is the planned one [h, w]; `ring` marks the pixels round it that are plain surface in both pictures.
    """

    region: Box
    target: Pixels
    source: Pixels
    mask: Mask
    ring: Marks


def paste(prepared: Prepared, job: Job, image: Pixels, settings: Settings) -> Pixels:
    """Copy each defect's training object onto the image [H, W(, 3)], its brightness matched on the surface round it."""
    return _put(prepared, job, image, settings, matched)


def poisson(prepared: Prepared, job: Job, image: Pixels, settings: Settings) -> Pixels:
    """Clone each defect's training object into the image [H, W(, 3)] by its gradients.

    Source: Pérez et al. 2003, "Poisson Image Editing" (OpenCV's seamlessClone, importing gradients).
    """
    return _put(prepared, job, image, settings, lambda cut: cloned(cut, margin=margin_of(settings)))


def _put(prepared: Prepared, job: Job, image: Pixels, settings: Settings, pixels_of: Callable[[Cut], Floats]) -> Pixels:
    out = image.copy()
    others = [defect.rle for defect in job.defects]
    for k, defect in enumerate(job.defects):
        rest = others[:k] + others[k + 1 :]
        taken = decode(union(rest)) if rest else np.zeros(image.shape[:2], np.uint8)
        cut = cut_object(prepared, defect, out, taken, margin=margin_of(settings))
        inner, before, _ = inside(cut.region, *image.shape[:2])
        rows = slice(before[0], before[0] + inner[0].stop - inner[0].start)
        columns = slice(before[1], before[1] + inner[1].stop - inner[1].start)
        change = (pixels_of(cut) - cut.target) / np.float32(255)
        alpha = alpha_of(cut.mask[None], settings)
        out[inner] = add_change(out[inner], change[rows, columns], alpha[rows, columns])
    return out


def cut_object(prepared: Prepared, defect: PlannedDefect, image: Pixels, taken: Mask, *, margin: int) -> Cut:
    """Bring a defect's training object to its place in an image [H, W(, 3)].

    Args:
        taken: the masks of the other defects of the image [H, W]; they do not count as surface.
    """
    left, top, width, height = box(defect.rle)
    reach = margin + RING + ERODED + 1
    region = (left - reach, top - reach, width + 2 * reach, height + 2 * reach)
    item = prepared.objects[defect.shape_of]
    record = prepared.dataset[item.position]
    whole = to_rgb(read_image(prepared.dataset.image_path(item.position)))
    matrix = np.array(defect.warp).reshape(2, 3) - [[0, 0, region[0]], [0, 0, region[1]]]
    size = (region[2], region[3])
    source = cv2.warpAffine(whole, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    defects = decode(union([annotation.rle for annotation in record.annotations]))
    plain = cv2.warpAffine(1 - defects, matrix, size, flags=cv2.INTER_NEAREST) != 0
    mask = decode_inside(defect, region, *image.shape[:2])
    free = cut_mirrored(1 - taken, region) != 0
    near = (grow(mask, margin + RING) != 0) & (grow(mask, margin) == 0)
    return Cut(region, to_rgb(cut_mirrored(image, region)), np.asarray(source, np.uint8), mask, near & plain & free)


def decode_inside(defect: PlannedDefect, region: Box, height: int, width: int) -> Mask:
    """Decode a defect's mask in a region that may reach beyond the image; nothing lies out there."""
    (rows, columns), (above, before), (below, after) = inside(region, height, width)
    held = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    return np.pad(decode_box(defect.rle, held), ((above, below), (before, after)))


def matched(cut: Cut) -> Floats:
    """Return the object's pixels float32 [h, w, 3] with the brightness of their new surroundings.

    Light multiplies, so the pixels are scaled by the ratio of the two rings' medians, within 0.5 and 2; what the ratio
    leaves is added. Unchanged where hardly any plain surface lies round both.
    """
    source = cut.source.astype(np.float32)
    if cut.ring.sum() < RING:
        return source
    here, there = np.median(cut.source[cut.ring], axis=0), np.median(cut.target[cut.ring], axis=0)
    gain = np.clip((there + 1) / (here + 1), *GAIN)
    return np.asarray((source - here) * gain + there, np.float32)


def cloned(cut: Cut, *, margin: int) -> Floats:
    """Return the target with the object's gradients inside the margin, float32 [h, w, 3].

    OpenCV puts the middle of the mask's box at the point it is given, and takes 3 px off the mask first, which would
    lose thin cracks: the mask is grown by as much before.
    """
    wide = grow(cut.mask, margin + ERODED) * np.uint8(255)
    wide[[0, -1]], wide[:, [0, -1]] = 0, 0
    left, top, width, height = cv2.boundingRect(wide)
    centre = (left + width // 2, top + height // 2)
    out = cv2.seamlessClone(cut.source, np.ascontiguousarray(cut.target), wide, centre, cv2.NORMAL_CLONE)
    return np.asarray(out, np.float32)
