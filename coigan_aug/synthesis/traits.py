"""Traits of drawn defects, measured inside their masks, and how two rows of numbers go together."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from coigan_aug.annotations.masks import decode_mirrored, grow
from coigan_aug.annotations.rle import Rle, box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.metrics.crispness import AROUND, BESIDE, DARKEST, FINE, crispness
from coigan_aug.synthesis.change import measure_change

TRAITS = ("sharpness", "grain", "darkness", "extent")
"""How steep the edge is (`metrics.crispness`) and how much grain there is inside, away from the edge where there is room, as
logarithms and over how much the mask has changed, since a stronger defect is steeper and grainier without being sharper; how
much darker the mask has become, in levels
of 255; and which share of it shows (`change.measure_change`)."""
FAINTEST = 5.0  # levels of 255: what changed less counts as this much
LEAST = 0.25  # levels of 255, of an edge and of grain
INNER, FEWEST = 3, 16  # px from the edge where grain is measured; px there, or it is the whole mask


def measure_traits(base: Pixels, image: Pixels, mask: Rle, *, margin: int) -> NDArray[np.float64]:
    """Measure a picture [H, W(, 3)] of a defect drawn on a base: float64 [4], as `TRAITS` names them."""
    region = box(mask).grow(AROUND)
    marked = decode_mirrored(mask, region)
    before, after = (to_rgb(cut_mirrored(pixels, region)).astype(np.float32).mean(axis=2) for pixels in (base, image))
    solid, inner = marked != 0, cv2.erode(marked, np.ones((2 * INNER + 1, 2 * INNER + 1), np.uint8)) != 0
    fine = (after - cv2.GaussianBlur(after, (0, 0), FINE))[inner if inner.sum() >= FEWEST else solid]
    surface = (grow(marked, AROUND) != 0) & (grow(marked, BESIDE) == 0)
    level = max(float(np.median(after[surface] if surface.any() else after)), DARKEST)
    strength = max(float(np.abs(after - before)[solid].mean()), FAINTEST)
    edge, grain = (
        float(np.log((value + LEAST) / strength)) for value in (crispness(image, mask).edge * level, fine.std())
    )
    shown = measure_change(base, image, mask, (), margin=margin).shown
    return np.array([edge, grain, float((before - after)[solid].mean()), shown])


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Return the rank of each value from 1; equal ones share the mean of theirs.

    >>> ranks([3.0, 1.0, 3.0]).tolist()
    [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], np.float64)


def spearman(one: ArrayLike, other: ArrayLike) -> float:
    """Return Spearman's rank correlation of two rows; 0 where one is the same throughout."""
    a, b = ranks(one), ranks(other)
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / length if length else 0.0
