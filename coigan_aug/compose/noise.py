"""Mask noise: what tells two defects with the same mask apart (thesis 4.3.5)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.settings import ModelSettings

Field = NDArray[np.float32]
MIXING = 0.5
"""Probability that the coarse and the fine levels of a training sample get different latents."""


def condition_channels(settings: ModelSettings, classes: int) -> int:
    """Return how many conditioning channels the generator sees beside the image."""
    return classes + int(settings.contrast) + (len(settings.noise_scales) if settings.noise == "channels" else 0)


def latent_shape(settings: ModelSettings) -> tuple[int, int]:
    """Return the levels that a latent has a row for, and the numbers in a row; (0, 0) where the generator takes none."""
    return (settings.depth + 1, settings.latent) if settings.generator == "style_unet" else (0, 0)


def draw_latent(rng: np.random.Generator, settings: ModelSettings, *, mixing: float) -> Field:
    """Draw a latent: float32 [L, Z]. Its rows are equal, or with probability `mixing` two different ones.

    Then one is for the coarse levels and the other for the fine ones, the border between them anywhere (Karras et al.
    2019, section 3.1).
    """
    levels, numbers = latent_shape(settings)
    if levels == 0:
        return np.zeros((0, 0), np.float32)
    coarse, fine = rng.standard_normal((2, numbers), dtype=np.float32)
    border = int(rng.integers(1, levels)) if levels > 1 and rng.random() < mixing else levels
    return np.stack([coarse if level < border else fine for level in range(levels)])


def draw_noise(rng: np.random.Generator, settings: ModelSettings, *, classes: int, height: int, width: int) -> Field:
    """Draw what `condition` puts on masks: float32 [S, H, W], or with `noise_per_class` [K, S, H, W]; as `noise_fields`."""
    fields = [
        noise_fields(rng, height=height, width=width, scales=settings.noise_scales)
        for _ in range(classes if settings.noise_per_class else 1)
    ]
    return np.stack(fields) if settings.noise_per_class else fields[0]


def noise_fields(rng: np.random.Generator, *, height: int, width: int, scales: Sequence[int]) -> Field:
    """Draw one standard normal field for each scale: float32 [S, H, W].

    Scale s draws every s-th pixel and fills in bilinearly (corners aligned), so s is the grain's size in px.
    """
    return np.stack([_grain(rng, height, width, scale) for scale in scales])


def _grain(rng: np.random.Generator, height: int, width: int, scale: int) -> Field:
    rows, columns = -(-height // scale) + 1, -(-width // scale) + 1
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    if scale == 1:
        return coarse[:height, :width]
    y = np.arange(height, dtype=np.float32) / scale
    x = np.arange(width, dtype=np.float32) / scale
    map_x, map_y = np.meshgrid(x, y)
    return np.asarray(cv2.remap(coarse, map_x, map_y, cv2.INTER_LINEAR), dtype=np.float32)


def condition(
    masks: NDArray[np.uint8], fields: Field, settings: ModelSettings, *, contrast: Field | None = None
) -> Field:
    """Make the generator's conditioning channels from masks [K, H, W] of 0 and 1 and what `draw_noise` drew, [S, H, W].

    `channels`: the K masks, then each field x std + mean inside the union of the masks, 0 outside: [K + S, H, W].
    The masks stay binary, so a one-pixel crack is as plain as a blotch.
    `replace`: the thesis' noised masks [K, H, W]; see `noised_masks`. Noise may be each class's own, [K, S, H, W].

    With `settings.contrast` the channel after the masks is the contrast of each defect, [H, W] from -1 up on its mask.
    """
    union = masks.any(axis=0).astype(np.float32)
    contrasts = [contrast * union if contrast is not None else np.zeros_like(union)] if settings.contrast else []
    if settings.noise == "replace":
        noise = (fields * settings.noise_std + settings.noise_mean).sum(axis=-3)
        return np.stack([*noised_masks(masks, noise, blur=settings.noise_blur), *contrasts])
    grains = (fields * settings.noise_std + settings.noise_mean) * union
    return np.stack([*masks.astype(np.float32), *contrasts, *grains.astype(np.float32)])


def noised_masks(masks: NDArray[np.uint8], noise: NDArray[np.floating], *, blur: int) -> Field:
    """Noise binary masks [K, H, W] as the thesis does, with one field [H, W] or one a class: float32 [K, H, W] in 0..1.

    B = blurred masks; X = noise x B; the result is (X - low) / (high - low) x B, with low = min(0, X) and
    high = max(1, X) over the tensor. B counts twice, so a blur of 41 px (sigma 6.5) drives a line of 3 px down
    to 0.06: use a small blur for thin defects. Empty channels stay 0.
    """
    solid = masks.astype(np.float32)
    if not solid.any():
        return solid
    sigma = 0.15 * blur + 0.35
    soft = np.stack([cv2.GaussianBlur(mask, (blur, blur), sigma) for mask in solid]) if blur else solid
    product = noise * soft
    low, high = min(0.0, float(product.min())), max(1.0, float(product.max()))
    return ((product - low) / (high - low) * soft).astype(np.float32)
