"""What the screen of a synthesis rejected: counts by class and reason, and some of it to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from msgspec import structs

from coigan_aug.errors import DataError
from coigan_aug.files import inside
from coigan_aug.imaging import Pixels, read_rgb
from coigan_aug.report.crops import SIDE, fit
from coigan_aug.report.notes import Notes
from coigan_aug.report.scores import facts, short
from coigan_aug.report.words import key_words, looked_at, screened, screened_words
from coigan_aug.store.card import Screening
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.rejected import REASONS, Rejected

SHOWN = 8
GREY = "#808080"
_WORDS = {
    "invisible": "too little of it can be seen",
    "mask": "what changed is not what the mask says",
    "copy": "too like a training object",
    "seam": "its outline shows as a seam",
}


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A class: how many of its defects were rejected for each reason, in all, and as a share of all that were drawn."""

    name: str
    colour: str
    counts: tuple[int, ...]
    total: int
    share: float


@dataclass(frozen=True)
class Thumbnail:
    """A rejected defect, uint8 [h, w, 3], with its class and what was measured."""

    name: str
    measured: str
    pixels: Pixels


@dataclass(frozen=True, kw_only=True)
class RejectedPart:
    """What became of a set's screening.

    `screened` is None where the set does not say whether it was; `words` say it. `looked_at` is what the screen looked at.
    `reasons` are name and words; `rows` count by them; `shown` has thumbnails by reason; `screen` says its settings.
    """

    screened: bool | None
    words: str
    looked_at: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]
    rows: tuple[RejectedRow, ...]
    total: int
    share: float
    shown: tuple[tuple[str, tuple[Thumbnail, ...]], ...]
    screen: tuple[tuple[str, str], ...]


def rejected_part(
    drawn: Dataset, items: Sequence[Rejected], screening: Screening | None, *, colours: Mapping[str, str], notes: Notes
) -> RejectedPart:
    """Sort what was rejected; a thumbnail that can't be read becomes a note.

    Args:
        drawn: the synthetic set; its image root is the folder of the thumbnails.
        screening: what the card says of it.
        colours: of the classes by name, as #rrggbb.
    """
    kept = Counter(annotation.label for record in drawn for annotation in record.annotations)
    counts = Counter((item.label, item.reason) for item in items)
    given = {item.reason for item in items}
    reasons = [*(reason for reason in REASONS if reason in given), *sorted(given - set(REASONS))]
    names = list(dict.fromkeys((*drawn.names, *(item.label for item in items))))
    rows = [_row(name, [counts[name, reason] for reason in reasons], kept[name], colours) for name in names]
    screen = msgspec.to_builtins(structs.replace(screening or Screening(), effective=None, rejected=None, missing=None))
    return RejectedPart(
        screened=screened(screening, rejected=len(items)),
        words=screened_words(screening, rejected=len(items), kept=sum(kept.values())),
        looked_at=looked_at(screening),
        reasons=tuple((reason, _WORDS.get(reason, "")) for reason in reasons),
        rows=tuple(row for row in rows if row.total or kept[row.name]),
        total=len(items),
        share=len(items) / max(len(items) + sum(kept.values()), 1),
        shown=tuple((reason, _thumbnails(drawn, items, reason, notes)) for reason in reasons),
        screen=tuple((key_words(name), value) for name, value in facts(screen) if name != "on"),
    )


def _row(name: str, counts: Sequence[int], kept: int, colours: Mapping[str, str]) -> RejectedRow:
    total = sum(counts)
    return RejectedRow(
        name=name, colour=colours.get(name, GREY), counts=tuple(counts), total=total, share=total / max(total + kept, 1)
    )


def _thumbnails(drawn: Dataset, items: Sequence[Rejected], reason: str, notes: Notes) -> tuple[Thumbnail, ...]:
    """Read SHOWN thumbnails of a reason, spread evenly over what was measured."""
    of_reason = sorted((item for item in items if item.reason == reason and item.file), key=lambda item: item.value)
    places = np.unique(np.linspace(0, len(of_reason) - 1, min(SHOWN, len(of_reason))).round().astype(int)).tolist()
    thumbnails = []
    for item in (of_reason[k] for k in places):
        try:
            pixels = read_rgb(inside(drawn.image_root, str(item.file)))
        except DataError as error:
            notes.add("rejected", f"Some pictures can't be shown: {error.message}")
        else:
            measured = f"{short(item.value)}, limit {short(item.limit)}"
            thumbnails.append(Thumbnail(item.label, measured, fit(pixels, SIDE)))
    return tuple(thumbnails)
