"""compose: one pure function from (prepared, settings, seed, index) to a sample; no state, no order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import cover, grow, resize
from coigan_aug.annotations.rle import Mask, decode_box
from coigan_aug.compose.augment import Transform, apply, draw_one, draw_transform, kept
from coigan_aug.compose.erase import GROW, erase
from coigan_aug.compose.noise import MIXING, condition, draw_latent, draw_noise
from coigan_aug.compose.placement import find_place, fit
from coigan_aug.compose.sample import Image, Sample
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.contrast import contrast_map, contrast_of
from coigan_aug.prepare.examples import defect_region
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.prepare.tiles import Window
from coigan_aug.settings import DataSettings, Settings

Rng = np.random.Generator
Seen = tuple[Pixels, Mask, Image, Pixels, Mask]
MOST_ERASED = 0.4


def compose(prepared: Prepared, settings: Settings, seed: int, index: int) -> Sample:
    """Compose sample `index` of the endless stream that `seed` names.

    The same (prepared, settings, seed, index) gives the same bytes in any order, process and number of workers.
    """
    rng = streams.generator(seed, "compose", index)
    chosen = _choose(prepared, settings, rng)
    base, zoom = _clean_window(prepared, settings, rng, chosen)
    masks, objects, contrast = _canvas(prepared, settings, rng, chosen, zoom)
    object_masks = masks
    if settings.data.shapes == "different":
        object_masks, objects, _ = _canvas(prepared, settings, rng, _choose(prepared, settings, rng), zoom)
    reference, reference_masks, *_ = _reference(prepared, settings, rng)
    target, pair_masks, pair_contrast, erased, hole = _erasable(prepared, settings, rng)
    pair_base = _before(prepared, rng, target, erased, hole)
    return Sample(
        base=_image(base),
        masks=masks.astype(np.float32),
        condition=_condition(masks, contrast, settings, rng),
        latent=draw_latent(rng, settings.model, mixing=MIXING),
        objects=_image(objects),
        object_masks=object_masks.astype(np.float32),
        reference=_image(reference),
        reference_masks=reference_masks.astype(np.float32),
        pair_base=_image(pair_base),
        pair_masks=pair_masks.astype(np.float32),
        pair_condition=_condition(pair_masks, pair_contrast, settings, rng),
        pair_latent=draw_latent(rng, settings.model, mixing=MIXING),
        pair_target=_image(target),
    )


def _image(pixels: Pixels) -> Image:
    """Turn uint8 [H, W, 3] into float32 [3, H, W] in 0..1."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)


def _condition(masks: Mask, contrast: Image, settings: Settings, rng: Rng) -> Image:
    classes, height, width = masks.shape
    fields = draw_noise(rng, settings.model, classes=classes, height=height, width=width)
    return condition(masks, fields, settings.model, contrast=contrast)


def _mirror(rng: Rng, settings: Settings, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Mirror arrays alike; the last two axes of masks [K, H, W] and the first two of images [H, W, 3] are rows, columns."""
    flips = (rng.random(2) < 0.5) & settings.data.flip
    rows, columns = (slice(None, None, -1 if flip else 1) for flip in flips)
    return tuple(a[rows, columns] if a.shape[-1] == 3 and a.ndim == 3 else a[..., rows, columns] for a in arrays)


def _choose(prepared: Prepared, settings: Settings, rng: Rng) -> list[tuple[DefectObject, Transform]]:
    """Choose real objects of random classes, and what they go through; at least one."""
    data, chosen = settings.data, list[tuple[DefectObject, Transform]]()
    order = [int(k) for k in rng.permutation(prepared.classes) if prepared.by_class[k]]
    for number, label in enumerate(order):
        members = prepared.by_class[label]
        for _ in range(_how_many(rng, data.defects, force=number == len(order) - 1 and not chosen)):
            item = prepared.objects[members[int(rng.integers(len(members)))]]
            chosen.append((item, _transform(data, rng)))
    return chosen


def _transform(data: DataSettings, rng: Rng) -> Transform:
    if data.transforms == "one":
        return draw_one(
            rng, probability=data.augment, rotate=data.rotate, scale_range=data.scale_range, shift=data.shift,
            shear=data.shear,
        )  # fmt: skip
    return draw_transform(
        rng, probability=data.augment, rotate=data.rotate, scale_range=data.scale_range, flip=data.flip
    )


def _how_many(rng: Rng, shares: tuple[float, ...], *, force: bool) -> int:
    weights = np.array((0.0, *shares[1:]) if force else shares)
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def _clean_window(
    prepared: Prepared, settings: Settings, rng: Rng, chosen: list[tuple[DefectObject, Transform]]
) -> tuple[Pixels, float]:
    """Cut a defect-free view in which the largest of the objects is seen whole: its window and how much smaller it is shown.

    Only images without defects and void have views larger than the window.
    """
    window = prepared.clean[int(rng.integers(len(prepared.clean)))]
    free = prepared.is_clean(window.position)
    length = max(item.box.longer * transform.scale for item, transform in chosen)
    side = prepared.side(length, window.position) if free else prepared.window
    region = _jitter(prepared, window, settings, rng, side) if free else window.box(prepared.window)
    return _mirror(rng, settings, prepared.surface(window, region))[0], side / prepared.window


def _jitter(prepared: Prepared, window: Window, settings: Settings, rng: Rng, side: int) -> Box:
    """Make a window a view of that side, shifted by up to half the step between windows, inside its image if it fits."""
    reach = int(prepared.window * (1 - settings.data.overlap) / 2)
    more = (side - prepared.window) // 2
    shift_x, shift_y = (int(value) for value in rng.integers(-reach, reach + 1, 2))
    view = Box(window.left - more + shift_x, window.top - more + shift_y, side, side)
    return view.shifted_into(prepared.cache[window.position].shape)


def _canvas(
    prepared: Prepared, settings: Settings, rng: Rng, chosen: list[tuple[DefectObject, Transform]], zoom: float
) -> tuple[Mask, Pixels, Image]:
    """Put objects, `zoom` times smaller, on a black canvas, none over another.

    Returns masks [K, H, W], pixels [H, W, 3] and the contrast of each object on its mask [H, W].
    """
    side = prepared.window
    contrast = np.zeros((side, side), np.float32)
    masks = np.zeros((prepared.classes, side, side), np.uint8)
    pixels = np.zeros((side, side, 3), np.uint8)
    for item, transform in chosen:
        crop, mask = _object(prepared, item, transform, zoom)
        rows, columns = fit(rng, mask, height=side, width=side)
        crop, mask = crop[rows, columns], mask[rows, columns]
        place = find_place(rng, mask, masks.max(axis=0) != 0)
        if place is None:
            continue
        area = Box(*place, mask.shape[1], mask.shape[0]).slices
        masks[item.label][area] |= mask
        pixels[area] = np.where(mask[..., None] != 0, crop, pixels[area])
        if settings.model.contrast:
            contrast[area][mask != 0] = contrast_of(prepared, item)
    return masks, pixels, contrast


def _object(prepared: Prepared, item: DefectObject, transform: Transform, zoom: float) -> tuple[Pixels, Mask]:
    """Cut an object out of its image with some surroundings, shrink and transform both, then cut it tight."""
    region = item.box.grow(0 if transform.exact and zoom == 1 else math.ceil(4 * zoom))
    crop, mask = prepared.pixels(item.position, region), decode_box(item.scaled, region)
    if zoom != 1:
        small = (max(round(region.height / zoom), 1), max(round(region.width / zoom), 1))
        crop = np.asarray(cv2.resize(crop, small[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        mask = resize(mask, height=small[0], width=small[1])
    crop, mask = apply(transform, crop, mask)
    rows, columns = kept(transform, mask)
    return crop[rows, columns], mask[rows, columns]


def _reference(prepared: Prepared, settings: Settings, rng: Rng) -> Seen:
    """Cut any real window: three of four times one with defects, or (`data.reference` tiles) each tile as often."""
    if settings.data.reference == "tiles":
        clean, others = prepared.clean, prepared.with_objects
        number = int(rng.integers(len(clean) + len(others)))
        tile = clean[number] if number < len(clean) else others[number - len(clean)]
        return _pair(prepared, settings, rng, tile.position, tile.box(prepared.window))
    if prepared.with_objects and rng.random() < 0.75:
        return _defect_window(prepared, settings, rng)
    window = prepared.clean[int(rng.integers(len(prepared.clean)))]
    shifted = _jitter(prepared, window, settings, rng, prepared.window)
    region = window.box(prepared.window) if window.position in prepared.void else shifted
    return _pair(prepared, settings, rng, window.position, region)


def _erasable(prepared: Prepared, settings: Settings, rng: Rng) -> Seen:
    """Cut a defect window whose defects can be erased: they cover at most 40 % of it, or else it has no masks at all."""
    for _ in range(4):
        pixels, masks, contrast, erased, hole = _defect_window(prepared, settings, rng)
        if (hole != 0).mean() <= MOST_ERASED:
            return pixels, masks, contrast, erased, hole
    return pixels, np.zeros_like(masks), contrast, erased, np.zeros_like(hole)


def _before(prepared: Prepared, rng: Rng, target: Pixels, erased: Pixels, hole: Mask) -> Pixels:
    """Return a defect window [H, W, 3] without the defects of a hole [H, W]: as it was erased already, or erased now."""
    if prepared.erased is None:
        return erase(rng, target, hole, grow=GROW)
    return np.where(grow(hole, GROW)[..., None] != 0, erased, target)


def _defect_window(prepared: Prepared, settings: Settings, rng: Rng) -> Seen:
    position, region = defect_region(rng, prepared, whole=True)
    return _pair(prepared, settings, rng, position, region)


def _pair(prepared: Prepared, settings: Settings, rng: Rng, position: int, region: Box) -> Seen:
    """View a region: pixels [H, W, 3], masks [K, H, W], the contrast of each defect on its mask [H, W], pixels erased, hole.

    The hole [H, W] is what is erased: the masks, and the void beside them.
    """
    zeros = np.zeros((prepared.window,) * 2, np.float32)
    contrast = contrast_map(prepared, position, region) if settings.model.contrast else zeros
    pixels, masks = prepared.view(position, region)
    erased = pixels if prepared.erased is None else prepared.shown(prepared.erased_pixels(position, region))
    hole = np.asarray(masks.max(axis=0), np.uint8)
    if position in prepared.beside:
        hole |= cover(prepared.hole(position, region), height=prepared.window, width=prepared.window)
    seen = _mirror(rng, settings, pixels, masks, contrast, erased, hole)
    pixels, masks, contrast, erased, hole = map(np.ascontiguousarray, seen)
    return pixels, masks, contrast, erased, hole


@dataclass(frozen=True)
class Stream:
    """The endless stream of samples as an indexable value that a data loader's workers can share."""

    prepared: Prepared
    settings: Settings
    seed: int

    def __getitem__(self, index: int) -> Sample:
        return compose(self.prepared, self.settings, self.seed, index)
