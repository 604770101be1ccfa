"""Contrast: how much brighter or darker a defect is than the surface round it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.rle import Mask, decode_box
from coigan_aug.geometry import Box
from coigan_aug.prepare.examples import Examples
from coigan_aug.prepare.objects import DefectObject

_NEAREST, _WIDEST = 4, 16  # how far round a defect its surroundings reach, px at the working scale
_DARKEST, _MOST = 10.0, 2.0  # grey level of 255 below which a surface is too dark to divide by; largest contrast


def contrast_of(examples: Examples, item: DefectObject) -> float:
    """Return an object's mean brightness over that of the clean surface round it, less 1 (Weber contrast): -1..2.

    A ratio, because one defect under another light or exposure keeps it. The surface is what lies up to a quarter of the
    object's longer side away, 4 to 16 px, and holds no defect; pixels that touch a mask are left out, since they are often
    blurred. Where void, such as a border round the defect, leaves nothing of that, it is looked for further away. 0 where
    nothing is left.
    """
    reach = min(max(item.box.longer // 4, _NEAREST), _WIDEST)
    for further in (1, 2, 4) if item.position in examples.void else (1,):
        region = item.box.grow(further * reach).clip(examples.cache[item.position].shape)
        inside = decode_box(item.scaled, region) != 0
        ring = (grow(inside, further * reach) != 0) & (grow(no_surface_in(examples, item.position, region), 1) == 0)
        if ring.any():
            grey = examples.pixels(item.position, region).mean(axis=2)
            return min(float(grey[inside].mean()) / max(float(grey[ring].mean()), _DARKEST) - 1, _MOST)
    return 0.0


def no_surface_in(examples: Examples, position: int, region: Box) -> Mask:
    """Draw all that is no clean surface inside a region: uint8 [h, w]."""
    masks, void = examples.masks(position, region).max(axis=0), examples.void_in(position, region)
    return np.asarray(masks if void is None else masks | void, np.uint8)


def contrast_map(examples: Examples, position: int, region: Box) -> NDArray[np.float32]:
    """Paint the contrast of a record's objects on their masks in a view of a region: float32 [window, window], else 0.

    Where objects overlap, the last one counts.
    """
    out = np.zeros((examples.window, examples.window), np.float32)
    for k in examples.by_record.get(position, ()):
        item = examples.objects[k]
        mask = _shown(examples, item, region)
        if mask.any():
            out[mask != 0] = contrast_of(examples, item)
    return out


def _shown(examples: Examples, item: DefectObject, region: Box) -> Mask:
    """Show the pixels that an object covers, wholly or partly, as a view of the region does: [window, window]."""
    mask = examples.object_mask(item, region)
    if mask.shape == (examples.window, examples.window):
        return mask
    size = (examples.window, examples.window)
    return (cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
