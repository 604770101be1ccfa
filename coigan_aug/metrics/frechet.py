"""The Fréchet distance between two sets of rows, seen as Gaussians (FID: Heusel et al. 2017, equation 6)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
_BLOCK = 2048


class Moments:
    """Mean and covariance of rows that come in blocks; float64, so that order and blocks hardly matter.

    Holds D + D * D numbers however many rows come (Chan, Golub and LeVeque 1983). `root` [D, n], where it is known,
    times its transpose is the covariance.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean: Matrix = np.zeros(width)
        self.root: Matrix | None = None
        self._scatter: Matrix = np.zeros((width, width))

    def add(self, rows: NDArray[Any]) -> None:
        """Take in rows [n, D]; n may be 0."""
        if len(rows) == 0:
            return
        values = np.asarray(rows, np.float64)
        mean = values.mean(axis=0)
        off = values - mean
        self._join(len(values), mean, off.T @ off)

    def merge(self, other: Moments) -> None:
        """Take in the rows that another one has seen."""
        if other.count:
            self._join(other.count, other.mean, other._scatter)

    def _join(self, count: int, mean: Matrix, scatter: Matrix) -> None:
        total = self.count + count
        step = mean - self.mean
        self._scatter = self._scatter + scatter + np.outer(step, step) * (self.count * count / total)
        self.mean = self.mean + step * (count / total)
        self.count, self.root = total, None

    @property
    def covariance(self) -> Matrix:
        """The covariance [D, D], over n - 1; all zeros for a single row."""
        return self._scatter / max(self.count - 1, 1)


def moments_of(rows: NDArray[Any]) -> Moments:
    """Return the moments of rows [n, D], read in blocks (they may be memory-mapped).

    Up to D rows are themselves a root of their covariance, which saves taking it apart.
    """
    moments = Moments(rows.shape[1])
    for start in range(0, len(rows), _BLOCK):
        moments.add(rows[start : start + _BLOCK])
    if 2 <= len(rows) <= rows.shape[1]:
        moments.root = ((np.asarray(rows, np.float64) - moments.mean) / np.sqrt(len(rows) - 1)).T
    return moments


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2)), at least 0.

    tr((C1 C2)^(1/2)) is the sum of the square roots of the eigenvalues of R' C2 R, where C1 = R R'. That matrix is
    symmetric and not negative, so no complex number appears. With fewer rows than numbers in a row (n <= D) the
    covariances are singular; R then has as many columns as the smaller set has rows, or varies in, and nothing has
    to be added to the diagonals.

    Raises:
        ValueError: a set has fewer than 2 rows, or the rows are of different lengths.
    """
    if min(first.count, second.count) < 2:
        raise ValueError(f"{first.count} and {second.count} rows; a covariance needs 2 at least")
    if first.mean.shape != second.mean.shape:
        raise ValueError(f"rows of {len(first.mean)} and of {len(second.mean)} numbers")
    few, many = sorted((first, second), key=lambda moments: moments.count)
    root = _root(few.covariance) if few.root is None else few.root
    common = np.linalg.eigvalsh(root.T @ many.covariance @ root)
    step = first.mean - second.mean
    spread = np.trace(first.covariance) + np.trace(second.covariance)
    return max(float(step @ step + spread - 2 * np.sqrt(np.clip(common, 0, None)).sum()), 0.0)


def _root(covariance: Matrix) -> Matrix:
    """Return R [D, r] with R R' = covariance, r its rank."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
