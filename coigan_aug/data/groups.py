"""Groups: images that a split must not tear apart, such as one piece photographed several times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import UsageError
from coigan_aug.imaging import read_header, read_thumbnail

Vectors = NDArray[np.float32]
Pairs = NDArray[np.int64]

SIDE = 64
FADE = 10
"""Pixels at each edge of a thumbnail over which it fades to 0, so that a crop's edge leaves no mark in its spectrum."""
CLIP = 2.0
REACH = 16
OVERLAP = 0.6
ZOOM = 1.5
"""Images whose sizes differ by this factor at most may be two crops at one scale; others are one crop at two scales."""
BLOCKS = 8
EVEN = 0.5 / BLOCKS**2
LEAST = 0.5 * BLOCKS**2
SAME = 0.57
"""Agreement from which two images show the same piece, whatever their names. On magnetic-tile, of 6,900 pairs compared
none has 0.40 to 0.51: different pieces end below, what joins the images of one piece begins above. Images that are
mostly a black margin with the same edge reach 0.55 (8 x 8 blocks, of which at least half must count)."""
SAME_NEIGHBOURS = 0.44
"""The same for images whose names differ in numbers only and are at most 4 places apart in that order."""
COARSE = 0.3
NEAREST = 6
NEXT = 4
_VERSION = re.compile(r"(.+)\.rf\.[0-9A-Za-z]{16,40}\.\w+")
CROWD = 30
"""A group of more images than this, and than 5 % of all, is suspect: its weaker links are cut."""


def find_groups(
    paths: Sequence[Path], names: Sequence[str], *, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Return one group label for each image; near-duplicates share one: the first of their names.

    Candidates are each image's most alike others and its neighbours by number in the name. Both images of a pair are
    levelled (lighting, exposure), whitened (what all images have in common is taken out: the mean, and the mean power
    spectrum), laid over each other at the best shift by up to a quarter, and compared in 8 x 8 blocks. Links are
    joined; in a suspiciously large group the weaker ones are cut. The order of the images does not matter.
    Memory: about 20 kB an image.

    Raises:
        DataError: an image can't be decoded.
    """
    return join_links(names, find_links(paths, names, progress=progress)) if names else []


@dataclass(frozen=True)
class Links:
    """Pairs [P, 2] of images worth a comparison, by position in the order of the names, and how far they agree, [P].

    `named` [P] says which of them are neighbours by number in the name.
    """

    pairs: Pairs
    alike: Vectors
    named: NDArray[np.bool_]


def find_links(
    paths: Sequence[Path], names: Sequence[str], *, progress: Callable[[int, int], None] | None = None
) -> Links:
    """Find the pairs of images that may show one piece, and compare them; at least one image.

    Raises:
        DataError: an image can't be decoded.
    """
    order = np.argsort(np.array(names), kind="stable").tolist()
    images, sizes = _read([paths[k] for k in order], progress)
    textures = whiten(images)
    near = neighbours([names[k] for k in order])
    pairs = _unique(np.concatenate([candidates(textures), near]))
    count = len(order)
    named = np.isin(pairs @ (count, 1), near @ (count, 1))
    return Links(pairs, correlation(textures, sizes, pairs), named)


def join_links(
    names: Sequence[str], links: Links, *, same: float = SAME, same_neighbours: float = SAME_NEIGHBOURS
) -> list[str]:
    """Return one group label for each image: linked images share one, the first of their names.

    Args:
        same: the agreement from which two images are linked.
        same_neighbours: the same for neighbours by number in the name.
    """
    order = np.argsort(np.array(names), kind="stable").tolist()
    level = np.where(links.named, same_neighbours, same)
    first = _join_with_care(len(order), links.pairs, links.alike + SAME - level)
    labels = [""] * len(order)
    for position, k in enumerate(order):
        labels[k] = names[order[first[position]]]
    return labels


def join_versions(names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Join the groups of images that Roboflow made of one image, turned and recoloured: NAME.rf.HASH.jpg.

    >>> join_versions(["a_jpg.rf.0123456789abcdef.jpg", "b.jpg", "a_jpg.rf.fedcba9876543210.jpg"], ["x", "y", "z"])
    ['x', 'y', 'x']
    """
    known = sorted(set(labels))
    place = {label: k for k, label in enumerate(known)}
    first: dict[str, str] = {}
    links = []
    for name, label in zip(names, labels, strict=True):
        version = _VERSION.fullmatch(name.rpartition("/")[2])
        if version is not None:
            links.append((place[label], place[first.setdefault(version[1], label)]))
    joined = _join(len(known), np.array(links, np.int64).reshape(-1, 2))
    return [known[joined[place[label]]] for label in labels]


def agreements(paths: Sequence[Path], pairs: Pairs) -> Vectors:
    """Return how far pairs [P, 2] of these images agree, -1..1, each seen against the whole set: float32 [P]."""
    images, sizes = _read(paths, None)
    return correlation(whiten(images), sizes, pairs)


def groups_from_pattern(names: Sequence[str], pattern: str) -> list[str]:
    r"""Group by what a regular expression finds in each name: its first group, or all of the match; others stay alone.

    >>> groups_from_pattern(["a_1.png", "a_2.png", "b.png"], r"^(\w+)_")
    ['a', 'a', 'b.png']

    Raises:
        UsageError: the pattern is no regular expression, or matches no name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--group-by {pattern}: not a regular expression ({error}).",
            remedy="Quote it, and write . as \\. for a dot.",
        ) from error
    found = [compiled.search(name) for name in names]
    if names and not any(found):
        raise UsageError(
            f"--group-by {pattern} matches none of the {len(names):,} names, such as {names[0]}.",
            remedy="Write it so that its first parentheses enclose what the names of one piece share.",
        )
    keys = [match and match.group(min(compiled.groups, 1)) for match in found]
    return [name if key is None else key for name, key in zip(names, keys, strict=True)]


def _levelled(path: Path) -> NDArray[np.float16]:
    """Read an image as 64 x 64 with lighting evened out: contrast in units of the contrast around, 0 at the edges."""
    grey = np.log(read_thumbnail(path, size=SIDE).astype(np.float32) + 16)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 4)
    around = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 8)) + 0.03
    fade = np.minimum(1, (np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]) + 0.5) / FADE).astype(np.float32)
    return np.asarray(np.clip(detail / around, -3, 3) * np.outer(fade, fade), np.float16)


def _read(
    paths: Sequence[Path], progress: Callable[[int, int], None] | None
) -> tuple[NDArray[np.float16], NDArray[np.float64]]:
    """Read each image levelled, [N, 64, 64], and its height and width in pixels, [N, 2]."""
    images = np.empty((len(paths), SIDE, SIDE), np.float16)
    sizes = np.empty((len(paths), 2))
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(paths), 64):
            block = paths[start : start + 64]
            end = start + len(block)
            sizes[start:end] = [(header.height, header.width) for header in map(read_header, block)]
            images[start:end] = list(threads.map(_levelled, block))
            if progress is not None:
                progress(end, len(paths))
    return images, sizes


def whiten(images: NDArray[np.floating]) -> NDArray[np.float16]:
    """Take out what images [N, S, S] have in common, their mean and mean power spectrum, and blur by 1 pixel.

    Returns:
        float16 [N, S, S], each of length 1, or 0 where there is no contrast.
    """
    count, side = len(images), images.shape[-1]
    mean = images.mean(axis=0, dtype=np.float32) * (count / (count + 20))
    blocks = [slice(start, start + 256) for start in range(0, count, 256)]
    power = sum((np.abs(np.fft.rfft2(images[b].astype(np.float32) - mean)) ** 2).sum(axis=0) for b in blocks) / count
    y, x = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    blur = np.exp(-2 * 0.8**2 * np.pi**2 * (y * y + x * x))
    keep = (blur / np.sqrt(power / max(power.mean(), 1e-12) + 0.1)).astype(np.float32)
    white = np.empty(images.shape, np.float16)
    for b in blocks:
        pixels = images[b].astype(np.float32)
        flat = np.fft.irfft2(np.fft.rfft2(pixels - mean) * keep, s=(side, side)) * _busy(pixels)
        length = np.sqrt(
            (flat * flat).sum(axis=(1, 2), keepdims=True) / np.maximum((flat != 0).sum(axis=(1, 2), keepdims=True), 1)
        )
        flat = np.clip(np.divide(flat, length, out=np.zeros_like(flat), where=length > 0), -CLIP, CLIP)
        white[b] = flat / np.maximum(np.linalg.norm(flat, axis=(1, 2), keepdims=True), 1e-6)
    return white


def _busy(images: Vectors) -> Vectors:
    """Mark the pixels of images [P, S, S] that have contrast around them with 1, others, such as a black margin, with 0."""
    return np.stack([(cv2.blur(np.abs(image), (5, 5)) > 0.1) for image in images]).astype(np.float32)


def candidates(textures: NDArray[np.float16]) -> Pairs:
    """Return pairs [P, 2] worth a closer look: each image's 6 most alike, unshifted and coarsely, if alike at all."""
    coarse = [cv2.resize(cv2.GaussianBlur(t.astype(np.float32), (0, 0), 3), (SIDE // 2,) * 2) for t in textures]
    vectors = np.stack(coarse).reshape(len(coarse), -1)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    found = []
    for start in range(0, len(vectors), 512):
        likeness = vectors[start : start + 512] @ vectors.T
        rows = np.arange(len(likeness))
        likeness[rows, start + rows] = -1
        nearest = np.argpartition(-likeness, min(NEAREST, len(vectors)) - 1, axis=1)[:, :NEAREST]
        kept = np.take_along_axis(likeness, nearest, axis=1) > COARSE
        found.append(np.stack([np.broadcast_to((start + rows)[:, None], nearest.shape)[kept], nearest[kept]], axis=1))
    return _unique(np.concatenate(found))


def neighbours(names: Sequence[str]) -> Pairs:
    """Return pairs [P, 2] of images whose names differ in numbers only and are at most 4 places apart in their order.

    The longest numbers of a pattern count first: `exp1_num_108719` is ordered by 108719, then by 1.
    """
    patterns: dict[str, list[tuple[list[str], int]]] = {}
    for k, name in enumerate(names):
        stem = Path(name).stem
        numbers = re.findall(r"\d+", stem)
        if numbers:
            patterns.setdefault(re.sub(r"\d+", "#", stem), []).append((numbers, k))
    found = [pair for members in patterns.values() for pair in _next_in_order(members)]
    return _unique(np.array(found, np.int64).reshape(-1, 2))


def _next_in_order(members: Sequence[tuple[list[str], int]]) -> Iterator[tuple[int, int]]:
    columns = range(len(members[0][0]))
    longest = sorted(columns, key=lambda c: -sum(len(numbers[c]) for numbers, _ in members))
    order = [k for _, k in sorted(members, key=lambda member: [int(member[0][c]) for c in longest])]
    for step in range(1, NEXT + 1):
        yield from zip(order, order[step:], strict=False)


def _unique(pairs: Pairs) -> Pairs:
    return np.unique(np.sort(pairs, axis=1), axis=0)


def correlation(textures: NDArray[np.float16], sizes: NDArray[np.float64], pairs: Pairs) -> Vectors:
    """Return the correlation of each pair [P, 2] of whitened images at their best shift: float32 [P], -1..1.

    Images of different size, by a third at most, are also compared at the same scale, as two crops of one scene.
    """
    best = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), 256):
        a, b = pairs[start : start + 256].T
        part = best[start : start + 256]
        part[:] = _best_shift(textures[a], textures[b], np.ones((len(a), 2)), np.ones((len(a), 2)))
        larger = np.maximum(sizes[a], sizes[b])
        crops = (sizes[a] != sizes[b]).any(axis=1) & (np.minimum(sizes[a], sizes[b]) * ZOOM >= larger).all(axis=1)
        if crops.any():
            zoom_a, zoom_b = (sizes[a] / larger)[crops], (sizes[b] / larger)[crops]
            part[crops] = np.maximum(part[crops], _best_shift(textures[a[crops]], textures[b[crops]], zoom_a, zoom_b))
    return np.clip(best, -1, 1)


def _best_shift(
    a: NDArray[np.float16], b: NDArray[np.float16], zoom_a: NDArray[np.float64], zoom_b: NDArray[np.float64]
) -> Vectors:
    """Correlate pairs of images [P, 64, 64], shrunk by zooms [P, 2], at all shifts by up to 16 pixels; take the best.

    Images must overlap by 60 %. Contrast is even, so that the share of the area that overlaps is the share of the length.
    """
    length_a, length_b = np.rint(zoom_a * SIDE).astype(np.int64), np.rint(zoom_b * SIDE).astype(np.int64)
    side = SIDE + REACH
    placed_a, placed_b = _centred(a, length_a), _centred(b, length_b)
    spectra_a, spectra_b = np.fft.rfft2(placed_a, s=(side, side)), np.fft.rfft2(placed_b, s=(side, side))
    shift = np.arange(-REACH, REACH + 1)
    sums = np.fft.irfft2(spectra_a * np.conj(spectra_b), s=(side, side))[:, shift[:, None] % side, shift % side]
    share = [_overlap(length_a[:, axis], length_b[:, axis], shift) for axis in (0, 1)]
    area = share[0][:, :, None] * share[1][:, None]
    found = np.where(area >= OVERLAP, sums / np.sqrt(np.maximum(area, OVERLAP)), -1).reshape(len(a), -1).argmax(axis=1)
    down, right = np.divmod(found, len(shift))
    return _agreement(placed_a, placed_b, shift[down], shift[right])


def _agreement(a: Vectors, b: Vectors, down: NDArray[np.int64], right: NDArray[np.int64]) -> Vectors:
    """Correlate 8 x 8 blocks of pairs of images, b shifted, and average: no block counts more than an even one would.

    So an edge that many images share, such as that of the part or of a strip, isn't taken for a piece's own texture.
    """
    moved, seen = np.zeros_like(b), np.zeros_like(b)
    for target, mask, image, y, x in zip(moved, seen, b, down.tolist(), right.tolist(), strict=True):
        rows, columns = _inner(y), _inner(x)
        target[rows, columns] = image[_inner(-y), _inner(-x)]
        mask[rows, columns] = 1
    both, one, other = (_block_sums(product) for product in (a * moved, a * a * seen, moved * moved))
    length = np.sqrt(one * other)
    weight = np.minimum(length / EVEN, 1)
    agreed = (weight * both / np.maximum(length, 1e-9)).sum(axis=(1, 2))
    return np.asarray(agreed / np.maximum(weight.sum(axis=(1, 2)), LEAST), np.float32)


def _inner(shift: int) -> slice:
    return slice(max(shift, 0), SIDE + min(shift, 0))


def _block_sums(values: Vectors) -> Vectors:
    step = SIDE // BLOCKS
    return np.asarray(values.reshape(-1, BLOCKS, step, BLOCKS, step).sum(axis=(2, 4)), np.float32)


def _centred(images: NDArray[np.float16], lengths: NDArray[np.int64]) -> Vectors:
    """Shrink images to [height, width] in the middle of float32 [P, 64, 64], keeping their length as vectors."""
    placed = np.zeros(images.shape, np.float32)
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


def _join_with_care(count: int, pairs: Pairs, alike: Vectors) -> list[int]:
    """Join pairs that are alike; raise the level within crowds until they fall apart or only links from 0.9 remain."""
    crowd = max(CROWD, count // 20)
    level = SAME
    first = _join(count, pairs[alike >= level])
    while level < 0.9 and (large := np.bincount(first, minlength=count) > crowd).any():
        level += 0.05
        weak = large[np.array(first)][pairs[:, 0]] & (alike < level)
        alike = np.where(weak, -1, alike)
        first = _join(count, pairs[alike >= SAME])
    return first


def _join(count: int, links: Pairs) -> list[int]:
    """Return for each of `count` items the smallest item that it is linked to, directly or through others."""
    root = list(range(count))

    def find(item: int) -> int:
        while root[item] != item:
            root[item] = root[root[item]]
            item = root[item]
        return item

    for a, b in links.tolist():
        low, high = sorted((find(a), find(b)))
        root[high] = low
    return [find(item) for item in range(count)]
