"""Regions (left, top, width, height) of an image that may reach beyond its edges."""

from __future__ import annotations

import numpy as np

from coigan_aug.annotations.rle import Box, Mask


def cut_masks(masks: Mask, region: Box) -> Mask:
    """Cut a region out of masks [K, H, W]; nothing beyond the edges."""
    inner, before, after = inside(region, masks.shape[1], masks.shape[2])
    return np.pad(masks[:, inner[0], inner[1]], [(0, 0), (before[0], after[0]), (before[1], after[1])])


def inside(region: Box, height: int, width: int) -> tuple[tuple[slice, slice], tuple[int, int], tuple[int, int]]:
    """Return the part of a region inside the image, and how far it reaches beyond: (top, left) and (bottom, right)."""
    left, top, across, down = region
    rows = slice(max(top, 0), min(top + down, height))
    columns = slice(max(left, 0), min(left + across, width))
    return (rows, columns), (max(-top, 0), max(-left, 0)), (max(top + down - height, 0), max(left + across - width, 0))
