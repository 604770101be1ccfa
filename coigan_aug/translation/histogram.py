"""Matching of levels: each channel gets the levels of a reference, in the order in which its own are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.imaging import Pixels
from coigan_aug.translation.references import References, count_levels


@dataclass(frozen=True)
class Histogram:
    """Gives each image the levels of one reference, drawn for it."""

    references: References
    name: str = "histogram"
    draws: bool = True

    def about(self) -> Mapping[str, Any]:
        """Return the engine and its references."""
        return {"engine": self.name, **self.references.about()}

    def reference(self, *, index: int, seed: int) -> str:
        """Return the name of the image whose levels a picture takes."""
        return self.references.names[self.references.draw(index=index, seed=seed)]

    def translate(self, image: Pixels, *, index: int, seed: int) -> Pixels:
        """Match the levels of an image, uint8 [H, W, 3]."""
        wanted = self.references.levels[self.references.draw(index=index, seed=seed)]
        tables = [match(*pair) for pair in zip(count_levels(image), wanted, strict=True)]
        return np.stack([table[image[..., k]] for k, table in enumerate(tables)], axis=-1)


def match(counts: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the table [256] that gives pixels with `counts` [256] of each level the distribution of `wanted` [256].

    A level goes to the one at the same share of all pixels, the middle of those that it takes; between two levels of the
    reference in proportion. It never falls, so that what was brighter stays at least as bright.

    >>> match(np.bincount([10, 20], minlength=256), np.bincount([50, 90], minlength=256))[[10, 20]].tolist()
    [50, 90]
    """
    levels = np.flatnonzero(wanted)
    middle = _middles(wanted)[levels]
    return np.rint(np.interp(_middles(counts), middle, levels)).astype(np.uint8)


def _middles(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each level the share of pixels below it and half of those at it."""
    return (np.cumsum(counts) - counts / 2) / max(int(counts.sum()), 1)
