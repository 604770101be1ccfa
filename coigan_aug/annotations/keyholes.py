"""Masks to polygons for readers that know only one outline an object: holes hang on it by bridges of no width."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.rle import Rle

Ring = NDArray[np.int32]


def trace_parts(mask: Rle) -> list[Ring]:
    """Trace each 8-connected part of a mask into one polygon [n, 2] of (x, y) pixel centres, n >= 3.

    cv2.fillPoly, which draws outlines too, makes of them exactly the mask: a hole's outline is joined to the one left
    of it by a horizontal bridge within the mask, walked forth and back, so that inside and outside are not changed.
    Vertices on straight lines are left out; parts of one or two pixels have theirs repeated.

    >>> trace_parts(rle.encode(np.ones((2, 3))))[0].tolist()
    [[0, 0], [0, 1], [2, 1], [2, 0]]
    """
    left, top, width, height = rle.box(mask)
    if width == 0:
        return []
    region = np.ascontiguousarray(rle.decode_box(mask, (left, top, width, height)))
    contours, tree = cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = [contour.reshape(-1, 2).astype(np.int32) for contour in contours]
    holes: dict[int, list[Ring]] = {}
    for ring, parent in zip(rings, tree[0, :, 3].tolist(), strict=True):
        if parent >= 0:
            holes.setdefault(parent, []).append(ring)
    outer = [k for k, parent in enumerate(tree[0, :, 3].tolist()) if parent < 0]
    corner = np.array([left, top], np.int32)
    return [_plain(_joined(rings[k], holes.get(k, []))) + corner for k in outer]


def _joined(outline: Ring, holes: Sequence[Ring]) -> Ring:
    """Join the outlines of a part's holes to that of the part.

    From the leftmost pixel of a hole's outline the next outline to the left, on the same row, is that of the part or of
    a hole that begins further left: so each hole hangs on one before it.
    """
    if not holes:
        return outline
    rings = [outline, *sorted((_from_leftmost(hole) for hole in holes), key=lambda hole: tuple(hole[0].tolist()))]
    owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    first = np.searchsorted(owner, np.arange(len(rings)))
    places = _places(np.concatenate(rings), owner, len(rings))
    order = np.argsort(places)
    before = np.searchsorted(places[order], places[first[1:]]) - 1
    hooks = order[before]
    hung: list[list[tuple[int, int]]] = [[] for _ in rings]
    for hole, hook in enumerate(hooks.tolist(), start=1):
        parent = int(owner[hook])
        hung[parent].append((hook - int(first[parent]), hole))
    return _walk(rings, [sorted(on_ring) for on_ring in hung])


def _from_leftmost(ring: Ring) -> Ring:
    start = int(np.lexsort((ring[:, 1], ring[:, 0]))[0])
    return np.roll(ring, -start, axis=0)


def _places(points: Ring, owner: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Number pixels row by row; of outlines that share a pixel, the earlier comes first."""
    stride = int(points[:, 0].max()) + 1
    return (points[:, 1].astype(np.int64) * stride + points[:, 0]) * count + owner


def _walk(rings: Sequence[Ring], hung: Sequence[Sequence[tuple[int, int]]]) -> Ring:
    """Walk the first ring; where others hang on one (at a position, which), go there, round it, and back."""
    pieces = []
    waiting = [(0, 0, 0)]
    while waiting:
        k, start, done = waiting.pop()
        if done < len(hung[k]):
            at, other = hung[k][done]
            pieces.append(rings[k][start : at + 1])
            waiting += [(k, at, done + 1), (other, 0, 0)]
        else:
            pieces += [rings[k][start:], rings[k][:1]] if k else [rings[k][start:]]
    return np.concatenate(pieces)


def _plain(ring: Ring) -> Ring:
    """Drop the vertices where the outline goes on as it came."""
    goes_on = (ring - np.roll(ring, 1, axis=0) == np.roll(ring, -1, axis=0) - ring).all(axis=1)
    kept = ring[~goes_on] if not goes_on.all() else ring[:1]
    return kept if len(kept) >= 3 else np.resize(kept, (3, 2))
