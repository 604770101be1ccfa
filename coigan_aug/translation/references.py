"""What is measured of the images whose look is taken: their levels and their low frequencies."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.imaging import Pixels, read_rgb
from coigan_aug.progress import Report, silent

MOST_WAVES = 32
"""Cycles across an image up to which its Fourier amplitudes are kept, in either direction."""


MOST_REFERENCES = 1000


@dataclass(frozen=True)
class References:
    """R images: their names, how often each level stands in each channel, int64 [R, 3, 256], and their amplitudes.

    `amplitudes`, float32 [R, 3, 2 W + 1, W + 1] of W = MOST_WAVES: those of -W .. W cycles down and 0 .. W across, a pixel.
    `checksum` is that of names and pixels.
    """

    names: tuple[str, ...]
    levels: NDArray[np.int64]
    amplitudes: NDArray[np.float32]
    checksum: int

    def draw(self, *, index: int, seed: int) -> int:
        """Draw the number of the reference whose look picture `index` takes."""
        return int(streams.generator(seed, "translate", index).integers(len(self.names)))

    def about(self) -> Mapping[str, Any]:
        """Return what tells these references from others, as JSON values."""
        return {"references": len(self.names), "references_crc32": f"{self.checksum:08x}"}


def measure(paths: Sequence[Path], *, root: Path, report: Report = silent) -> References:
    """Measure reference images, MOST_REFERENCES of them at most: evenly spaced ones in the order of their names below `root`.

    Raises:
        DataError: one can't be read.
    """
    order = sorted(paths, key=lambda path: path.relative_to(root).as_posix())
    chosen = order[:: -(-len(order) // MOST_REFERENCES)]
    names, levels, amplitudes, checksum = [], [], [], 0
    for done, path in enumerate(chosen):
        report(done, len(chosen))
        pixels, name = read_rgb(path), path.relative_to(root).as_posix()
        checksum = zlib.crc32(pixels.tobytes(), zlib.crc32(name.encode(), checksum))
        names.append(name)
        levels.append(count_levels(pixels))
        amplitudes.append(np.abs(low_frequencies(pixels, MOST_WAVES)))
    report(len(chosen), len(chosen))
    return References(tuple(names), np.stack(levels), np.stack(amplitudes), checksum)


def count_levels(image: Pixels) -> NDArray[np.int64]:
    """Count how often each level stands in each channel of an image [H, W, 3]: int64 [3, 256]."""
    return np.stack([np.bincount(image[..., k].ravel(), minlength=256) for k in range(3)])


def low_frequencies(image: Pixels, waves: int) -> NDArray[np.complex64]:
    """Return the Fourier coefficients of -waves .. waves cycles down and 0 .. waves across, complex64 [3, 2 w + 1, w + 1].

    Those of `numpy.fft.fft2` over the number of pixels, of an image [H, W, 3]; by sums over rows and columns, since a
    whole transform of a large image would take gigabytes.
    """
    height, width = image.shape[:2]
    down = waves_of(np.arange(-waves, waves + 1), height) / height  # [2 w + 1, H]
    across = waves_of(np.arange(waves + 1), width) / width  # [w + 1, W]
    rows = np.einsum("hwc,kw->chk", image.astype(np.float32), across, optimize=True)
    return np.asarray(np.einsum("jh,chk->cjk", down, rows, optimize=True), np.complex64)


def waves_of(cycles: NDArray[np.int64], length: int) -> NDArray[np.complex64]:
    """Return exp(-2 pi i k n / length) of cycles k and places n = 0 .. length - 1: complex64 [K, length]."""
    turns = np.outer(cycles, np.arange(length)) % length / length
    return np.exp(-2j * np.pi * turns).astype(np.complex64)


def image_of(coefficients: NDArray[np.complexfloating[Any, Any]], height: int, width: int) -> NDArray[np.float32]:
    """Return the image float32 [H, W, 3] that has these coefficients, as `low_frequencies` gives them, and no others."""
    waves = coefficients.shape[2] - 1
    down = waves_of(np.arange(-waves, waves + 1), height).conj()  # [2 w + 1, H]
    across = waves_of(np.arange(waves + 1), width).conj()  # [w + 1, W]
    across[1:] *= 2  # for those that go the other way, which a real image has too
    rows = np.einsum("cjk,jh->chk", coefficients, down, optimize=True)
    return np.ascontiguousarray(np.einsum("chk,kw->hwc", rows, across, optimize=True).real, np.float32)
