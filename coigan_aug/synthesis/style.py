"""The directions of a run's styles: what was measured of them, kept beside its generator, and what a style asks of them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.errors import DataError, UsageError, meant
from coigan_aug.sealed import name_of, read_struct

FILE = "directions.json"
MOST = 5.0  # standard deviations that a style may ask for
Style = tuple[tuple[str, float], ...]
Vector = NDArray[np.float32]


class Direction(Struct, frozen=True, kw_only=True):
    """A direction among the styles that changes one trait: one unit by a standard deviation of what random latents give it.

    `vector` is base64 of its Z numbers in single precision. `explained` is how much of the trait the styles tell (R squared).
    On masks that it was not found on: `spearman`, of the amount and the change of the trait, and `drags`, by how many
    standard deviations each other trait changes for one of its own. `why` says what it was dropped for, and is empty where it
    was kept.
    """

    name: str
    vector: str
    explained: float
    spearman: float
    drags: dict[str, float]
    why: str = ""

    @property
    def kept(self) -> bool:
        """Whether it can be asked for."""
        return not self.why


class Directions(Struct, frozen=True, kw_only=True):
    """What was measured of a generator (its hash): the latents drawn, the seed, the masks, the directions by name."""

    generator: str
    program: str
    latents: int
    seed: int
    found_on: list[str]
    tried_on: list[str]
    directions: list[Direction]

    @property
    def name(self) -> str:
        """Tell these directions from others."""
        return name_of([(item.name, item.vector) for item in self.directions])

    def named(self, name: str) -> Direction | None:
        """Return a direction, None where there is none of the name."""
        return next((item for item in self.directions if item.name == name), None)


def packed(vector: Vector) -> str:
    """Return a vector as base64 of its numbers in single precision."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def unpacked(text: str) -> Vector:
    """Return the vector that `packed` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)


def read_directions(run: Path, generator: GeneratorFile) -> Directions | None:
    """Return what was measured of a run (its folder); None where nothing was, or of another state of its generator.

    Raises:
        DataError: the file is damaged.
    """
    if not (run / FILE).exists():
        return None
    found = read_struct(run / FILE, Directions, remedy=f"Measure again: coigan-aug directions --run {run.name}")
    return found if found.generator == generator.sha256 else None


def parse_style(asked: str | Mapping[str, float] | None) -> Style:
    """Read a style: "sharpness=1.5,grain=-1", or the same as a mapping; names in order, amounts other than 0.

    Raises:
        UsageError: it is none, or an amount is beyond 5.

    >>> parse_style("sharpness=1.5,grain=-1")
    (('grain', -1.0), ('sharpness', 1.5))
    """
    if asked is None:
        return ()
    items = asked.items() if isinstance(asked, Mapping) else (part.partition("=")[::2] for part in asked.split(","))
    style: dict[str, float] = {}
    for name, amount in items:
        try:
            value = float(amount)
        except ValueError:
            value = math.nan
        if not abs(value) <= MOST or name.strip() in style:
            raise UsageError(
                f"--style {asked}: {name}={amount} is no trait with one amount from -{MOST:g} to {MOST:g}.",
                remedy="Such as  --style sharpness=1.5  or  --style sharpness=1.5,darkness=-1 .",
            )
        style[name.strip()] = value
    return tuple(sorted((name, value) for name, value in style.items() if value != 0))


def shift_of(style: Style, directions: Directions | None, *, run: str) -> Vector | None:
    """Return what a style adds to the styles: float32 [Z]; None for none.

    Raises:
        UsageError: the run's directions were not measured, or one is none or was dropped; the message names the way out.
    """
    if not style:
        return None
    if directions is None:
        raise UsageError(
            f"A style needs directions, and none were measured of run {run} as it is now.",
            remedy=f"Measure them: coigan-aug directions --run {run}",
        )
    total: Vector | None = None
    kept = [item.name for item in directions.directions if item.kept]
    for name, amount in style:
        direction = directions.named(name)
        offered = f"Run {run} has: {', '.join(kept) or 'none'}."
        if direction is None:
            raise UsageError(
                f"There is no direction {name!r}.{meant(name, [item.name for item in directions.directions])}",
                remedy=offered,
            )
        if not direction.kept:
            raise UsageError(f"The direction {name} of run {run} was dropped: {direction.why}.", remedy=offered)
        step = np.float32(amount) * unpacked(direction.vector)
        total = step if total is None else total + step
    return total


def check_width(vector: Vector, width: int) -> None:
    """See that a shift fits a generator's styles.

    Raises:
        DataError: it has another length.
    """
    if vector.shape != (width,):
        raise DataError(f"A direction has {vector.size} numbers, the generator's styles {width}.")
