"""Bends: smooth displacements of an object's box, given by a few numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from coigan_aug.geometry import Box
from coigan_aug.shapes.forms import Edges
from coigan_aug.shapes.shape import Bend

POINTS = 4  # control points on a side
STEEPEST = (0.15, 0.45)  # bound of the displacement's derivatives, least and most; below 0.5 nothing can fold

Floats = NDArray[np.float64]


def draw_bend(rng: np.random.Generator, *, width: int, height: int, edges: Edges) -> Bend:
    """Draw a bend for an object's box of that size, px; an object at an edge of its image stays on it.

    What a turn, a rescale or a slant could do as well is taken out. In pixels no partial derivative of the displacement
    is larger than a number drawn from `STEEPEST`, so the map's Jacobian determinant is at least 1 - 2 * 0.45: it keeps
    what is connected connected and parts nothing.
    """
    sides = np.array([width, height], np.float64)
    points = rng.normal(size=(POINTS, POINTS, 2))
    for axis, side in ((1, width), (0, height)):  # neighbours across a narrow side move nearly alike
        mean = points.mean(axis=axis, keepdims=True)
        points = mean + (points - mean) * side / sides.max()
    points = _without_affine(points)
    points[..., 0] = _held(points[..., 0].T, first=edges.left, last=edges.right).T
    points[..., 1] = _held(points[..., 1], first=edges.top, last=edges.bottom)
    slope, steepest = rng.uniform(*STEEPEST), _steepest(points, sides)
    shares = points * (slope / steepest if steepest > 0 else 0.0) / sides
    return tuple(np.trunc(shares * 1e6).ravel() / 1e6)


def _without_affine(points: Floats) -> Floats:
    """Take the plane that fits best out of each component of [n, n, 2]."""
    line = np.arange(POINTS) - (POINTS - 1) / 2
    down = np.tensordot(line, points.mean(axis=1), 1) / (line**2).sum()
    across = np.tensordot(line, points.mean(axis=0), 1) / (line**2).sum()
    plane = line[:, None, None] * down + line[None, :, None] * across
    return np.asarray(points - points.mean(axis=(0, 1)) - plane)


def _held(points: Floats, *, first: bool, last: bool) -> Floats:
    """Take away from [n, n] what moves its first and last row."""
    share = np.linspace(0, 1, POINTS)[:, None]
    if first and last:
        return np.asarray(points - (1 - share) * points[0] - share * points[-1])
    return points - points[0] if first else points - points[-1] if last else points


def _steepest(points: Floats, sides: Floats) -> float:
    """Bound the derivatives of the displacement [n, n, 2] px over a box (width, height): those of a Bézier patch."""
    steps = (np.diff(points, axis=1) / sides[0], np.diff(points, axis=0) / sides[1])
    return float((POINTS - 1) * max(np.abs(step).max() for step in steps))


def displacement(bend: Bend, x: Floats, y: Floats, box: Box) -> tuple[Floats, Floats]:
    """Return how far a bend moves places (x, y) px, pixel centres at whole numbers, in a box: dx, dy px.

    With u and v the place in shares of the box, 0..1 (beyond the box: its nearest place), the displacement is
    sum_ij B_i(v) B_j(u) c_ij times the box's sides, where B are Bernstein polynomials and c the control points.

    Source: Sederberg and Parry 1986, "Free-Form Deformation of Solid Geometric Models", in two dimensions.
    """
    if not bend:
        return np.zeros_like(x), np.zeros_like(y)
    left, top, width, height = box
    points = np.array(bend).reshape(math.isqrt(len(bend) // 2), -1, 2)
    u, v = (
        _bernstein(np.clip((at - start + 0.5) / side, 0, 1), len(points) - 1)
        for at, start, side in ((x, left, width), (y, top, height))
    )
    moved = np.einsum("i...,ijc,j...->c...", v, points, u, optimize=True)
    return moved[0] * width, moved[1] * height


def _bernstein(share: Floats, degree: int) -> Floats:
    """Return the Bernstein polynomials of that degree at shares [...]: [degree + 1, ...]."""
    terms = [math.comb(degree, k) * share**k * (1 - share) ** (degree - k) for k in range(degree + 1)]
    return np.stack(terms)
