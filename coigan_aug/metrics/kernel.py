"""The kernel distance between two sets of rows (KID: Binkowski et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]
_BLOCK = 1024


@dataclass(frozen=True)
class KernelDistance:
    """A kernel distance and its standard error, in the units of the kernel (papers print it times 1000)."""

    value: float
    error: float


def kernel_distance(first: NDArray[Any], second: NDArray[Any]) -> KernelDistance:
    """Return the unbiased MMD^2 of rows [m, D] and [n, D] under the kernel (x . y / D + 1)^3, and its standard error.

    Papers average it over random subsets, since all pairs once were too many. Here all pairs are taken, block by
    block: nothing is drawn, the order of the rows does not matter, and it has the smallest variance of the unbiased
    estimates. Where both sets come from one distribution it is 0 on average, so a little below 0 is a fine value.
    The standard error is the jackknife's (each row left out in turn, in closed form from the rows' sums); near 0
    it is rather too large than too small.

    Raises:
        ValueError: a set has fewer than 3 rows.
    """
    m, n = len(first), len(second)
    if min(m, n) < 3:
        raise ValueError(f"{m} and {n} rows; the standard error needs 3 at least")
    own, theirs = _inner_sums(first), _inner_sums(second)
    across, back = _outer_sums(first, second)
    a, b, c = own.sum() / (m * (m - 1)), theirs.sum() / (n * (n - 1)), across.sum() / (m * n)
    without_first = (own.sum() - 2 * own) / ((m - 1) * (m - 2)) + b - 2 * (across.sum() - across) / ((m - 1) * n)
    without_second = a + (theirs.sum() - 2 * theirs) / ((n - 1) * (n - 2)) - 2 * (back.sum() - back) / (m * (n - 1))
    variance = (m - 1) * without_first.var() + (n - 1) * without_second.var()
    return KernelDistance(float(a + b - 2 * c), float(np.sqrt(variance)))


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
