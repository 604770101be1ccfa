"""The numbers of a transfer result: how near each engine brings a line's images to another's, and what that is worth."""

from __future__ import annotations

from msgspec import Struct

from coigan_aug.evaluation.numbers import Benefit

AS_IT_IS = "as it is"
"""What the arm of untranslated images is called."""


class EngineNumbers(Struct, frozen=True, kw_only=True):
    """What translating by an engine does; the first of a result is AS_IT_IS.

    `kid` and its standard error are to images of the other line. Of `objects` defects: the median px by which edges moved and
    its 95th percentile, the median share of the gap to the levels round them that is kept, the share that stays as visible as
    is asked for, the shares that a segmenter of the line finds before and after (of held-out images). None: not measured.
    """

    name: str
    kid: float | None = None
    kid_error: float | None = None
    objects: int = 0
    edges_moved: float | None = None
    edges_moved_p95: float | None = None
    gap_kept: float | None = None
    visible: float | None = None
    found_before: float | None = None
    found_after: float | None = None


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
