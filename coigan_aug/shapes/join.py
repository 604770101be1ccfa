"""Joining lines: the upper part of one and the lower part of another, met where they are as wide and as steep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.rle import Mask
from coigan_aug.compose.augment import tight
from coigan_aug.shapes.cover import largest_piece
from coigan_aug.shapes.forms import Edges

MIDDLE = (0.3, 0.7)  # of the length: where lines are cut
ALIKE = 0.35  # largest difference at the cut: logarithm of the widths' ratio plus slopes
STRETCH = 1.4  # largest stretch of the second line where both reach from one edge to the opposite one
BEST = 0.1  # share of the best cuts, one of which is taken
AROUND = 4  # rows on both sides of a cut that width and slope are taken over

Rng = np.random.Generator
Floats = NDArray[np.float64]


def joined(rng: Rng, masks: tuple[Mask, Mask], edges: tuple[Edges, Edges]) -> tuple[Mask, Edges] | None:
    """Join the first part of one line with the second part of another, along the first one's longer side.

    Each mask [h, w] is cut across its middle, where it is a single strand; pixels are copied, so that branches and frayed
    rims stay. Where both lines reach from one edge of their images to the opposite one, so does the result, as long as
    the first.

    Returns:
        The mask, cut tight, and the edges that it touches; None where no two cuts are alike, the lines do not lie the
        same way, or the result would touch two opposite edges by chance.
    """
    if masks[0].shape[1] > masks[0].shape[0]:
        made = joined(rng, (masks[0].T, masks[1].T), (_transposed(edges[0]), _transposed(edges[1])))
        return None if made is None else (np.ascontiguousarray(made[0].T), _transposed(made[1]))
    if masks[1].shape[1] > masks[1].shape[0] or any(touched.left or touched.right for touched in edges):
        return None
    spans, out = (edges[0].spans, edges[1].spans), Edges(top=edges[0].top, bottom=edges[1].bottom)
    if out.spans and not all(spans):
        return None
    second = _as_long(masks[1], masks[0].shape[0]) if out.spans else masks[1]
    cuts = None if second is None else _cuts(rng, masks[0], second, same=out.spans)
    if second is None or cuts is None:
        return None
    return _stacked(masks[0][: cuts[0]], second[cuts[1] :]), out


def _transposed(edges: Edges) -> Edges:
    return Edges(edges.top, edges.left, edges.bottom, edges.right)


def _as_long(mask: Mask, height: int) -> Mask | None:
    """Stretch a line lengthways to `height` rows; None where that is too much."""
    if not 1 / STRETCH <= height / len(mask) <= STRETCH:
        return None
    rows = ((np.arange(height) + 0.5) * len(mask) / height).astype(int)
    return mask[rows]


def _cuts(rng: Rng, first: Mask, second: Mask, *, same: bool) -> tuple[int, int] | None:
    """Choose the row of each line at which they meet, among the pairs of rows that are most alike; `same`: one row."""
    rows, others = _single_strands(first), _single_strands(second)
    if not len(rows) or not len(others):
        return None
    widths, slopes = (
        np.subtract.outer(a, b) for a, b in zip(_profile(first, rows), _profile(second, others), strict=True)
    )
    unlike = np.abs(widths) + np.abs(slopes)
    if same:
        unlike = np.where(np.equal.outer(rows, others), unlike, np.inf)
    best = np.argsort(unlike, axis=None, kind="stable")
    best = best[: max(round(BEST * np.isfinite(unlike).sum()), 1)]
    best = best[unlike.ravel()[best] <= ALIKE]
    if not len(best):
        return None
    a, b = np.unravel_index(int(best[int(rng.integers(len(best)))]), unlike.shape)
    return int(rows[a]), int(others[b])


def _single_strands(mask: Mask) -> NDArray[np.int64]:
    """Return the rows in the middle of a line that cross one strand."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 0))).astype(np.int8), axis=1) == 1
    low, high = (round(share * len(mask)) for share in MIDDLE)
    rows = np.arange(max(low, 1), max(high, low + 1))
    rows = rows[rows < len(mask)]
    return np.asarray(rows[edges[rows].sum(axis=1) == 1])


def _profile(mask: Mask, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the logarithm of a line's width and its slope (columns a row) about some rows."""
    counts, sums = mask.sum(axis=1), mask @ np.arange(mask.shape[1])
    logs, slopes = [], []
    for row in rows:
        near = np.arange(max(row - AROUND, 0), min(row + AROUND + 1, len(mask)))
        near = near[counts[near] > 0]
        logs.append(np.log(counts[near].mean()))
        slopes.append(np.polyfit(near, sums[near] / counts[near], 1)[0] if len(near) > 1 else 0.0)
    return np.array(logs), np.array(slopes)


def _stacked(upper: Mask, lower: Mask) -> Mask:
    """Put one part of a line below the other, the middles of the rows that meet above each other; cut tight."""
    shift = round(float(np.flatnonzero(upper[-1]).mean() - np.flatnonzero(lower[0]).mean()))
    left = max(-shift, 0)
    width = max(left + upper.shape[1], left + shift + lower.shape[1])
    out = np.zeros((len(upper) + len(lower), width), np.uint8)
    out[: len(upper), left : left + upper.shape[1]] = upper
    out[len(upper) :, left + shift : left + shift + lower.shape[1]] = lower
    whole = largest_piece(out)
    return whole[tight(whole)]
