"""Nearest neighbours among rows: improved precision and recall, spread, and how near copies lie. Euclidean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]
Indices = NDArray[np.int64]
QUANTILE = 0.01
_BLOCK = 1024


def nearest(queries: NDArray[Any], rows: NDArray[Any]) -> tuple[Distances, Indices]:
    """Return for each query [D] the distance to its nearest row and that row's number (the first of equals).

    Distances are infinite, and numbers -1, where there are no rows.
    """
    return _nearest(queries, rows, barred=None)


def nearest_of_other_groups(rows: NDArray[Any], groups: NDArray[np.int64]) -> tuple[Distances, Indices]:
    """Return for each row the distance to the nearest row of another group, and its number.

    Distances are infinite, and numbers -1, where all rows are of one group.
    """
    return _nearest(rows, rows, barred=groups)


def copy_limit(rows: NDArray[Any], groups: Sequence[str]) -> float | None:
    """Return how near to one of the rows another thing must come to count as its copy.

    The 1 % point of the distances from a row to the nearest one of another group; None with fewer than two groups.
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    if len(numbers) < 2:
        return None
    distances, _ = nearest_of_other_groups(rows, np.array([numbers[name] for name in groups], np.int64))
    return float(np.quantile(distances, QUANTILE))


def _nearest(
    queries: NDArray[Any], rows: NDArray[Any], *, barred: NDArray[np.int64] | None
) -> tuple[Distances, Indices]:
    best = np.full(len(queries), np.inf)
    which = np.full(len(queries), -1, np.int64)
    for here, there, squared in _squares(queries, rows):
        if barred is not None:
            squared[barred[here, None] == barred[None, there]] = np.inf
        closest = squared.argmin(axis=1)
        values = squared[np.arange(len(closest)), closest]
        better = values < best[here]
        which[here] = np.where(better, closest + there.start, which[here])
        best[here] = np.where(better, values, best[here])
    return np.sqrt(best), which


def radii(rows: NDArray[Any], k: int) -> Distances:
    """Return each row's distance to its k-th nearest other row.

    Raises:
        ValueError: there are not k other rows.
    """
    if len(rows) <= k:
        raise ValueError(f"{len(rows)} rows; the {k}. neighbour needs {k + 1} at least")
    best = np.full((len(rows), k), np.inf)
    for here, there, squared in _squares(rows, rows):
        if here == there:
            np.fill_diagonal(squared, np.inf)
        both = np.concatenate([best[here], squared], axis=1)
        best[here] = np.partition(both, k - 1, axis=1)[:, :k]
    return np.sqrt(best.max(axis=1))


def precision_recall(made: NDArray[Any], real: NDArray[Any], *, k: int = 3) -> tuple[float, float]:
    """Return improved precision and recall (Kynkäänniemi et al. 2019, equations 1 and 2).

    Precision is the share of made rows that lie in the ball of a real row, a ball reaching to the row's k-th nearest
    neighbour; recall is the share of real rows that lie in a made row's ball.

    Raises:
        ValueError: a set has k rows or fewer.
    """
    return _covered(made, real, radii(real, k)), _covered(real, made, radii(made, k))


def _covered(queries: NDArray[Any], centres: NDArray[Any], reach: Distances) -> float:
    inside = np.zeros(len(queries), bool)
    for here, there, squared in _squares(queries, centres):
        inside[here] |= (np.sqrt(squared) <= reach[None, there]).any(axis=1)
    return float(inside.mean())


def mean_distance(rows: NDArray[Any]) -> float:
    """Return the mean distance over all pairs of different rows.

    Raises:
        ValueError: there are fewer than 2 rows.
    """
    if len(rows) < 2:
        raise ValueError(f"{len(rows)} rows have no pairs")
    total = 0.0
    for here, there, squared in _squares(rows, rows):
        if here == there:
            np.fill_diagonal(squared, 0)
        total += float(np.sqrt(squared).sum())
    return total / (len(rows) * (len(rows) - 1))


def _squares(first: NDArray[Any], second: NDArray[Any]) -> Iterator[tuple[slice, slice, Distances]]:
    """Yield squared distances block by block: rows, columns, values.

    In float64: |x|^2 + |y|^2 - 2 x . y loses half the digits of near neighbours.
    """
    for start in range(0, len(first), _BLOCK):
        here = slice(start, min(start + _BLOCK, len(first)))
        left = np.asarray(first[here], np.float64)
        for begin in range(0, len(second), _BLOCK):
            there = slice(begin, min(begin + _BLOCK, len(second)))
            right = np.asarray(second[there], np.float64)
            squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None] - 2 * left @ right.T
            yield here, there, np.maximum(squares, 0)
