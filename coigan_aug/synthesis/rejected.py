"""What the screen of a synthesis rejected: one JSON line each in `rejected.jsonl`, thumbnails beside in `rejected/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coigan_aug.sealed import read_structs

REJECTED = "rejected.jsonl"
THUMBNAILS = "rejected"
REASONS = ("invisible", "mask", "copy", "seam")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A picture that was drawn and not kept: its number, part and attempt, one of REASONS, the class of the defect.

    `value` is what was measured, `limit` what it should have kept; `file` is a thumbnail, relative to the output folder.
    """

    number: int
    part: int
    attempt: int
    reason: str
    label: str
    value: float
    limit: float
    file: str | None = None


def read_rejected(out: Path) -> tuple[Rejected, ...]:
    """Read the list in an output folder, up to a torn last line; empty where there is none.

    Raises:
        Damaged: a line is damaged.
    """
    return tuple(each_rejected(out))


def each_rejected(out: Path) -> Iterator[Rejected]:
    """Return what `read_rejected` reads, few of it in memory."""
    return read_structs(out / REJECTED, Rejected, remedy="Draw the set again with --overwrite.")
