"""What really changed: where a picture differs visibly from its base, against the base's own texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import grow, inside
from coigan_aug.annotations.rle import Mask, Rle, box, decode_box, place
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.metrics.seams import gradient, ring_of, seam_ratio

LEAST_LEVELS = 2.0  # of 255; a smaller change is none for anybody
TEXTURES = 0.5  # of the base's texture: a change of less is lost in it
SPECK = 0.05  # of the largest part of what changed; less is grain, and no part of a defect
_SMOOTH = 15  # px: what is finer than that is texture, what is coarser is light and shape


@dataclass(frozen=True, slots=True)
class Change:
    """What was done under a mask and round it.

    `shown` is the share of the mask's pixels that changed visibly, `iou` the overlap of the pixels that did (within the
    margin) with the mask, `seam` how much steeper the picture is at the margin's edge than the base (1: as steep); None
    where there is no edge.
    """

    shown: float
    iou: float
    seam: float | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A defect's surroundings, all [h, w] of a region: base and picture in grey, its mask, what no other defect holds, what
    may have changed by it, and what changed visibly of that.
    """

    region: Box
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    solid: NDArray[np.bool_]
    free: NDArray[np.bool_]
    own: NDArray[np.bool_]
    changed: NDArray[np.bool_]


def measure_change(base: Pixels, image: Pixels, mask: Rle, others: Sequence[Rle], *, margin: int) -> Change:
    """Compare a picture [H, W(, 3)] with its base under one defect's mask and its margin, px.

    A pixel has changed visibly where its mean over the channels differs by 2 levels of 255 and by half of the base's
    texture there (the median deviation from the local mean, times 1.4826); single pixels amid changed ones count too.

    Args:
        others: the masks of the image's other defects; what lies within their margins is not counted.
    """
    seen = _look(base, image, mask, others, margin=margin)
    overlap, union = int((seen.changed & seen.solid).sum()), int((seen.changed | seen.solid).sum())
    ring = ring_of(seen.solid.astype(np.uint8), margin) & seen.free
    steep, before = gradient(seen.after[..., None]), gradient(seen.before[..., None])
    seam = seam_ratio(steep, before, ring) if ring.any() else None
    return Change(overlap / int(seen.solid.sum()), overlap / union, seam)


def effective_mask(base: Pixels, image: Pixels, mask: Rle, others: Sequence[Rle], *, margin: int) -> Rle:
    """Return the mask of what really changed, to half of its strength, with what it encloses and without specks.

    A soft edge is cut where it is half as strong as the median of what changed visibly (`measure_change`), as a person draws
    an outline. The area is 0 where nothing did.
    """
    seen = _look(base, image, mask, others, margin=margin)
    strength = np.abs(seen.after - seen.before)
    half = np.median(strength[seen.changed]) / 2 if seen.changed.any() else 0.0
    strong = without_gaps(seen.changed & (strength >= half)) & seen.own
    contours, _ = cv2.findContours(strong.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled: Mask = np.zeros(seen.changed.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    filled &= seen.own.astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(filled, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the background
    kept = areas >= max(SPECK * areas.max(initial=0), 1)
    region = seen.region
    height, width = image.shape[:2]
    return place(kept[parts], left=region.left, top=region.top, height=height, width=width)


def _look(base: Pixels, image: Pixels, mask: Rle, others: Sequence[Rle], *, margin: int) -> _Seen:
    region = box(mask).grow(margin + 1)
    before, after = (to_rgb(cut_mirrored(pixels, region)).astype(np.float32).mean(axis=2) for pixels in (base, image))
    solid = decode_box(mask, region) != 0
    free = inside(region, image.shape)
    for other in others:
        free &= grow(decode_box(other, region), margin) == 0
    near = (grow(solid, margin) != 0) & free
    own = near | solid
    changed = without_gaps(np.abs(after - before) >= threshold(before)) & own
    return _Seen(region, before, after, solid, free, own, changed)


def without_gaps(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the single pixels [h, w] amid marked ones, too."""
    return np.asarray(cv2.morphologyEx(marks.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) != 0)


def threshold(grey: NDArray[np.float32]) -> float:
    """Return by how many levels of 255 a pixel of a base [h, w] must change to be seen."""
    texture = np.abs(grey - cv2.blur(grey, (_SMOOTH, _SMOOTH), borderType=cv2.BORDER_REFLECT_101))
    return max(LEAST_LEVELS, TEXTURES * 1.4826 * float(np.median(texture)))
