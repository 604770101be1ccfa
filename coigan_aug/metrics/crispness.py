"""Crispness: how much grain there is inside a mask, and how steep its edge is, both over the brightness round it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from coigan_aug.annotations.masks import decode_mirrored, grow
from coigan_aug.annotations.rle import Rle, box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.metrics.seams import gradient

FINE = 1.2  # px, the deviation of the Gaussian: what it takes away is grain
AROUND, BESIDE = 8, 2  # px: the surface that gives the brightness lies between these distances from the mask
DARKEST = 10.0  # grey level of 255: a darker surface counts as this bright


class Crispness(NamedTuple):
    """`grain` is the standard deviation of what is finer than 1.2 px inside the mask, `edge` the mean gradient magnitude (a
    pixel) within 1 px of its border; both are shares of the brightness of the surface round it, so that light does not count.
    """

    grain: float
    edge: float


def crispness(image: Pixels, mask: Rle) -> Crispness:
    """Measure an object of an image [H, W(, 3)] under its mask, which must not be empty; mirrored beyond the image."""
    region = box(mask).grow(AROUND + 4)
    grey = to_rgb(cut_mirrored(image, region)).astype(np.float32).mean(axis=2)
    solid = decode_mirrored(mask, region)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), FINE)
    border = (grow(solid, 1) != 0) & (cv2.erode(solid, np.ones((3, 3), np.uint8)) == 0)
    surface = (grow(solid, AROUND) != 0) & (grow(solid, BESIDE) == 0)
    level = max(float(np.median(grey[surface] if surface.any() else grey)), DARKEST)
    steep = gradient(grey[..., None])[border].mean() if border.any() else 0.0
    return Crispness(float(fine[solid != 0].std()) / level, float(steep) / level)
