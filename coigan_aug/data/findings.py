"""What an inspection finds wrong or odd, and the kinds of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coigan_aug.formats.source import Problem, place

KINDS = {
    "source": "places of the source that are wrong or odd",
    "unknown": "images of unknown state, which nothing is learned from, drawn on or measured on",
    "image missing": "images that are missing, broken, of another size than their record says, or other ones than at import",
    "mask damaged": "masks that can't be read, or are of no known class",
    "leak": "images on both sides of the split",
    "mask empty": "masks without pixels",
    "mask full": "masks that cover all of their image",
    "mask twice": "masks that are there twice",
    "mask in two classes": "masks that are there in two classes",
    "classes overlap": "masks that overlap one of another class",
    "object tiny": "images with objects too small to learn from",
    "class": "classes with few objects, or names too much alike",
    "image size": "images of another size than the others",
    "image colour": "images of another colour or brightness than the others, or without any contrast",
    "image twice": "images whose file is there twice",
    "clean": "images to draw on",
}
"""Kind of a finding -> what findings of it are, as a plural."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something wrong (`error`: data is lost or a result can't be trusted) or odd, in words.

    `kind` is one of KINDS; `file` is the image or the annotation file ("" for the set as a whole), `row` its line,
    `column` the name of its column where they are known; `label` the class that it is about ("" for none).
    """

    kind: str
    what: str
    error: bool = False
    file: str = ""
    row: int | None = None
    column: str = ""
    label: str = ""

    def __str__(self) -> str:
        return f"{place(self.file, self.row)}  {self.what}" if self.file else self.what


def findings_of(problems: Iterable[Problem]) -> Iterator[Finding]:
    """Turn the problems that a reader met into findings."""
    for problem in problems:
        yield Finding(
            kind="source", what=f"{problem.what}; {problem.done}", error=problem.error, file=problem.file,
            row=problem.row, column=problem.column,
        )  # fmt: skip


def by_kind(findings: Sequence[Finding]) -> list[tuple[str, bool, tuple[Finding, ...]]]:
    """Sort findings by kind, errors first: (kind, whether they are errors, the findings)."""
    pairs = [(error, kind) for error in (True, False) for kind in KINDS]
    sorted_out = [
        (kind, error, tuple(f for f in findings if (f.error, f.kind) == (error, kind))) for error, kind in pairs
    ]
    return [entry for entry in sorted_out if entry[2]]
