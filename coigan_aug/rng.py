"""Randomness: every draw comes from a generator named by (seed, stream, index)."""

from __future__ import annotations

import zlib

import numpy as np

_MASK64 = (1 << 64) - 1


def generator(seed: int, stream: str, index: int = 0) -> np.random.Generator:
    """Return the NumPy generator of one place in one named stream.

    The same (seed, stream, index) gives the same numbers in any process and any order; different
    streams and indices are independent (Philox, a counter-based generator: Salmon et al., 2011).
    """
    name = zlib.crc32(stream.encode())
    sequence = np.random.SeedSequence([seed & _MASK64, name, index & _MASK64])
    return np.random.Generator(np.random.Philox(sequence))


def drawn_within(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draw a factor between two, all alike on a logarithmic scale; nothing is drawn where they are one."""
    if bounds[0] == bounds[1]:
        return bounds[0]
    return float(np.exp(rng.uniform(*np.log(bounds))))


def torch_seed(seed: int, stream: str, index: int = 0) -> int:
    """Return a 63-bit seed for a `torch.Generator`, drawn from the same streams."""
    return int(generator(seed, stream, index).integers(0, (1 << 63) - 1, dtype=np.int64))
