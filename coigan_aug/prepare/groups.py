"""Groups: images that a split must not tear apart, such as one piece photographed twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import UsageError
from coigan_aug.imaging import read_thumbnail

Vectors = NDArray[np.float32]
Pairs = NDArray[np.int64]

SIDE = 64
REACH = 4
SAME = 0.93
"""Correlation from which two images are the same piece, whatever their names. Measured on magnetic-tile: of 10,000 pairs
of different pieces less than one reaches 0.95, the median pair of the same piece has 0.89."""
SAME_BURST = 0.2
"""Correlation from which neighbours in a burst of file numbers are the same piece. Measured there: different neighbours
have a median of 0.15; every piece hangs together from 0.26 on."""
CANDIDATES = 24
NEIGHBOURS = 3


def find_groups(
    paths: Sequence[Path], names: Sequence[str], *, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Return one group label for each image; near-duplicates share one. The order of the images does not matter.

    A hash of 16 x 16 grey levels finds candidates, the correlation of 64 x 64 levels decides: without slow changes of
    lighting, at the best of all shifts by up to 4 of the 64 pixels. Neighbours within a burst of file numbers (names that
    differ in numbers only, numbers that come in clusters) are believed at a lower correlation. Links are joined.
    Memory: 16 kB an image.

    Raises:
        DataError: an image can't be decoded.
    """
    order = np.argsort(np.array(names), kind="stable")
    thumbnails = []
    for done, k in enumerate(order):
        thumbnails.append(read_thumbnail(paths[k], size=SIDE))
        if progress is not None:
            progress(done + 1, len(names))
    ordered = [names[k] for k in order]
    textures = textures_of(np.stack(thumbnails)) if thumbnails else np.empty((0, SIDE, SIDE), np.float32)
    far, near = candidates(textures), burst_neighbours(ordered)
    links = [far[correlation(textures, far) >= SAME], near[correlation(textures, near) >= SAME_BURST]]
    roots = _join(len(names), np.concatenate(links))
    labels = [""] * len(names)
    for position, k in enumerate(order):
        labels[k] = ordered[roots[position]]
    return labels


def groups_from_pattern(names: Sequence[str], pattern: str) -> list[str]:
    """Group by what a regular expression finds in each name: its first group, or all of the match; others stay alone.

    >>> groups_from_pattern(["a_1.png", "a_2.png", "b.png"], r"^(\\w+)_")
    ['a', 'a', 'b.png']

    Raises:
        UsageError: the pattern is no regular expression, or matches no name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--group-by {pattern}: not a regular expression ({error}).") from error
    found = [compiled.search(name) for name in names]
    if names and not any(found):
        raise UsageError(f"--group-by {pattern} matches none of the names, such as {names[0]}.")
    which = min(compiled.groups, 1)
    return [(match and match.group(which)) or name for name, match in zip(names, found, strict=True)]


def textures_of(thumbnails: NDArray[np.uint8]) -> Vectors:
    """Take slow changes of lighting out of grey thumbnails [N, S, S]: float32, the same shape."""
    grey = thumbnails.astype(np.float32)
    return np.stack([image - cv2.GaussianBlur(image, (0, 0), 6) for image in grey])


def _unit(vectors: Vectors) -> Vectors:
    """Centre each row and give it length 1; rows without any contrast become 0."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(length > 1e-3 * vectors.shape[1], length, np.inf), np.float32)


def candidates(textures: Vectors) -> Pairs:
    """Return the pairs [P, 2] worth a closer look: each image's 24 nearest by a 16 x 16 hash, if they resemble it at all."""
    blocks = textures.reshape(len(textures), SIDE // 4, 4, SIDE // 4, 4).mean(axis=(2, 4))
    hashes = _unit(blocks.reshape(len(textures), (SIDE // 4) ** 2))
    found = []
    for start in range(0, len(hashes), 512):
        likeness = hashes[start : start + 512] @ hashes.T
        rows = np.arange(len(likeness))
        likeness[rows, start + rows] = -1
        nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :CANDIDATES]
        kept = np.take_along_axis(likeness, nearest, axis=1) > 0.6
        found.append(np.stack([(start + rows)[:, None].repeat(nearest.shape[1], axis=1)[kept], nearest[kept]], axis=1))
    return _unique(np.concatenate(found)) if found else np.empty((0, 2), np.int64)


def _unique(pairs: Pairs) -> Pairs:
    return np.unique(np.sort(pairs, axis=1), axis=0)


def correlation(textures: Vectors, pairs: Pairs) -> Vectors:
    """Return the correlation of each pair [P, 2] at the best of all shifts by up to 4 pixels: float32 [P] in -1..1."""
    best = np.full(len(pairs), -1, np.float32)
    for start in range(0, len(pairs), 256):
        a, b = pairs[start : start + 256].T
        part = best[start : start + 256]
        for y in range(-REACH, REACH + 1):
            for x in range(-REACH, REACH + 1):
                left, right = _overlap(textures[a], y, x), _overlap(textures[b], -y, -x)
                np.maximum(part, (left * right).sum(axis=1), out=part)
    return best


def _overlap(images: Vectors, y: int, x: int) -> Vectors:
    """Cut the part of each image that overlaps with another one shifted by (y, x), as unit vectors."""
    rows = slice(max(y, 0), SIDE + min(y, 0))
    columns = slice(max(x, 0), SIDE + min(x, 0))
    return _unit(images[:, rows, columns].reshape(len(images), -1))


def burst_neighbours(names: Sequence[str]) -> Pairs:
    """Return pairs [P, 2] of images whose names differ in numbers only and stand next to each other in a burst.

    The last number in the name counts. Numbers come in bursts where the gaps between them fall into two kinds that
    are far apart (a factor of 10 at least); evenly numbered files have none, and nothing is believed of their names.
    """
    patterns: dict[str, list[tuple[int, int]]] = {}
    for k, name in enumerate(names):
        numbers = re.findall(r"\d+", Path(name).stem)
        if numbers:
            patterns.setdefault(re.sub(r"\d+", "#", Path(name).name), []).append((int(numbers[-1]), k))
    found: list[tuple[int, int]] = []
    for members in patterns.values():
        found += _burst_pairs(sorted(members))
    return _unique(np.array(found, np.int64)) if found else np.empty((0, 2), np.int64)


def _burst_pairs(members: Sequence[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    numbers = np.array([number for number, _ in members], np.int64)
    widest = burst_gap(np.diff(numbers))
    for i in range(len(members)):
        for j in range(i + 1, min(i + 1 + NEIGHBOURS, len(members))):
            if numbers[j] - numbers[i] <= widest:
                yield members[i][1], members[j][1]


def burst_gap(gaps: NDArray[np.int64]) -> float:
    """Return the largest gap between numbers of one burst; -1 where the numbers do not come in bursts.

    The logarithms of the gaps are cut in two where the spread within both parts is least (Otsu, 1979).
    """
    if len(gaps) < 8:
        return -1
    logs = np.sort(np.log10(gaps + 1.0))
    cuts = np.flatnonzero(np.diff(logs) > 0) + 1
    spread = [len(logs[:c]) * logs[:c].var() + len(logs[c:]) * logs[c:].var() for c in cuts]
    if not spread:
        return -1
    cut = int(cuts[int(np.argmin(spread))])
    low, high = logs[:cut], logs[cut:]
    return 10 ** ((low.mean() + high.mean()) / 2) - 1 if high.mean() - low.mean() >= 1 else -1


def _join(count: int, links: Pairs) -> list[int]:
    """Return for each of `count` items the smallest item that it is linked to, directly or through others."""
    root = list(range(count))

    def find(item: int) -> int:
        while root[item] != item:
            root[item] = root[root[item]]
            item = root[item]
        return item

    for a, b in links.tolist():
        first, second = sorted((find(a), find(b)))
        root[second] = first
    return [find(item) for item in range(count)]
