"""The margin: how far outside its mask a defect may change pixels, and how the change falls off there."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.rle import Mask
from coigan_aug.imaging import Pixels
from coigan_aug.models.composite import mask_alpha
from coigan_aug.settings import Settings

Alpha = NDArray[np.float32]
EDGE, LEAST_INSIDE = 0.6, 0.75


def margin_of(settings: Settings) -> int:
    """Return how far outside its mask a defect may change pixels, full-size px."""
    inner, soften = _full_size(settings)
    return inner + soften


def alpha_of(masks: Mask, settings: Settings) -> Alpha:
    """Return how much of each pixel a defect may replace: float32 [H, W], 1 in the masks [K, H, W], 0 beyond the margin."""
    inner, soften = _full_size(settings)
    return np.asarray(mask_alpha(torch.from_numpy(masks)[None].float(), grow=inner, soften=soften)[0, 0].numpy())


def soft_alpha(mask: Mask, settings: Settings) -> Alpha:
    """Return how much of each pixel a moved defect replaces: float32 [H, W], 1 in the mask, half just beyond it.

    A defect's own pixels come with their mask. The surface that would come with them in the margin is another image's, and
    shows as a rim.
    """
    return soft_edge(mask, min(margin_of(settings), 1))


def soft_edge(mask: Mask, soften: int) -> Alpha:
    """Return how much of each pixel a defect replaces that ends with its mask: float32 [H, W], falling over `soften` px."""
    return np.asarray(mask_alpha(torch.from_numpy(mask)[None, None].float(), grow=0, soften=soften)[0, 0].numpy())


def straddling_alpha(mask: Mask, settings: Settings) -> Alpha:
    """Return how much of each pixel is replaced: float32 [H, W], most in the mask, little 1 px outside, nothing further off.

    The edge is as steep as a camera's: a Gaussian of 0.6 px over the mask's border. Lines of a pixel keep three quarters.
    """
    solid = mask.astype(np.float32)
    if margin_of(settings) == 0:
        return solid
    soft = cv2.GaussianBlur(solid, (0, 0), EDGE, borderType=cv2.BORDER_REPLICATE)
    return np.where(mask != 0, np.maximum(soft, np.float32(LEAST_INSIDE)), soft * grow(mask, 1))


def add_change(old: Pixels, change: NDArray[np.floating], alpha: Alpha) -> Pixels:
    """Add alpha [h, w] times a change ([h, w, 3], -1..1) to pixels [h, w(, 3)]; where alpha is 0 every byte stays."""
    scaled = change * alpha[..., None] * 255
    scaled = scaled.mean(axis=2) if old.ndim == 2 else scaled
    new = np.clip(np.rint(old + scaled), 0, 255).astype(np.uint8)
    touched = alpha > 0
    return np.where(touched if old.ndim == 2 else touched[..., None], new, old)


def _full_size(settings: Settings) -> tuple[int, int]:
    model, scale = settings.model, settings.data.scale
    return round(model.grow / scale), round(model.soften / scale)
