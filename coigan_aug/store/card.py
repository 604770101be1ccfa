"""The card: what a synthesized set says of itself, beside its images.

Synthesis writes it, evaluation and the report read it: it stands with the Dataset that it speaks of, below them all.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from coigan_aug.sealed import read_struct


class DrawnBy(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run, the checksum of its generator and the samples that it had seen; nothing where copies are drawn."""

    run: str | None = None
    sha256: str | None = None
    images_seen: int | None = None


NOTHING = DrawnBy()


class BasesUsed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was drawn on: the kind; the images on erased defects; how these were erased, and how many had too many of them.

    `line` is the other line whose images they are, as it was named.
    """

    kind: str | None = None
    erased: int | None = None
    erased_share: float | None = None
    erased_by: str | None = None
    erased_margin_px: int | None = None
    left_out: int | None = None
    eraser: str | None = None
    line: str | None = None

    @property
    def measured_by(self) -> str:
        """The command, without its program, that says whether a segmenter gains.

        >>> BasesUsed().measured_by, BasesUsed(line="line b").measured_by
        ('evaluate benefit', "evaluate transfer --to 'line b'")
        """
        return "evaluate benefit" if self.line is None else f"evaluate transfer --to {shlex.quote(self.line)}"


class PlacesUsed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How places were found: whether on a part, what is said of it, the classes that stay in their own place, the ROI."""

    parts_used: bool | None = None
    parts: str | None = None
    own_places: list[str] | None = None
    roi: str | None = None


class Effective(Struct, frozen=True, kw_only=True):
    """How what really changed overlaps the masks of a class: defects, median IoU, its 5th percentile, share of the mask."""

    n: int | None = None
    median: float
    p05: float | None = None
    shown: float | None = None


class Screening(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How it was screened; of a finished set what was rejected, by reason and class, what is missing, what the masks hold.

    Earlier versions gave the median IoU of a class alone.
    """

    on: bool | None = None
    attempts: int | None = None
    limits: dict[str, Any] | None = None
    rejected: dict[str, dict[str, int]] | None = None
    missing: dict[str, int] | None = None
    effective: dict[str, Effective | float | None] | None = None


class Beside(Struct, frozen=True, kw_only=True):
    """Real images beside the synthetic ones, and the share of images with defects that is synthetic."""

    images: int
    synthetic_share: float


class Varied(Struct, frozen=True, kw_only=True):
    """Real defects whose siblings were drawn: image and number of each, how far the latents go from theirs, and how near these
    come inside the masks, grey levels: random ones, the best of eight, the projected ones.
    """

    objects: list[str]
    spread: float
    random: float
    best_of_8: float
    projected: float


class Earlier(Struct, frozen=True, kw_only=True):
    """A set that this one was added to."""

    command: str | None
    images: int
    engine: str


class Became(Struct, frozen=True, kw_only=True):
    """What became of `objects` defects in another look; None: not measured.

    The median px by which their edges moved and its 95th percentile, the median share of the gap to the levels round them that
    they kept, the share that is as visible as is asked for, and those that a segmenter of their line finds before and after.
    """

    objects: int = 0
    edges_moved: float | None = None
    edges_moved_p95: float | None = None
    gap_kept: float | None = None
    visible: float | None = None
    found_before: float | None = None
    found_after: float | None = None


class Translated(Became, frozen=True, kw_only=True):
    """What a translated set comes from, whose look it has, and what became of its defects.

    `about` is what the engine was made of, `annotations` the file. `left_out` counts the images in which a defect was lost,
    `unknown` those of unknown state, `void_lost` those whose void pixels the format can't hold.
    """

    source: str
    to: str = ""
    about: dict[str, Any] = {}
    seed: int = 0
    annotations: str = ""
    left_out: int = 0
    unknown: int = 0
    void_lost: int = 0


class Card(Struct, frozen=True, kw_only=True):
    """What made a set, with what, and what came out; a card of an earlier version may say less.

    `defects` counts by class, `engines` by class and engine. `data` is the checksum of the Dataset that it was made from.
    """

    images: int = 0
    format: str | None = None
    command: str | None = None
    program: str | None = None
    engine: str = "?"
    engines: dict[str, dict[str, int]] = {}
    generator: DrawnBy | None = None
    defects: dict[str, int] = {}
    plan_sha256: str | None = None
    margin_px: int | None = None
    promise: str | None = None
    bases: BasesUsed = BasesUsed()
    places: PlacesUsed = PlacesUsed()
    screening: Screening | None = None
    data: str | None = None
    settings: dict[str, dict[str, Any]] = {}
    versions: dict[str, str] = {}
    earlier: tuple[Earlier, ...] | UnsetType = UNSET
    real: Beside | UnsetType = UNSET
    translated: Translated | UnsetType = UNSET
    varied: Varied | UnsetType = UNSET
    style: dict[str, float] | UnsetType = UNSET

    @property
    def effective(self) -> dict[str, Effective]:
        """What the masks of each class hold, where that is known."""
        known = (self.screening and self.screening.effective) or {}
        return {
            name: value if isinstance(value, Effective) else Effective(median=value)
            for name, value in known.items()
            if value is not None
        }


def read_card(path: Path) -> Card:
    """Read a card; one that says nothing where there is no file.

    Raises:
        DataError: it is damaged.
    """
    return read_struct(path, Card) if path.exists() else Card()
