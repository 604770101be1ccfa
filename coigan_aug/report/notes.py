"""Sentences about what a section could not show, or shows with a reserve."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from coigan_aug.evaluation.numbers import Benefit, Quality
from coigan_aug.report.gather import Material

_CHECKSUM = re.compile(r"[0-9a-f]{64}")


class Notes:
    """Sentences by section."""

    def __init__(self) -> None:
        self.by_section: dict[str, list[str]] = {}

    def add(self, section: str, sentence: str) -> None:
        """Add a sentence to a section, once."""
        sentences = self.by_section.setdefault(section, [])
        if sentence not in sentences:
            sentences.append(sentence)


def check_states(material: Material, notes: Notes) -> None:
    """Say where a part was made from another state of the data set than the one that is there."""
    now = material.dataset.manifest["sha256"] if material.dataset else None
    drawn = material.drawn()
    made: list[tuple[str, Any]] = [("beside", drawn.card.data)] if drawn else []
    made += [("run", material.training.start.data)] if material.training else []
    for result in (material.newest(Quality), material.newest(Benefit)):
        made += [(result.kind, value) for value in _data_checksums(result.measured_on)] if result else []
    for section, then in made:
        if now and then and then != now:
            notes.add(section, "Made from another state of the data set than the one that is in the workspace now.")


def check_runs(material: Material, notes: Notes) -> None:
    """Say where the run shown is not the newest, or is not finished."""
    shown = next((run for run in material.runs if material.training and run.name == material.training.name), None)
    if shown is None:
        return
    newest = material.runs[-1]
    if newest.name != shown.name and not newest.finished:
        words = f"{newest.name} is newer, but not finished ({newest.samples:,} of {newest.planned:,} samples)"
        notes.add("run", f"{words}: shown is {shown.name}, with which sets are drawn where no run is named.")
    if not shown.finished:
        notes.add("run", f"{shown.name} is not finished: {shown.samples:,} of {shown.planned:,} samples were seen.")


def _data_checksums(measured_on: Mapping[str, Any]) -> Iterator[str]:
    for name, value in measured_on.items():
        inner = value.values() if isinstance(value, Mapping) else [value]
        if name.startswith("data"):
            yield from (item for item in inner if isinstance(item, str) and _CHECKSUM.fullmatch(item))
