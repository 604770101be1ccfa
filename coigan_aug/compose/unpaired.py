"""compose for a change of look: one pure function from two lines' images, a seed and an index to a window of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.compose.sample import Image
from coigan_aug.geometry import Box
from coigan_aug.prepare.examples import Examples, defect_region, place_window
from coigan_aug.settings import Settings


@dataclass(frozen=True)
class Lines:
    """The images of line A, with what masks they have, and those of line B."""

    a: Examples
    b: Examples

    @property
    def grey(self) -> bool:
        """Whether all images of both are grey."""
        return self.a.grey and self.b.grey

    @property
    def masked(self) -> bool:
        """Whether A has masks."""
        return any(self.a.by_class)


@dataclass(frozen=True)
class Unpaired:
    """A window of A [3, S, S], what its masks cover [1, S, S] of 0 and 1, and a window of B [3, S, S]; float32 in 0..1."""

    a: Image
    masks: Image
    b: Image


def unpaired(lines: Lines, settings: Settings, seed: int, index: int) -> Unpaired:
    """Cut sample `index` of the endless stream that `seed` names: the same bytes in any order and process."""
    rng = streams.generator(seed, "unpaired", index)
    round_defect = lines.masked and rng.random() < settings.translate.defects
    position, region = defect_region(rng, lines.a) if round_defect else _anywhere(rng, lines.a)
    union = np.asarray(lines.a.masks(position, region).max(axis=0, initial=0))
    a, masks = _mirrored(rng, settings, lines.a.pixels(position, region), union[..., None])
    (b,) = _mirrored(rng, settings, lines.b.pixels(*_anywhere(rng, lines.b)))
    return Unpaired(_image(a) / np.float32(255), _image(masks), _image(b) / np.float32(255))


def _anywhere(rng: np.random.Generator, examples: Examples) -> tuple[int, Box]:
    positions = examples.positions
    position = positions[int(rng.integers(len(positions)))]
    shape = examples.cache[position].shape
    return position, place_window(rng, Box.of(shape), shape[:2], side=examples.window)


def _mirrored(rng: np.random.Generator, settings: Settings, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    flips = (rng.random(2) < 0.5) & settings.data.flip
    rows, columns = (slice(None, None, -1 if flip else 1) for flip in flips)
    return tuple(array[rows, columns] for array in arrays)


def _image(pixels: NDArray[Any]) -> Image:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)


@dataclass(frozen=True)
class UnpairedStream:
    """The endless stream of samples as an indexable value that a data loader's workers can share."""

    lines: Lines
    settings: Settings
    seed: int

    def __getitem__(self, index: int) -> Unpaired:
        return unpaired(self.lines, self.settings, self.seed, index)
