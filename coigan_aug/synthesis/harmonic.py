"""The equation of Poisson cloning: what is known round a place, continued into it without a bump of its own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Marks = NDArray[np.bool_]
Indices = NDArray[np.int64]

EXACT = 0.002  # largest residual, in units of the values; the result is then within some tenths for areas of 1 Mpx
FEW = 400  # unknowns that need no coarser start


def continue_into(values: Values, inside: Marks, known: Marks) -> Values:
    """Give each pixel `inside` [h, w] the mean of its four neighbours; where `known`, values [h, w] stay.

    That is Laplace's equation with the known values as boundary. Neighbours that are neither inside nor known count
    for nothing, so values end there without a slope. A part with no known neighbour at all keeps to what its
    surroundings suggest. Everything else is 0 in the result [h, w].

    Solved by conjugate gradients, starting from the solution of the same at half the size.
    """
    out = np.where(known, values, 0.0)
    if not known.any() or not inside.any():
        return out
    start = _from_coarser(values, inside, known) if inside.sum() > FEW else np.full(inside.sum(), values[known].mean())
    out[inside] = _solve(values[known], _neighbours(inside, known), start)
    return out


def _from_coarser(values: Values, inside: Marks, known: Marks) -> Values:
    """Solve at half the size, where a pixel is known if any of its four was, and bring that back."""
    height, width = inside.shape
    count = _sums_of_four(known.astype(float))
    rough = _sums_of_four(np.where(known, values, 0.0)) / np.maximum(count, 1)
    coarse = continue_into(rough, (_sums_of_four(inside.astype(float)) > 0) & (count == 0), count > 0)
    size = (2 * coarse.shape[1], 2 * coarse.shape[0])
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)[:height, :width][inside], np.float64)


def _sums_of_four(values: Values) -> Values:
    height, width = values.shape
    even = np.pad(values, ((0, height % 2), (0, width % 2)))
    return np.asarray(even.reshape(-1, 2, even.shape[1] // 2, 2).sum(axis=(1, 3)))


def _neighbours(inside: Marks, known: Marks) -> Indices:
    """Number the pixels inside, then the known ones; return the numbers of the four neighbours of each inside: [4, N].

    A neighbour that is neither has the number after the last.
    """
    unknowns, fixed = int(inside.sum()), int(known.sum())
    number = np.full((inside.shape[0] + 2, inside.shape[1] + 2), unknowns + fixed)
    number[1:-1, 1:-1][inside] = np.arange(unknowns)
    number[1:-1, 1:-1][known] = unknowns + np.arange(fixed)
    y, x = np.nonzero(inside)
    return np.stack([number[y, x + 1], number[y + 2, x + 1], number[y + 1, x], number[y + 1, x + 2]])


def _solve(fixed: Values, neighbours: Indices, start: Values) -> Values:
    """Conjugate gradients on: links of a pixel * its value - the sum of its neighbours = 0; scaled by the links."""
    unknowns = len(start)
    links = (neighbours < unknowns + len(fixed)).sum(axis=0)
    scale = 1 / np.maximum(links, 1)

    def lacking(values: Values, boundary: Values) -> Values:
        return np.asarray(np.concatenate([values, boundary, [0.0]])[neighbours].sum(axis=0) - links * values)

    values, residual = start, lacking(start, fixed)
    direction = scale * residual
    power = float(residual @ direction)
    for _ in range(10 * unknowns):
        if np.abs(residual).max() < EXACT:
            break
        bent = -lacking(direction, np.zeros_like(fixed))
        step = power / float(direction @ bent)
        values, residual = values + step * direction, residual - step * bent
        before, power = power, float(residual @ (scale * residual))
        direction = scale * residual + power / before * direction
    return values
