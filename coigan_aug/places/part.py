"""The part in an image: what is not background, found in the pixels; everything where no background is seen."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask
from coigan_aug.imaging import Pixels

Field = NDArray[np.float32]
# The thresholds stand far from where results change: on the 66 scenes of tests/places/test_part.py each of them, alone, can
# be halved or doubled (one near 1: its distance from 1) and every part is still found, but for _CLEAR, which can be 12 to
# 30, _MOST, 0.81 to 0.90, and _HULL, 0.63 to 0.87.
_CORNERS = ((0, 0), (0, -1), (-1, 0), (-1, -1))
_PATCH = 0.04  # side of the patch in a corner that shows the background's level, in shorter sides; 4 px at least
_EVEN = 10.0  # grey levels by which nine tenths of a background's patch may differ from its level
_NEAR = 12.0  # grey levels by which background may differ from its level in the first place
_CLEAR = 24.0  # grey levels by which a part differs from its background a few px behind the edge
_ALONG = 0.85  # share of the edge along which it does
_SHARP = 0.6  # share of that difference that lies within the few px of the edge
_ALIKE = 0.1  # largest share of a part that has the background's level
_ROUGH = 6.0  # grey levels between the quartiles of a background that is rougher than its part
_SOLID = 0.9  # share of a background that is left when it is opened
_LEAST, _MOST = 0.02, 0.85  # smallest share of an image that one background takes, largest that all of it takes
_THICK = 0.03  # in shorter sides: a background is somewhere further than this from its part, else it is a rim
_SIDE = 0.95  # share of one side of the image at least that a background takes
_HULL = 0.75  # share of its convex hull at least that a part takes
_SPECK = 0.1  # parts smaller than this share of the largest one are dust
_LARGE = (
    1 << 24
)  # pixels from which on an image is looked at in a smaller copy of a quarter as many: openings take long
_BESIDE = (2, 5)  # px: how far on either side of an edge it is looked at; nearer it is blurred


def find_part(image: Pixels) -> Mask:
    """Find the part that an image [H, W] or [H, W, 3] shows: uint8 [H, W], 1 on the part; all 1 where no background is seen.

    A background is seen from a corner of the image: it has one level there (dark, bright, any colour), reaches as far as
    that level does, is solid, takes a whole side of the image, and ends at a sharp edge, behind which its level is rare.
    A corner that shows anything else is of the part, so a surface that fills the image, even or rough or darker towards
    its ends, stays whole. Where two sides of an edge could be background, it is the more even one. What the background
    encloses, and is much smaller than the part, is dust on it; holes in the part are of the part.

    In doubt everything is part: where it would take under 15 % of the image, or had a jagged or hollow outline. In images
    of over 16.8 million pixels the outline is that of a smaller copy.
    """
    height, width = image.shape[:2]
    if height * width > _LARGE:
        shrink = (height * width * 4 / _LARGE) ** 0.5
        size = max(round(width / shrink), 1), max(round(height / shrink), 1)
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return full_size(find_part(small), height=height, width=width)
    smooth = cv2.medianBlur(np.ascontiguousarray(image), 3).astype(np.float32).reshape(*image.shape[:2], -1)
    seen: list[NDArray[np.bool_]] = []
    for corner in _CORNERS:
        region = None if any(other[corner] for other in seen) else _background(smooth, corner)
        seen += [] if region is None else [region]
    background = np.zeros(image.shape[:2], bool)
    for k in np.argsort([_spread(smooth, region) for region in seen], kind="stable"):
        if (background | seen[k]).mean() <= _MOST:
            background |= seen[k]
    if not background.any():
        return np.ones(background.shape, np.uint8)
    part = _without_dust(~background)
    return part if _is_simple(part) else np.ones(part.shape, np.uint8)


def full_size(mask: Mask, *, height: int, width: int) -> Mask:
    """Show a mask [h, w] of the working scale at full size by nearest neighbour: uint8 [height, width].

    >>> full_size(np.array([[0, 1]], np.uint8), height=1, width=4).tolist()
    [[0, 0, 1, 1]]
    """
    rows = (np.arange(height) + 0.5) * mask.shape[0] / height
    columns = (np.arange(width) + 0.5) * mask.shape[1] / width
    return np.asarray(mask[rows.astype(np.int64)[:, None], columns.astype(np.int64)[None, :]])


def _background(smooth: Field, corner: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return the background seen from a corner, bool [H, W], or None where there is none."""
    side = max(round(_PATCH * min(smooth.shape[:2])), 4)
    rows, columns = (slice(-side, None) if end else slice(side) for end in corner)
    patch = smooth[rows, columns].reshape(-1, smooth.shape[2])
    level = np.median(patch, axis=0)
    if np.quantile(np.abs(patch - level).max(axis=1), 0.9) > _EVEN:
        return None
    channels = (np.abs(smooth[..., k] - level[k]) for k in range(smooth.shape[2]))
    off = functools.reduce(np.maximum, channels)  # many times faster than a maximum over an axis of three
    first = _reached(off <= _NEAR, corner)
    beyond = _beside(first)
    contrast = float(np.median(off[beyond])) if beyond.any() else 0.0
    if contrast < _CLEAR:
        return None
    region = _reached(off <= max(_NEAR, contrast / 2), corner)  # half-way: errs least where both levels vary alike
    return region if _is_solid(region) and _ends_sharply(region, off) and _is_other(region, smooth, off) else None


def _reached(near: NDArray[np.bool_], corner: tuple[int, int]) -> NDArray[np.bool_]:
    """Return what is connected to a corner of what is near its level, without specks and thin branches: bool [H, W]."""
    filled = cv2.morphologyEx(near.astype(np.uint8), cv2.MORPH_CLOSE, _disc(1), borderType=cv2.BORDER_REPLICATE)
    opened = _opened(np.asarray(filled, np.uint8), _radius(near.shape))
    if not opened[corner]:
        return np.zeros(near.shape, bool)
    reached = np.zeros((near.shape[0] + 2, near.shape[1] + 2), np.uint8)  # cv2 wants a frame round it
    start = (corner[1] % near.shape[1], corner[0] % near.shape[0])
    cv2.floodFill(opened, reached, start, 1, flags=4 | cv2.FLOODFILL_MASK_ONLY | 1 << 8)
    return np.asarray(reached[1:-1, 1:-1] != 0)


def _is_solid(region: NDArray[np.bool_]) -> bool:
    """Tell whether a background is large, deep and without branches, and takes a whole side of the image."""
    sides = (region[0], region[-1], region[:, 0], region[:, -1])
    if not _LEAST <= region.mean() <= _MOST or max(float(side.mean()) for side in sides) < _SIDE:
        return False
    mask: Mask = region.astype(np.uint8)
    depth = float(cv2.distanceTransform(mask, cv2.DIST_L2, 5).max())
    kept = _opened(mask, 2 * _radius(region.shape)).mean() / mask.mean()
    return bool(depth > _THICK * min(region.shape) and kept >= _SOLID)


def _ends_sharply(region: NDArray[np.bool_], off: Field) -> bool:
    """Tell whether the level changes clearly, and within a few px, along the edge of a background."""
    beyond, before = _beside(region), _beside(~region)
    if not beyond.any() or not before.any():
        return False
    clear = float((cv2.blur(off, (3, 3))[beyond] >= _CLEAR).mean()) >= _ALONG
    behind = float(np.median(off[beyond]))
    return clear and behind - float(np.median(off[before])) >= _SHARP * behind


def _is_other(region: NDArray[np.bool_], smooth: Field, off: Field) -> bool:
    """Tell whether the rest of the image is something else: its level is another, and it is not the more even one."""
    alike = float((off[~region] <= _NEAR).mean())
    return alike <= _ALIKE and _spread(smooth, region) <= max(_ROUGH, 2 * _spread(smooth, ~region))


def _spread(smooth: Field, where: NDArray[np.bool_]) -> float:
    """Return the grey levels between the quartiles of a region, the largest of its channels; every third pixel is looked at."""
    low, high = np.quantile(smooth[where][::3], (0.25, 0.75), axis=0)
    return float((high - low).max())


def _beside(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark what lies a few px outside a region."""
    near, far = (cv2.dilate(region.astype(np.uint8), _disc(reach)) for reach in _BESIDE)
    return np.asarray((far != 0) & (near == 0))


def _without_dust(part: NDArray[np.bool_]) -> Mask:
    """Keep the parts that are not much smaller than the largest."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= _SPECK * areas[1:].max(initial=0)
    kept[0] = False
    return np.asarray(kept[labels], np.uint8)


def _is_simple(part: Mask) -> bool:
    """Tell whether parts have simple outlines, as made things have and spots of a pattern have not."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hulls = [cv2.contourArea(cv2.convexHull(outline)) for outline in outlines]
    return all(cv2.contourArea(outline) >= _HULL * hull for outline, hull in zip(outlines, hulls, strict=True))


def _opened(mask: Mask, radius: int) -> Mask:
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(radius), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _radius(shape: tuple[int, ...]) -> int:
    return max(round(0.01 * min(shape)), 1)


def _disc(radius: int) -> Mask:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)
