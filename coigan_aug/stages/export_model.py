"""The stage export-model: a run's generator as a file that other programs can load."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from coigan_aug.checkpoint import load_generator
from coigan_aug.errors import UsageError
from coigan_aug.export.write import ENDINGS, Exported
from coigan_aug.export.write import export_model as export_file
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.stages.asks import ExportAsk
from coigan_aug.stages.taking import take_run


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """The file that was written, of which run, in which format."""

    file: Exported
    run: str
    format: str


def export_model(workspace: Folders, ask: ExportAsk, *, talk: Talk = SILENT) -> ExportedModel:
    """Export a run's generator, read the file back and compare what both draw.

    Raises:
        UsageError: no such format or size; the file is there, or is one of the run's own generators.
        EnvironmentProblem: a package is missing. GateError: what the file draws differs.
    """
    size = size_of(ask.size)
    run = take_run(workspace, ask.run, talk)
    path = Path(ask.out) if ask.out is not None else run.folder / "export" / f"generator{ENDINGS.get(ask.to, '')}"
    if path.resolve() in (run.generator.resolve(), run.last.resolve()):
        raise UsageError(f"{path} is the trained generator itself.", remedy="Name another file with --out.")
    talk.say(f"{run.name}: writing, reading back and comparing (minutes for large images and networks)")
    made = export_file(load_generator(run.generator), path, form=ask.to, size=size, overwrite=ask.overwrite)
    return ExportedModel(file=made, run=run.name, format=ask.to)


def size_of(text: str | None) -> tuple[int, int] | None:
    """Read height and width such as 256 or 256x1600, px.

    >>> size_of("256x1600")
    (256, 1600)

    Raises:
        UsageError: it is no size.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text.strip().lower(), re.ASCII)
    if match is None:
        raise UsageError(f"--size {text} is no size.", remedy="Write it as 256, or height x width as 256x1600.")
    return int(match[1]), int(match[2] or match[1])
