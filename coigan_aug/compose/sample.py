"""What one step of training sees of one sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """One composed sample. Images are float32 RGB in 0..1, masks float32 of 0 and 1; K classes, C conditioning channels.

    Latents are standard normal, a row for each level of the generator's decoder, coarse first; none for generators that
    take none.

    `objects` holds real defect pixels on black in `object_masks`. These are `masks`, so that real and fake share their
    shapes, unless `data.shapes` is different.
    The reference is any real window with its own masks. The pair is a real defect window, its masks, and the
    same window with the defects erased (its union of masks is all 0 where there is nothing to learn).
    """

    base: Image  # [3, H, W] defect-free
    masks: Image  # [K, H, W]
    condition: Image  # [C, H, W]
    latent: Image  # [L, Z]
    objects: Image  # [3, H, W]
    object_masks: Image  # [K, H, W]
    reference: Image  # [3, H, W]
    reference_masks: Image  # [K, H, W]
    pair_base: Image  # [3, H, W] defects erased
    pair_masks: Image  # [K, H, W]
    pair_condition: Image  # [C, H, W]
    pair_latent: Image  # [L, Z]
    pair_target: Image  # [3, H, W] as photographed
