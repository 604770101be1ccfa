"""What a report has nothing to show of yet: why, and the command that makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coigan_aug.report.contents import Contents

SECTIONS = {
    "look": "Real beside synthetic",
    "verdict": "Verdict",
    "beside": "More of them, close up",
    "sets": "The synthetic sets",
    "rejected": "What was rejected",
    "benefit": "Benefit",
    "where": "Where it looks",
    "quality": "Quality",
    "nearest": "Nearest training objects",
    "data": "The data",
    "samples": "Samples over time",
    "run": "The model",
    "training": "Training",
    "missing": "Not there yet",
    "repeat": "Do it again",
}
_EVALUATE = "coigan-aug evaluate"
_DRAW = "coigan-aug synthesize --per-class 500 --out coco/"
_WHY: Mapping[str, tuple[str, str]] = {
    "verdict": ("Whether these images raise a segmenter's score is not measured yet.", f"{_EVALUATE} benefit"),
    "run": ("No model has been trained yet.", "coigan-aug train"),
    "data": ("No data has been imported yet.", "coigan-aug import YOUR.csv"),
    "training": ("There is no training log yet.", "coigan-aug train"),
    "samples": ("There are no sample sheets yet.", "coigan-aug train"),
    "look": ("No synthetic images have been made yet.", _DRAW),
    "nearest": ("No synthetic defect has been compared with the training objects yet.", f"{_EVALUATE} quality"),
    "quality": ("The quality of the synthetic images is not measured yet.", f"{_EVALUATE} quality"),
    "benefit": ("No segmenter has been trained with and without the synthetic images yet.", f"{_EVALUATE} benefit"),
    "where": ("Where a segmenter looks has not been drawn yet.", f"{_EVALUATE} benefit"),
}
_BUNDLED = (
    "The model came with the program, without the log and the samples of its training; one trained here has them."
)

_SHORT = {
    "training": "The log of the training is too short for curves yet.",
    "samples": "The training has left no sample sheets that can be shown yet.",
}


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A section that is not there: its id and title, why, and the command that makes it."""

    section: str
    title: str
    why: str
    command: str


def missing_of(contents: Contents) -> Iterator[Missing]:
    """Yield what a report has nothing to show of, in the order of its sections."""
    run = contents.material.training
    for name in (name for name in SECTIONS if name in _WHY):
        if not _shown(contents)[name]:
            why, command = _WHY[name]
            if name in ("training", "samples") and run is not None:
                why = _BUNDLED if run.bundled else _SHORT[name]
            command = contents.material.workspace.command(command)
            yield Missing(section=name, title=SECTIONS[name], why=why, command=command)


def shown_sections(contents: Contents) -> Mapping[str, str]:
    """Return the sections that have something to show: their titles by id, in their order."""
    shown = _shown(contents) | {"missing": any(True for _ in missing_of(contents)), "repeat": contents.commands}
    return {name: title for name, title in SECTIONS.items() if shown[name]}


def _shown(contents: Contents) -> dict[str, object]:
    """Return by section what it shows; nothing where that is nothing."""
    return {
        "look": contents.look,
        "verdict": contents.verdict,
        "beside": contents.beside,
        "sets": contents.sets,
        "rejected": contents.rejected,
        "benefit": contents.benefit,
        "where": contents.where,
        "quality": contents.quality or contents.thesis,
        "nearest": contents.nearest,
        "data": contents.data,
        "samples": contents.samples,
        "run": contents.material.training,
        "training": contents.curves,
    }
