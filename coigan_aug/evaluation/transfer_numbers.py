"""The numbers of a transfer result: how near each engine brings a line's images to another's, and what that is worth."""

from __future__ import annotations

from msgspec import Struct

from coigan_aug.evaluation.numbers import Benefit
from coigan_aug.store.card import Became

AS_IT_IS = "as it is"
"""What the arm of untranslated images is called."""
CLEAN, LABELLED = "clean", "labelled"
CONTROLS = (CLEAN, LABELLED)
"""Images as they are with the other line's defect-free ones beside, and the other line's own training images with their masks:
what an engine is held against, but no engine."""


class EngineNumbers(Became, frozen=True, kw_only=True):
    """What an engine does; the first of a result is AS_IT_IS. Of those that draw, and of CONTROLS, the distance alone.

    `kid` and its standard error are to images of the other line. A segmenter is asked about held-out images alone.
    """

    name: str
    draws: bool = False
    kid: float | None = None
    kid_error: float | None = None


class Transfer(Struct, frozen=True, kw_only=True):
    """What a transfer measurement found.

    `best` is the engine that is taken by "auto", or AS_IT_IS. `floor` is the KID between two halves of the other line's
    images, by piece. `left_out` counts images of the first line that show a piece on which is tested. `labelled` says
    whether the other line has masks to test with; `benefit` then holds what segmenters reached there, with `binary` of any
    defect only, since both lines name other classes.
    """

    engines: list[EngineNumbers]
    best: str
    features: str
    floor: float | None = None
    images: int = 0
    other_images: int = 0
    left_out: int = 0
    labelled: bool = False
    binary: bool = False
    benefit: Benefit | None = None
