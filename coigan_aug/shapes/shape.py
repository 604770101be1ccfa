"""A shape: a mask for a defect that is to be drawn, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coigan_aug.annotations.rle import Mask
from coigan_aug.errors import UsageError
from coigan_aug.settings import SHAPES

KINDS = SHAPES

Bend = tuple[float, ...]
"""Displacements at a grid of control points, row-major, x and y by turns, in shares of a box; () for none (`bend.py`)."""


@dataclass(frozen=True)
class Shape:
    """A defect's mask, cut tight: uint8 [h, w] of 0 and 1, full-size px.

    `kind` is how it was made; it is "warped" where another kind was asked for and could not be made. `of` is the training
    object it was made from or took its size from, `others` further ones (all: positions in `Prepared.objects`).
    `warp` is the 2 x 3 matrix, row by row, that takes (x, y, 1) in the image of `of` to the mask's pixels, after `bend`
    (see `warp.source_places`; its box is that of `of`); () where no map exists. `near` says where it lies: shares of the
    free room, x and y; 0 and 1 are the edges of the image.
    """

    mask: Mask
    kind: str
    of: int
    others: tuple[int, ...] = ()
    warp: tuple[float, ...] = ()
    bend: Bend = ()
    near: tuple[float, float] = (0.5, 0.5)


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse an empty list, and kinds of shapes that there are not.

    Raises:
        UsageError: names those that there are.
    """
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong or not kinds:
        what = f"There are no shapes {wrong[0]!r}." if wrong else "No kind of shapes is given."
        raise UsageError(what, remedy=f"Shapes: {', '.join(KINDS)}.")
