"""Groups: images that a split must not tear apart, such as one piece photographed several times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.data.kept_links import KeptLinks, Links, kept_links
from coigan_aug.data.likeness import SIDE, Pairs, Vectors, correlation, read_levelled, whiten
from coigan_aug.errors import UsageError
from coigan_aug.progress import Report, silent, silently
from coigan_aug.signals import StopRequest, stop_request_here

SAME = 0.57
"""Agreement from which two images show the same piece, whatever their names. On magnetic-tile, of 6,900 pairs compared
none has 0.40 to 0.51: different pieces end below, what joins the images of one piece begins above. Images that are
mostly a black margin with the same edge reach 0.55 (8 x 8 blocks, of which at least half must count)."""
SAME_NEIGHBOURS = 0.44
"""The same for images whose names differ in numbers only and are at most 4 places apart in that order."""
COARSE = 0.3
"""Correlation of coarse, unshifted images from which a pair is worth a comparison, and how many of each image's are."""
NEAREST = 6
NEXT = 4
"""Places apart in the order of the numbers in their names at which two images are still compared."""
_VERSION = re.compile(r"(.+)\.rf\.[0-9A-Za-z]{16,40}\.\w+")
CROWD = 30
"""A group of more images than this, and than 5 % of all, is suspect: its weaker links are cut."""


def find_groups(
    paths: Sequence[Path], names: Sequence[str], *, root: Path | None = None,
    progress: Callable[[str], Report] = silently,
) -> list[str]:  # fmt: skip
    """Return one group label for each image; near-duplicates share one: the first of their names.

    Candidates are each image's most alike others and its neighbours by number in the name. Both images of a pair are
    levelled (lighting, exposure), whitened (what all images have in common is taken out: the mean, and the mean power
    spectrum), laid over each other at the best shift by up to a quarter, and compared in 8 x 8 blocks. Links are
    joined; in a suspiciously large group the weaker ones are cut. The order of the images does not matter.
    Memory: about 15 kB an image.

    Args:
        root: the workspace's cache, in which it is kept what was found: also what a search that is stopped goes on with.
        progress: called with the title of each long step; returns what reports it.

    Raises:
        DataError: an image can't be decoded. Stopped: Ctrl-C or SIGTERM, where there is a `root`.
    """
    return join_links(names, find_links(paths, names, root=root, progress=progress)) if names else []


def find_links(
    paths: Sequence[Path], names: Sequence[str], *, root: Path | None = None,
    progress: Callable[[str], Report] = silently,
) -> Links:  # fmt: skip
    """Find the pairs of images that may show one piece, and compare them; at least one image.

    Args:
        root: as `find_groups` takes it.
        progress: called with the title of each long step; returns what reports it.

    Raises:
        DataError: an image can't be decoded. Stopped: Ctrl-C or SIGTERM, where there is a `root`.
    """
    order = np.argsort(np.array(names), kind="stable").tolist()
    files, sorted_names = [paths[k] for k in order], [names[k] for k in order]
    if root is None:
        return _find_links(files, sorted_names, None, None, progress)
    kept = kept_links(root, files, sorted_names)
    links = kept.read()
    if links is None:
        with stop_request_here() as stop:
            links = _find_links(files, sorted_names, kept, stop, progress)
        kept.write(links)
    return links


def _find_links(
    files: Sequence[Path], names: Sequence[str], kept: KeptLinks | None, stop: StopRequest | None,
    progress: Callable[[str], Report],
) -> Links:  # fmt: skip
    levelled, compared = (kept.file(what) if kept else None for what in ("levelled", "alike"))
    images, sizes = read_levelled(files, progress("looking for near-duplicates"), kept=levelled, stop=stop)
    textures = whiten(images, out=images)
    near = neighbours(names)
    pairs = _unique(np.concatenate([candidates(textures, progress=progress("finding images that are alike")), near]))
    count = len(files)
    named = np.isin(pairs @ (count, 1), near @ (count, 1))
    report = progress("comparing images that are alike")
    return Links(pairs, correlation(textures, sizes, pairs, progress=report, kept=compared, stop=stop), named)


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
    images, sizes = read_levelled(paths)
    return correlation(whiten(images, out=images), sizes, pairs)


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
    matches = [compiled.search(name) for name in names]
    if names and not any(matches):
        raise UsageError(
            f"--group-by {pattern} matches none of the {len(names):,} names, such as {names[0]}.",
            remedy="Write it so that its first parentheses enclose what the names of one piece share.",
        )
    keys = [match and match.group(min(compiled.groups, 1)) for match in matches]
    return [name if key is None else key for name, key in zip(names, keys, strict=True)]


def candidates(textures: NDArray[np.float16], *, progress: Report = silent) -> Pairs:
    """Return pairs [P, 2] worth a closer look: each image's 6 most alike, unshifted and coarsely, if alike at all."""
    vectors = np.empty((len(textures), (SIDE // 2) ** 2), np.float32)
    for vector, texture in zip(vectors, textures, strict=True):
        coarse = cv2.resize(cv2.GaussianBlur(texture.astype(np.float32), (0, 0), 3), (SIDE // 2,) * 2)
        vector[:] = coarse.ravel()
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, length, out=vectors, where=length > 0)
    pairs = []
    for start in range(0, len(vectors), 128):
        progress(start, len(vectors))
        likeness = vectors[start : start + 128] @ vectors.T
        rows = np.arange(len(likeness))
        likeness[rows, start + rows] = -1
        nearest = np.argpartition(-likeness, min(NEAREST, len(vectors)) - 1, axis=1)[:, :NEAREST]
        kept = np.take_along_axis(likeness, nearest, axis=1) > COARSE
        pairs.append(np.stack([np.broadcast_to((start + rows)[:, None], nearest.shape)[kept], nearest[kept]], axis=1))
    progress(len(vectors), len(vectors))
    return _unique(np.concatenate(pairs))


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
    pairs = [pair for members in patterns.values() for pair in _next_in_order(members)]
    return _unique(np.array(pairs, np.int64).reshape(-1, 2))


def _next_in_order(members: Sequence[tuple[list[str], int]]) -> Iterator[tuple[int, int]]:
    columns = range(len(members[0][0]))
    longest = sorted(columns, key=lambda c: -sum(len(numbers[c]) for numbers, _ in members))
    order = [k for _, k in sorted(members, key=lambda member: [int(member[0][c]) for c in longest])]
    for step in range(1, NEXT + 1):
        yield from zip(order, order[step:], strict=False)


def _unique(pairs: Pairs) -> Pairs:
    return np.unique(np.sort(pairs, axis=1), axis=0)


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
