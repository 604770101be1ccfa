"""What really changed: where a picture differs visibly from its base, against the base's own texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import grow, inside
from coigan_aug.annotations.rle import Rle, box, decode_box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.metrics.seams import gradient, ring_of, seam_ratio

LEAST_LEVELS = 2.0  # of 255; a smaller change is none for anybody
TEXTURES = 0.5  # of the base's texture: a change of less is lost in it
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


def measure_change(base: Pixels, image: Pixels, mask: Rle, others: Sequence[Rle], *, margin: int) -> Change:
    """Compare a picture [H, W(, 3)] with its base under one defect's mask and its margin, px.

    A pixel has changed visibly where its mean over the channels differs by 2 levels of 255 and by half of the base's
    texture there (the median deviation from the local mean, times 1.4826); single pixels amid changed ones count too.

    Args:
        others: the masks of the image's other defects; what lies within their margins is not counted.
    """
    region = box(mask).grow(margin + 1)
    before, after = (to_rgb(cut_mirrored(pixels, region)).astype(np.float32).mean(axis=2) for pixels in (base, image))
    solid = decode_box(mask, region) != 0
    free = inside(region, image.shape)
    for other in others:
        free &= grow(decode_box(other, region), margin) == 0
    near = (grow(solid, margin) != 0) & free
    changes = (np.abs(after - before) >= threshold(before)).astype(np.uint8)
    without_gaps = cv2.morphologyEx(changes, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) != 0  # of a pixel
    changed = np.asarray(without_gaps) & (near | solid)
    overlap, union = int((changed & solid).sum()), int((changed | solid).sum())
    ring = ring_of(solid.astype(np.uint8), margin) & free
    seam = seam_ratio(gradient(after[..., None]), gradient(before[..., None]), ring) if ring.any() else None
    return Change(overlap / int(solid.sum()), overlap / union, seam)


def threshold(grey: NDArray[np.float32]) -> float:
    """Return by how many levels of 255 a pixel of a base [h, w] must change to be seen."""
    texture = np.abs(grey - cv2.blur(grey, (_SMOOTH, _SMOOTH), borderType=cv2.BORDER_REFLECT_101))
    return max(LEAST_LEVELS, TEXTURES * 1.4826 * float(np.median(texture)))
