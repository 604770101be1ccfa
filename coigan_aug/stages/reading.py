"""What the stages that read a team's annotations have in common: their requests as the readers' options."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from coigan_aug.asking import StrPath
from coigan_aug.formats.masks.pairing import parse_pair
from coigan_aug.formats.source import ReadOptions, parse_classes, parse_unknown
from coigan_aug.formats.tables.columns import parse_order


class ReadingAsk(Protocol):
    """The options that every request to read annotations has."""

    @property
    def images(self) -> StrPath | None: ...
    @property
    def classes(self) -> str | None: ...
    @property
    def pair(self) -> str | None: ...
    @property
    def invert_masks(self) -> bool | None: ...
    @property
    def resize_masks(self) -> bool: ...
    @property
    def unknown_as(self) -> str | None: ...
    @property
    def rle_order(self) -> str | None: ...
    @property
    def line_width(self) -> float | None: ...


def read_options(ask: ReadingAsk) -> ReadOptions:
    """Return how to read a source, as far as all such requests say it.

    Raises:
        UsageError: a value is none that there is.
    """
    return ReadOptions(
        images=Path(ask.images) if ask.images is not None else None,
        classes=parse_classes(ask.classes) if ask.classes else (),
        pair=parse_pair(ask.pair),
        invert_masks=ask.invert_masks,
        resize_masks=ask.resize_masks,
        unknown_as_clean=parse_unknown(ask.unknown_as),
        rle_order=parse_order(ask.rle_order),
        line_width=ask.line_width,
    )
