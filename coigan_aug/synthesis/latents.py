"""Latents of single defects: as text for a plan, made to vary, and between two others. A row is for a level, coarse first."""

from __future__ import annotations

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError

Latent = NDArray[np.float32]


def packed(latent: Latent) -> str:
    """Return a latent [L, Z] as text: base64 of its numbers in half precision, row by row; what a plan holds.

    >>> packed(np.array([[1.0, -0.5]], np.float32))
    'ADwAuA=='
    """
    return base64.b64encode(latent.astype("<f2").tobytes()).decode()


def unpacked(text: str, shape: tuple[int, int]) -> Latent:
    """Return the latent [L, Z] that `packed` wrote.

    Raises:
        DataError: it is none, or of another shape.
    """
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"A latent is no base64 of numbers in half precision: {error}") from error
    if values.size != shape[0] * shape[1] or not np.isfinite(values).all():
        raise DataError(
            f"A latent holds {values.size} numbers; the generator takes {shape[0]} rows of {shape[1]}, finite ones.",
            remedy="Draw with the run that the plan was made for: --run NAME.",
        )
    return values.reshape(shape)


def unit(latent: Latent) -> Latent:
    """Bring the rows of a latent [..., Z] to a mean square of 1: what the mapping network makes of them before it begins."""
    length = np.sqrt(np.square(latent).mean(axis=-1, keepdims=True))
    return np.asarray(latent / np.maximum(length, 1e-6), np.float32)


def varied(latent: Latent, rng: np.random.Generator, *, spread: float) -> Latent:
    """Return another latent [L, Z] near one: the same where `spread` is 0, any latent where it is 1.

    Each row goes round the sphere on which they all lie: sqrt(1 - spread^2) of its own direction, and spread of a random one.
    """
    other = rng.standard_normal(latent.shape, dtype=np.float32)
    return unit(np.sqrt(1 - spread**2) * unit(latent) + spread * unit(other))


def between(one: Latent, other: Latent, share: float) -> Latent:
    """Return the latent [L, Z] that lies a share of the way from one to another, along the sphere: 0 is the one, 1 the other.

    Source: Shoemake 1985, spherical linear interpolation, row by row.
    """
    a, b = unit(one), unit(other)
    cosine = np.clip((a * b).mean(axis=-1, keepdims=True), -1, 1)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    near = sine < 1e-4
    safe = np.where(near, 1, sine)
    first = np.where(near, 1 - share, np.sin((1 - share) * angle) / safe)
    second = np.where(near, share, np.sin(share * angle) / safe)
    return unit(np.asarray(first * a + second * b, np.float32))
