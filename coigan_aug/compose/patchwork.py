"""Patchwork: a defect put together from patches of real ones, coarse to fine, without any training.

After Granot et al. 2022, "Drop the GAN: In defense of patches nearest neighbors as single image generative models": the
patches of a rough guess are replaced by their nearest neighbours among those of examples, again and again, at growing sizes.
Here a patch shows, besides, how deep below the mask's edge each pixel lies: so edges are made of edges, insides of insides,
and what is drawn keeps to a mask that no example has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import depths, grow
from coigan_aug.annotations.rle import Mask
from coigan_aug.compose.patches import HALF, SIDE, Canvas, Shelf, copied, finer, nearest_around, nearest_of_all, voted

FACTOR = 0.75  # from one size to the next smaller one
ROUNDS, FINER_ROUNDS = 4, 2  # of search and vote: at the smallest size, at each other
THICK = 10.0  # px that the mask measures across at the smallest size: a patch and a half, so that none sees both edges
GUIDE = 2.0  # of the examples' deviation: what the depth, -1..1, weighs against the picture
NOISE = 0.5  # of the examples' deviation: how far the first guess differs from their mean
MANY, VERY_MANY = 3_000, 100_000  # patches beyond which every second, every fourth, either way, is enough
AROUND = 1  # px round a mask that are drawn as well
LIGHT = 6.0  # px: what a Gaussian of this width leaves is light and shape, the rest is texture

Floats = NDArray[np.float32]
Marks = NDArray[np.bool_]
Rng = np.random.Generator


@dataclass(frozen=True)
class Example:
    """A real defect and what lies round it: its change to the surface [h, w, C], its mask [h, w], what may be used [h, w]."""

    change: Floats
    mask: Mask
    usable: Marks


def reach_of(mask: Mask) -> int:
    """Return how far round a mask [h, w] a window has to show, px: the place's, and the examples'."""
    return math.ceil((2 * HALF + AROUND + 1) / _scales(mask)[0])


def patchwork(rng: Rng, base: Floats, mask: Mask, examples: Sequence[Example]) -> Floats:
    """Draw a defect into a mask.

    Args:
        base: what the surface is there by itself, less its light: [h, w, C], in the units of the examples.
        mask: not empty, [h, w]; nearer than `reach_of` to no edge.
        examples: one at least, of any sizes.

    Returns:
        The base with the defect, [h, w, C]; more than 1 px from the mask it is the base.
    """
    depth, own = depth_of(mask), [depth_of(example.mask) for example in examples]
    strength = _strength(examples, own)
    drawn = grow(mask, AROUND) != 0
    base = np.asarray(base / strength, np.float32)
    picture = np.where(drawn[..., None], _mean_at(depth, examples, own) / strength, base).astype(np.float32)
    field, last = None, None
    for scale in _scales(mask):
        now = _canvas(base, depth, drawn, scale), _shelf(examples, own, scale, strength)
        canvas = now[0]
        if field is None or last is None:
            picture = resized(picture, canvas.drawn.shape)
            picture = picture + rng.normal(0, NOISE, picture.shape).astype(np.float32)
            picture = np.where(canvas.drawn[..., None], picture, canvas.base)
            for _ in range(ROUNDS):
                field = nearest_of_all(rng, picture, *now)
                picture = voted(*now, field)
        else:
            field = finer(rng, field, last, now)
            picture = copied(*now, field)
            for _ in range(FINER_ROUNDS):
                field = nearest_around(rng, picture, *now, field)
                picture = voted(*now, field)
        last = now
    assert field is not None
    assert last is not None
    return np.asarray(copied(*last, field) * strength, np.float32)


def light_of(picture: Floats, hole: Marks) -> Floats:
    """Return the light on a surface, float32 [h, w, C]: the picture, smoothed; in a hole [h, w] it goes on from round it."""
    channels = [_smooth(_filled(picture[..., c], ~hole)) for c in range(picture.shape[2])]
    return np.dstack(channels)


def depth_of(mask: Mask) -> Floats:
    """Return how deep in a mask [h, w] each pixel's middle lies, px, and outside how far from it, negative.

    >>> depth_of(np.uint8([[0, 0, 1, 1]])).tolist()
    [[-1.5, -0.5, 0.5, 1.5]]
    """
    far = float(max(mask.shape))
    inside = depths(mask) if not mask.all() else np.full(mask.shape, far)
    outside = depths(1 - mask) if mask.any() else np.full(mask.shape, far)
    return np.where(mask != 0, inside - 0.5, 0.5 - outside).astype(np.float32)


def resized(values: Floats, shape: Sequence[int]) -> Floats:
    """Resize values [h, w(, C)] to the height and width of a shape, averaging over areas where they become fewer."""
    if values.shape[:2] == tuple(shape[:2]):
        return values
    kind = cv2.INTER_AREA if shape[0] < values.shape[0] else cv2.INTER_LINEAR
    out = cv2.resize(values, (shape[1], shape[0]), interpolation=kind)
    return np.asarray(out, np.float32).reshape(*shape[:2], *values.shape[2:])


def _scales(mask: Mask) -> list[float]:
    """Return the sizes to draw at: first one where the mask is 10 px thick, last 1."""
    thickness = 2 * float(depths(np.pad(mask, 1)).max())
    count = math.ceil(math.log(max(thickness / THICK, 1)) / -math.log(FACTOR))
    return [FACTOR**k for k in range(count, -1, -1)]


def _strength(examples: Sequence[Example], own: Sequence[Floats]) -> np.float32:
    """Return the deviation of the examples' changes, in and close round the masks: the unit in which they are compared."""
    values = np.concatenate([e.change[depth > -HALF].ravel() for e, depth in zip(examples, own, strict=True)])
    return np.float32(max(float(values.std()), 1.0))


def _mean_at(depth: Floats, examples: Sequence[Example], own: Sequence[Floats]) -> Floats:
    """Return the examples' mean change at each depth [h, w]: [h, w, C]."""
    marks = [e.usable if e.usable.any() else np.ones_like(e.usable) for e in examples]
    deep = np.concatenate([d[used] for d, used in zip(own, marks, strict=True)])
    values = np.concatenate([e.change[used] for e, used in zip(examples, marks, strict=True)])
    least = -HALF - 1
    bins = np.maximum(np.rint(deep), least).astype(int) - least
    count = np.bincount(bins)
    known = np.flatnonzero(count)
    means = [np.bincount(bins, values[:, c])[known] / count[known] for c in range(values.shape[1])]
    return np.dstack([np.interp(depth, known + least, mean) for mean in means]).astype(np.float32)


def _canvas(base: Floats, depth: Floats, drawn: Marks, scale: float) -> Canvas:
    shape = _scaled(depth.shape, scale)
    here = resized(drawn.astype(np.float32), shape) > 0
    middles = np.argwhere(grow(here, HALF))
    step = 1 if len(middles) <= MANY else 2 if len(middles) <= VERY_MANY else 4
    held = (middles >= HALF).all(axis=1) & (middles < np.array(shape) - HALF).all(axis=1)
    middles = middles[held & (middles % step == 0).all(axis=1)]
    return Canvas(resized(base, shape), _guide(resized(depth, shape), scale), here, middles, step)


def _shelf(examples: Sequence[Example], own: Sequence[Floats], scale: float, strength: np.float32) -> Shelf:
    values, allowed = [], []
    for example, depth in zip(examples, own, strict=True):
        shape = _scaled(depth.shape, scale)
        guide = _guide(resized(depth, shape), scale)
        values.append(np.dstack([resized(example.change, shape) / strength, guide]))
        allowed.append(_allowed(resized(example.usable.astype(np.float32), shape) > 0.999, guide))
    widest = max(marks.shape[1] for marks in allowed)
    starts = np.cumsum([0, *(len(marks) for marks in allowed[:-1])])
    marks = np.concatenate([np.pad(one, ((0, 0), (0, widest - one.shape[1]))) for one in allowed])
    stacked = np.concatenate([np.pad(one, ((0, 0), (0, widest - one.shape[1]), (0, 0))) for one in values])
    return Shelf(stacked, starts, marks, np.argwhere(marks))


def _allowed(usable: Marks, guide: Floats) -> Marks:
    """Mark the middles of whole patches at or in a defect; of any where none of those may be used."""
    inner = np.zeros(usable.shape, bool)
    inner[HALF : usable.shape[0] - HALF, HALF : usable.shape[1] - HALF] = True
    whole = inner & (cv2.erode(usable.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8)) != 0)
    near = guide > -GUIDE
    return next((marks for marks in (whole & near, inner & near, whole) if marks.any()), inner)


def _guide(depth: Floats, scale: float) -> Floats:
    """Return depths as far as a patch can tell them, weighed."""
    return np.clip(depth * np.float32(scale / (HALF + 1)), -1, 1) * np.float32(GUIDE)


def _scaled(shape: Sequence[int], scale: float) -> tuple[int, int]:
    return max(round(shape[0] * scale), SIDE), max(round(shape[1] * scale), SIDE)


def _smooth(values: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), LIGHT, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _filled(values: Floats, known: Marks) -> Floats:
    """Fill what is not known of values [h, w] by what is, seen from further and further away (push-pull)."""
    if known.all() or not known.any():
        return values
    height, width = values.shape
    half = ((height + 1) // 2, (width + 1) // 2)
    weight = resized(known.astype(np.float32), half)
    rough = resized(np.where(known, values, np.float32(0)), half) / np.maximum(weight, np.float32(1e-6))
    return np.where(known, values, resized(_filled(rough, weight > 0.01), (height, width)))
