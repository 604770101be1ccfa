"""The engine gan: only the surroundings of the defects go through the network, and only the margin changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import decode_mirrored, resize
from coigan_aug.annotations.rle import Mask, Rle, box, decode_box
from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.compose.noise import condition, draw_latent, draw_noise, latent_shape
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.settings import Settings
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.latents import unpacked
from coigan_aug.synthesis.margin import add_change, alpha_of, margin_of


@dataclass(frozen=True)
class Patch:
    """A rectangle of an image to draw in, ready for the network: what it sees, and where its result goes."""

    region: Box
    base: Tensor  # [3, h, w] working scale, 0..1
    holes: Tensor  # [K, h, w] the masks at working scale
    condition: Tensor  # [C, h, w]
    latent: Tensor  # [L, Z]
    masks: Mask  # [K, H, W] full scale
    truncation: float = 1.0
    shift: Tensor | None = None  # [Z], of its styles


def cut_patches(image: Pixels, job: Job, generator: GeneratorFile, *, shift: Tensor | None = None) -> list[Patch]:
    """Cut the rectangles that hold the job's defects, with surroundings, out of its image [H, W(, 3)].

    Defects whose margins could meet share a rectangle. It has at least the training window's size and is
    otherwise the defects' box with a quarter of a window round it; where it reaches beyond the image, the image
    is mirrored. A defect that training saw in a larger view than the window (`data.fit`) gets that view, and the
    network sees it as small as there. `shift` [Z] is what the job's style adds to the styles.
    """
    settings = generator.settings
    rectangles = merge_boxes([box(defect.rle) for defect in job.defects], reach=margin_of(settings) + 1)
    frames = [_frame(item, settings, image.shape) for item in rectangles]
    parts = [replace(job, defects=tuple(d for d in job.defects if box(d.rle).within(item))) for item in rectangles]
    return [
        replace(_patch(image, part, frame, generator, k), shift=shift)
        for k, (part, frame) in enumerate(zip(parts, frames, strict=True))
    ]


def merge_boxes(boxes: Sequence[Box], *, reach: int) -> list[Box]:
    """Join boxes that come within 2 * reach px of each other, until none do.

    >>> merge_boxes([Box(0, 0, 4, 4), Box(6, 0, 4, 4), Box(50, 50, 2, 2)], reach=1)
    [Box(left=0, top=0, width=10, height=4), Box(left=50, top=50, width=2, height=2)]
    """
    merged: list[Box] = []
    for item in boxes:
        near = [other for other in merged if item.grow(2 * reach + 1).meets(other)]
        for other in near:
            merged.remove(other)
        merged = merge_boxes([*merged, item.hull(near)], reach=reach) if near else [*merged, item]
    return sorted(merged)


Frame = tuple[Box, tuple[int, int]]


def _frame(item: Box, settings: Settings, shape: tuple[int, ...]) -> Frame:
    """Return the region round a box in an image of a shape, full-size px, and how high and wide the network sees it."""
    data = settings.data
    window = round(data.window / data.scale)
    length = item.longer + 2 * margin_of(settings)
    side = min(math.ceil(length / data.fit), max(shape[:2])) if data.fit else 0
    if side > window:  # seen whole and smaller, as `Examples.side` says
        return item.around(side, side).shifted_into(shape), (data.window, data.window)
    width, height = (_extended(length, window, round(8 / data.scale)) for length in (item.width, item.height))
    region = item.around(width, height).shifted_into(shape)
    return region, (round(height * data.scale), round(width * data.scale))


def _extended(length: int, window: int, step: int) -> int:
    """Widen a length to a window, or by a quarter window on both sides, in steps."""
    return max(window, -(-(length + window // 2) // step) * step)


def _patch(image: Pixels, job: Job, frame: Frame, generator: GeneratorFile, number: int) -> Patch:
    """Make a rectangle ready that holds all of a job's defects; `number` tells it from the image's others."""
    settings, defects = generator.settings, job.defects
    region, small = frame
    mirrored, contrast = _drawn(defects, region, classes=len(generator.classes), draw=decode_mirrored)
    pixels = to_rgb(cut_mirrored(image, region))
    base = pixels if small == pixels.shape[:2] else cv2.resize(pixels, small[::-1], interpolation=cv2.INTER_AREA)
    contrasts = _averaged(contrast, mirrored.max(axis=0), small)
    shrunk = np.stack([resize(mask, height=small[0], width=small[1]) for mask in mirrored])
    given = next((defect.latent for defect in defects if defect.latent), "")
    drawn = draw_latent(streams.generator(job.seed, "latent", number), settings.model, mixing=0.0)
    latent = unpacked(given, latent_shape(settings.model)) if given else drawn
    fields = draw_noise(
        streams.generator(job.seed, "noise", number),
        settings.model,
        classes=len(shrunk),
        height=small[0],
        width=small[1],
    )
    return Patch(
        region,
        torch.from_numpy(np.ascontiguousarray(base.transpose(2, 0, 1))).float() / 255,
        torch.from_numpy(shrunk),
        torch.from_numpy(condition(shrunk, fields, settings.model, contrast=contrasts)),
        torch.from_numpy(latent),
        _drawn(defects, region, classes=len(generator.classes))[0],
        job.truncation,
    )


def _drawn(
    defects: Sequence[PlannedDefect], region: Box, *, classes: int, draw: Callable[[Rle, Box], Mask] = decode_box
) -> tuple[Mask, NDArray[np.float32]]:
    """Paint masks [K, h, w] and contrasts [h, w] of defects in a region; `draw` says what lies beyond the image: nothing."""
    masks = np.zeros((classes, region.height, region.width), np.uint8)
    contrast = np.zeros((region.height, region.width), np.float32)
    for defect in defects:
        mask = draw(defect.rle, region)
        masks[defect.label] |= mask
        contrast[mask != 0] = defect.contrast * defect.strength
    return masks, contrast


def _averaged(values: NDArray[np.float32], mask: Mask, size: tuple[int, int]) -> NDArray[np.float32]:
    """Shrink values [h, w] to a size, averaging over the pixels of a mask only; 0 where it has none."""
    if values.shape == size:
        return values
    cover, total = (
        cv2.resize(a.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) for a in (mask, values * mask)
    )
    return np.asarray(np.divide(total, cover, out=np.zeros_like(total), where=cover > 0))


@torch.no_grad()
def draw_patches(patches: Sequence[Patch], generator: GeneratorFile, device: torch.device) -> list[NDArray[np.float32]]:
    """Return what to add to each patch's pixels at working scale: float32 [h, w, 3] in -1..1.

    On a GPU patches of one size and truncation go together; on the CPU each goes alone, so that the last bits never depend on
    what else is in the batch.
    """
    deltas: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(patches)
    for indices in _together(patches, device):
        base = torch.stack([patches[k].base for k in indices]).to(device)
        holes = torch.stack([patches[k].holes for k in indices]).to(device)
        extra = torch.stack([patches[k].condition for k in indices]).to(device)
        latent = torch.stack([patches[k].latent for k in indices]).to(device)
        network = generator.generator
        first = patches[indices[0]]
        shifts = [shift for k in indices if (shift := patches[k].shift) is not None]
        drawn = network.generate(
            network.seen(base, holes), extra, latent, truncation=first.truncation,
            shift=torch.stack(shifts).to(device) if shifts else None,
        )  # fmt: skip
        out = (drawn.clamp(0, 1) - base).cpu().numpy()
        for k, delta in zip(indices, out, strict=True):
            deltas[k] = np.ascontiguousarray(delta.transpose(1, 2, 0))
    return deltas


def _together(patches: Sequence[Patch], device: torch.device) -> list[list[int]]:
    if device.type == "cpu":
        return [[k] for k in range(len(patches))]
    alike: dict[tuple[torch.Size, float, bool], list[int]] = {}
    for k, patch in enumerate(patches):
        alike.setdefault((patch.base.shape, patch.truncation, patch.shift is None), []).append(k)
    return list(alike.values())


def blend(image: Pixels, patch: Patch, delta: NDArray[np.float32], generator: GeneratorFile) -> Pixels:
    """Add a patch's change to an image [H, W(, 3)] inside the margin; every other byte stays as it is."""
    region = patch.region
    fits = delta.shape[:2] == (region.height, region.width)
    full = delta if fits else cv2.resize(delta, (region.width, region.height), interpolation=cv2.INTER_CUBIC)
    alpha = alpha_of(patch.masks, generator.settings)
    held = region.clip(image.shape)
    inner, own = held.slices, held.seen_from(region).slices
    out = image.copy()
    out[inner] = add_change(image[inner], np.asarray(full[own], np.float32), alpha[own])
    return out
