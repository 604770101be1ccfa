"""Fourier domain adaptation: the low frequencies get the amplitudes of a reference and keep their phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coigan_aug.imaging import Pixels
from coigan_aug.translation.references import MOST_WAVES, References, image_of, low_frequencies

SHARE = 0.01
"""Of the shorter side: the cycles up to which amplitudes are taken; the smallest that the paper tries (0.01, 0.05, 0.09)."""


@dataclass(frozen=True)
class Amplitude:
    """Gives each image the low-frequency amplitudes of one reference, drawn for it.

    Source: Yang and Soatto 2020, "FDA: Fourier Domain Adaptation for Semantic Segmentation", equation 3.
    """

    references: References
    name: str = "amplitude"
    draws: bool = True

    def about(self) -> Mapping[str, Any]:
        """Return the engine, its share of the frequencies and its references."""
        return {"engine": self.name, "share": SHARE, **self.references.about()}

    def reference(self, *, index: int, seed: int) -> str:
        """Return the name of the image whose amplitudes a picture takes."""
        return self.references.names[self.references.draw(index=index, seed=seed)]

    def translate(self, image: Pixels, *, index: int, seed: int) -> Pixels:
        """Exchange the low-frequency amplitudes of an image, uint8 [H, W, 3].

        Only these change, so only what they change is transformed back and added.
        """
        waves = waves_within(image)
        old = low_frequencies(image, waves)
        taken = self.references.amplitudes[self.references.draw(index=index, seed=seed)]
        wanted = taken[:, MOST_WAVES - waves : MOST_WAVES + waves + 1, : waves + 1]
        length = np.abs(old)
        phase = np.where(length > 0, old / np.maximum(length, 1e-12), 1)
        changed = image + image_of((wanted - length) * phase, *image.shape[:2])
        return np.rint(changed).clip(0, 255).astype(np.uint8)


def waves_within(image: Pixels) -> int:
    """Return the cycles across an image up to which amplitudes are taken: 1 at least, MOST_WAVES at most."""
    return min(max(int(SHARE * min(image.shape[:2])), 1), MOST_WAVES, (min(image.shape[:2]) - 1) // 2)
