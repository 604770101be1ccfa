"""The kernel distance between two sets of rows (KID: Binkowski et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]
_BLOCK = 1024


Groups = NDArray[np.int64]


@dataclass(frozen=True)
class KernelDistance:
    """A kernel distance and its standard error, in the units of the kernel (papers print it times 1000).

    The error is None where a set is of one group.
    """

    value: float
    error: float | None


def kernel_distance(
    first: NDArray[Any], second: NDArray[Any], *, groups: tuple[Groups, Groups] | None = None
) -> KernelDistance:
    """Return the unbiased MMD^2 of rows [m, D] and [n, D] under the kernel (x . y / D + 1)^3, and its standard error.

    Papers average it over random subsets, since all pairs once were too many. Here all pairs are taken, block by
    block: nothing is drawn, the order of the rows does not matter, and it has the smallest variance of the unbiased
    estimates. Where both sets are independent draws from one distribution it is 0 on average, so a little below 0 is
    a fine value.

    The standard error is the jackknife's: each group of rows is left out in turn (Busing et al. 1999, for groups of
    different sizes), in closed form from sums of the kernel. Rows of near-duplicates belong in one group: they do not
    count as so many witnesses. Near a distance of 0 the error is rather too large than too small.

    Args:
        groups: the group of each row, as any numbers, [m] and [n]. Default: each row is a group.

    Raises:
        ValueError: a set has fewer than 2 rows.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"{len(first)} and {len(second)} rows; their kernels need 2 at least")
    ours, theirs = groups if groups is not None else (np.arange(len(first)), np.arange(len(second)))
    across, back = _outer_sums(first, second)
    sides = (_side(first, across, ours), _side(second, back, theirs))
    value = sum(_within(side) for side in sides) - 2 * across.mean() / len(second)
    variances = [_variance(side, other, value) for side, other in (sides, sides[::-1])]
    known = [variance for variance in variances if variance is not None]
    return KernelDistance(float(value), float(np.sqrt(sum(known))) if len(known) == 2 else None)


@dataclass(frozen=True)
class _Side:
    """Sums over the rows of a set by group: rows, kernels with the other rows of the set, those inside the group, kernels
    with the other set."""

    rows: Sums
    inner: Sums
    shared: Sums
    outer: Sums


def _side(rows: NDArray[Any], outer: Sums, groups: Groups) -> _Side:
    _, which = np.unique(groups, return_inverse=True)
    sizes = np.bincount(which).astype(np.float64)
    shared = np.zeros(len(sizes))
    for group in np.flatnonzero(sizes > 1):
        shared[group] = _inner_sums(np.asarray(rows[np.flatnonzero(which == group)])).sum()
    inner, across = (np.bincount(which, sums).astype(np.float64) for sums in (_inner_sums(rows), outer))
    return _Side(sizes, inner, shared, across)


def _within(side: _Side) -> float:
    count = side.rows.sum()
    return float(side.inner.sum() / (count * (count - 1)))


def _variance(side: _Side, other: _Side, value: float) -> float | None:
    """Return the jackknife's variance of the distance from leaving out groups of one set; None where it is of one group."""
    count, others = side.rows.sum(), other.rows.sum()
    kept = count - side.rows
    if len(kept) < 2 or kept.min() < 2:
        return None
    inner = (side.inner.sum() - 2 * side.inner + side.shared) / (kept * (kept - 1))
    without = inner + _within(other) - 2 * (side.outer.sum() - side.outer) / (kept * others)
    weight = count / side.rows
    pseudo = weight * value - (weight - 1) * without
    return float((((pseudo - (pseudo / weight).sum()) ** 2) / (weight - 1)).mean())


def _inner_sums(rows: NDArray[Any]) -> Sums:
    """Return for each row the sum of its kernel with all the others."""
    sums = np.zeros(len(rows))
    for here, there, values in _kernels(rows, rows):
        if here == there:
            np.fill_diagonal(values, 0)
        sums[here] += values.sum(axis=1)
    return sums


def _outer_sums(first: NDArray[Any], second: NDArray[Any]) -> tuple[Sums, Sums]:
    """Return for each row of either set the sum of its kernel with all rows of the other set."""
    across, back = np.zeros(len(first)), np.zeros(len(second))
    for here, there, values in _kernels(first, second):
        across[here] += values.sum(axis=1)
        back[there] += values.sum(axis=0)
    return across, back


def _kernels(first: NDArray[Any], second: NDArray[Any]) -> Iterator[tuple[slice, slice, Sums]]:
    """Yield the kernel block by block: its rows, its columns, its values. Products in float32, sums in float64."""
    for start in range(0, len(first), _BLOCK):
        here = slice(start, start + _BLOCK)
        left = np.asarray(first[here], np.float32)
        for begin in range(0, len(second), _BLOCK):
            there = slice(begin, begin + _BLOCK)
            products = left @ np.asarray(second[there], np.float32).T
            yield here, there, (products.astype(np.float64) / first.shape[1] + 1) ** 3
