"""How far two images show the same surface: levelled, whitened, laid over each other, compared block by block.

Photographs of different pieces of one process look alike: the same part before the same background, the same grain. So
what all images have in common is taken out first, and only what is left is correlated.

1. *Levelling.* Light and exposure multiply, so in the logarithm they add, and a high-pass takes them out; the rest is
   divided by the contrast around it, so that every place of a surface counts alike.
2. *Whitening.* Let P(f) be the mean power spectrum of all images, less their mean image. Each image's spectrum is divided
   by sqrt(P). Two images of one surface are a known signal in noise of the spectrum P, and correlating both so filtered is
   the matched filter of that (Turin 1960, "An Introduction to Matched Filters"): what is frequent
   in the set counts little, what is rare counts much. Phase correlation (Kuglin and Hines 1975, "The Phase Correlation Image
   Alignment Method") divides by the two images' own spectra instead; then a surface's own texture would count no more than
   the noise does. Smooth grain correlates with other smooth grain at some shift, since it has few independent values; white
   grain of M pixels does by no more than about 1 / sqrt(M).
3. *Best shift.* By the correlation theorem, for all shifts at once.
4. *Agreement*, the mean of the correlations of 8 x 8 blocks: one edge that both share fills few of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.data.kept_links import Rows
from coigan_aug.imaging import read_header, read_thumbnail
from coigan_aug.processors import usable_processors
from coigan_aug.progress import Report, silent
from coigan_aug.signals import StopRequest

Vectors = NDArray[np.float32]
Pairs = NDArray[np.int64]

SIDE = 64
FADE = 10
"""Pixels at each edge of a thumbnail over which it fades to 0, so that a crop's edge leaves no mark in its spectrum."""
STEEPEST = 3.0
"""Levelled contrast is cut here, in units of the contrast around: a glint is one pixel among others."""
PRIOR = 20
"""The mean image is taken as if so many images of no contrast were there too: in a set of a few it would hold the images
themselves, and taking it out would set them against each other."""
FLOOR = 0.1
"""Added to the mean power spectrum, whose mean is 1: frequencies that hold only noise are raised by 1 / sqrt(0.1) at most."""
BLUR = 0.8
"""Standard deviation of the blur after whitening, px: white grain does not correlate with itself a fraction of a pixel off."""
CLIP = 2.0
"""Whitened pixels are cut here, in units of their root mean square."""
REACH = 16
"""Largest shift, px of the thumbnail: a quarter of its side."""
OVERLAP = 0.6
"""Share of their area by which two images must overlap."""
ZOOM = 1.5
"""Images whose sizes differ by this factor at most may be two crops at one scale; others are one crop at two scales."""
BLOCKS = 8
EVEN = 0.5 / BLOCKS**2
"""Contrast from which a block counts in full: half of what it has where contrast is even, an image's being 1 in all."""
TOGETHER = 128
"""Pairs that are compared at once."""
LEAST = 0.5 * BLOCKS**2
"""Blocks by which the sum is divided at least: where under half of them count, no agreement can be 1."""


def read_levelled(
    paths: Sequence[Path], progress: Report = silent, *, kept: Path | None = None, stop: StopRequest | None = None
) -> tuple[NDArray[np.float16], NDArray[np.float64]]:
    """Read each image levelled, [N, 64, 64], and its height and width in pixels, [N, 2].

    Args:
        kept: the file in which images that were read stay when this is stopped, and when it has ended; None keeps nothing.

    Raises:
        DataError: an image can't be decoded. Stopped: `stop` asks for it.
    """
    images = np.empty((len(paths), SIDE, SIDE), np.float16)
    sizes = np.empty((len(paths), 2))
    rows = Rows(kept, (images, sizes), doing="images are read for near-duplicates", stop=stop)
    with ThreadPoolExecutor(usable_processors()) as threads:
        for start in range(rows.done, len(paths), 64):
            block = paths[start : start + 64]
            end = start + len(block)
            sizes[start:end] = [(header.height, header.width) for header in map(read_header, block)]
            images[start:end] = list(threads.map(_levelled, block))
            progress(end, len(paths))
            rows.after(end)
    if rows.done < len(paths):
        rows.keep(len(paths))
    return images, sizes


def _levelled(path: Path) -> NDArray[np.float16]:
    """Read an image as 64 x 64 with lighting evened out: contrast in units of the contrast around, 0 at the edges."""
    grey = np.log(
        read_thumbnail(path, size=SIDE).astype(np.float32) + 16
    )  # + 16, or noise in the dark would be contrast
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 4)
    around = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 8)) + 0.03
    fade = np.minimum(1, (np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]) + 0.5) / FADE).astype(np.float32)
    return np.asarray(np.clip(detail / around, -STEEPEST, STEEPEST) * np.outer(fade, fade), np.float16)


def whiten(images: NDArray[np.floating], *, out: NDArray[np.float16] | None = None) -> NDArray[np.float16]:
    """Take out what images [N, S, S] have in common: their mean, and their mean power spectrum P.

    The transfer function is exp(-2 pi^2 BLUR^2 |f|^2) / sqrt(P(f) / mean(P) + FLOOR): a Gaussian blur after the whitening.

    Args:
        out: where the result goes; `images` themselves may be it.

    Returns:
        float16 [N, S, S], each of length 1, or 0 where there is no contrast.
    """
    count, side = len(images), images.shape[-1]
    mean = images.mean(axis=0, dtype=np.float32) * (count / (count + PRIOR))
    batches = [slice(start, start + 256) for start in range(0, count, 256)]
    power = sum((np.abs(np.fft.rfft2(images[b].astype(np.float32) - mean)) ** 2).sum(axis=0) for b in batches) / count
    y, x = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    blur = np.exp(-2 * BLUR**2 * np.pi**2 * (y * y + x * x))
    transfer = (blur / np.sqrt(power / max(power.mean(), 1e-12) + FLOOR)).astype(np.float32)
    white = np.empty(images.shape, np.float16) if out is None else out
    for b in batches:
        pixels = images[b].astype(np.float32)
        flat = np.fft.irfft2(np.fft.rfft2(pixels - mean) * transfer, s=(side, side)) * _busy(pixels)
        energy, covered = (values.sum(axis=(1, 2), keepdims=True) for values in (flat * flat, flat != 0))
        spread = np.sqrt(energy / np.maximum(covered, 1))
        flat = np.clip(np.divide(flat, spread, out=np.zeros_like(flat), where=spread > 0), -CLIP, CLIP)
        white[b] = flat / np.maximum(np.linalg.norm(flat, axis=(1, 2), keepdims=True), 1e-6)
    return white


def _busy(images: Vectors) -> Vectors:
    """Mark the pixels of images [P, S, S] that have contrast around them with 1, others, such as a black margin, with 0."""
    return np.stack([(cv2.blur(np.abs(image), (5, 5)) > 0.1) for image in images]).astype(np.float32)


def correlation(
    textures: NDArray[np.float16], sizes: NDArray[np.float64], pairs: Pairs, *, progress: Report = silent,
    kept: Path | None = None, stop: StopRequest | None = None,
) -> Vectors:  # fmt: skip
    """Return how far the whitened images of each pair [P, 2] agree at their best shift: float32 [P], -1..1.

    Images of different size, by a third at most, are also compared at the same scale, as two crops of one scene. It is
    fastest where pairs of one image are neighbours, as in sorted ones: its spectrum is then taken once for all of them.

    Args:
        kept: the file in which it stays how far pairs agree, when this is stopped; None keeps nothing.

    Raises:
        Stopped: `stop` asks for it.
    """
    best = np.empty(len(pairs), np.float32)
    rows = Rows(kept, (best,), made=crc32(pairs.tobytes()), doing="pairs of images are compared", stop=stop)
    for start in range(rows.done, len(pairs), TOGETHER):
        progress(start, len(pairs))
        rows.after(start)
        block = pairs[start : start + TOGETHER]
        part = best[start : start + TOGETHER]
        members, places = np.unique(block, return_inverse=True)
        places = places.reshape(block.shape)
        part[:] = _at_best_shift(textures[members], np.ones((len(members), 2)), places[:, 0], places[:, 1])
        a, b = block.T
        larger = np.maximum(sizes[a], sizes[b])
        crops = (sizes[a] != sizes[b]).any(axis=1) & (np.minimum(sizes[a], sizes[b]) * ZOOM >= larger).all(axis=1)
        if crops.any():
            both = np.concatenate([a[crops], b[crops]])
            zoom = sizes[both] / np.concatenate([larger[crops]] * 2)
            first = np.arange(crops.sum())
            zoomed = _at_best_shift(textures[both], zoom, first, first + len(first))
            part[crops] = np.maximum(part[crops], zoomed)
    progress(len(pairs), len(pairs))
    return np.clip(best, -1, 1)


def _at_best_shift(
    images: NDArray[np.float16], zoom: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> Vectors:
    """Lay pairs of images [M, 64, 64], each shrunk by its zoom [M, 2], over each other at the best shift.

    The sums of a(x) b(x - s) over x, for all shifts s, are the inverse transform of A conj(B); the images are padded by the
    largest shift, so that none wraps round. Only the rows of the shifts are transformed back. In images of even contrast
    that are strangers such a sum has a variance in proportion to the area of the overlap. Divided by the area's root, all
    shifts are equally likely to be best by chance.

    Args:
        first: which image each pair's first one is, [P].
        second: the same of its second one.

    Returns:
        the agreement of each pair, float32 [P].
    """
    lengths = np.rint(zoom * SIDE).astype(np.int64)
    side = SIDE + REACH
    placed = _centred(images, lengths)
    spectra = np.fft.rfft2(placed, s=(side, side))
    shift = np.arange(-REACH, REACH + 1)
    rows = np.fft.ifft(spectra[first] * np.conj(spectra[second]), axis=1)[:, shift % side]
    sums = np.fft.irfft(rows, n=side, axis=2)[:, :, shift % side]
    share = [_overlap(lengths[first, axis], lengths[second, axis], shift) for axis in (0, 1)]
    area = share[0][:, :, None] * share[1][:, None]
    scores = np.where(area >= OVERLAP, sums / np.sqrt(np.maximum(area, OVERLAP)), -1)
    down, right = np.divmod(scores.reshape(len(first), -1).argmax(axis=1), len(shift))
    return _agreement(placed[first], placed[second], shift[down], shift[right])


def _agreement(a: Vectors, b: Vectors, down: NDArray[np.int64], right: NDArray[np.int64]) -> Vectors:
    """Average the correlations of 8 x 8 blocks of pairs of images [P, 64, 64], b being shifted: float32 [P], -1..1.

    r = sum(a b) / sqrt(sum(a^2) sum(b^2)) in each block, weighed by min(sqrt(sum(a^2) sum(b^2)) / EVEN, 1). No block
    counts more than an even one would, so an edge that many images share, such as that of the part or of a strip, is not
    taken for a piece's own texture.
    """
    moved, overlap = np.zeros_like(b), np.zeros_like(b)
    for target, mask, image, y, x in zip(moved, overlap, b, down.tolist(), right.tolist(), strict=True):
        rows, columns = _inner(y), _inner(x)
        target[rows, columns] = image[_inner(-y), _inner(-x)]
        mask[rows, columns] = 1
    both, one, other = (_block_sums(product) for product in (a * moved, a * a * overlap, moved * moved))
    length = np.sqrt(one * other)
    weight = np.minimum(length / EVEN, 1)
    agreed = (weight * both / np.maximum(length, 1e-9)).sum(axis=(1, 2))
    return np.asarray(agreed / np.maximum(weight.sum(axis=(1, 2)), LEAST), np.float32)


def _inner(shift: int) -> slice:
    return slice(max(shift, 0), SIDE + min(shift, 0))


def _block_sums(values: Vectors) -> Vectors:
    step = SIDE // BLOCKS
    rows = values.reshape(-1, BLOCKS, step, SIDE).sum(axis=2)  # rows first: whole lines are added, which is faster
    return np.asarray(rows.reshape(-1, BLOCKS, BLOCKS, step).sum(axis=3), np.float32)


def _centred(images: NDArray[np.float16], lengths: NDArray[np.int64]) -> Vectors:
    """Shrink images to [height, width] in the middle of float32 [P, 64, 64], keeping their length as vectors."""
    placed = np.zeros(images.shape, np.float32)
    if (lengths == SIDE).all():
        np.copyto(placed, images)
        norms = np.sqrt(np.einsum("pij,pij->p", placed, placed))
        placed /= np.maximum(norms, 1e-6)[:, None, None]
        return placed
    for target, image, (height, width) in zip(placed, images.astype(np.float32), lengths.tolist(), strict=True):
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        small = image if height == width == SIDE else cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        target[top : top + height, left : left + width] = small / max(float(np.linalg.norm(small)), 1e-6)
    return placed


def _overlap(a: NDArray[np.int64], b: NDArray[np.int64], shift: NDArray[np.int64]) -> Vectors:
    """Return the share of two centred lengths [P] that overlap when one is shifted, as a geometric mean: [P, shifts]."""
    low = np.maximum(-a[:, None] / 2, -b[:, None] / 2 + shift)
    high = np.minimum(a[:, None] / 2, b[:, None] / 2 + shift)
    return np.asarray(np.maximum(high - low, 0.0) / np.sqrt(a * b)[:, None], np.float32)
