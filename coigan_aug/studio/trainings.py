"""The runs of a workspace as the page shows them: how far, curves, samples as they evolved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coigan_aug.errors import UsageError
from coigan_aug.folders import Folders
from coigan_aug.imaging import encode_image, read_rgb
from coigan_aug.stages.runs import runs
from coigan_aug.stages.runs_ask import RunsAsk
from coigan_aug.studio.sets import fit_in
from coigan_aug.training.run import Run, list_runs, read_metrics

MOST_POINTS = 600  # of a curve


def list_trainings(workspace: Folders) -> list[dict[str, Any]]:
    """List the runs, newest first."""
    return [row.to_dict() for row in reversed(runs(workspace, RunsAsk()))]


def about_training(workspace: Folders, name: str) -> dict[str, Any]:
    """Say of a run what was measured while it trained, and which samples there are.

    Raises:
        UsageError: there is no such run. Damaged: a line of its metrics is not as it was written.
    """
    run = _named(workspace, name)
    return {
        "run": next(row.to_dict() for row in runs(workspace, RunsAsk()) if row.name == name),
        "curves": curves(run),
        "samples": [path.stem for path in _samples(run)],
    }


def curves(run: Run) -> dict[str, list[list[float]]]:
    """Return each loss and measurement by name: pairs of samples seen and value, thinned to at most 600 of each."""
    found: dict[str, list[list[float]]] = {}
    for line in read_metrics(run):
        for name, value in line.items():
            if name != "images":
                found.setdefault(name, []).append([line["images"], value])
    return {name: _thinned(points) for name, points in found.items()}


def _thinned(points: list[list[float]]) -> list[list[float]]:
    """Average neighbouring points where there are too many."""
    step = -(-len(points) // MOST_POINTS)
    groups = (points[k : k + step] for k in range(0, len(points), step))
    return [[sum(column) / len(group) for column in zip(*group, strict=True)] for group in groups]


def sample(workspace: Folders, name: str, number: int, *, side: int) -> bytes:
    """Return a run's sample sheet as JPEG bytes, at most `side` px long.

    Raises:
        UsageError: there is no such run or sheet.
    """
    sheets = _samples(_named(workspace, name))
    if not 0 <= number < len(sheets):
        raise UsageError(f"{name} has no sample {number}.")
    return encode_image(fit_in(read_rgb(sheets[number]), side), suffix=".jpg", quality=88)


def _samples(run: Run) -> list[Path]:
    return sorted(run.samples.glob("*.png"))


def _named(workspace: Folders, name: str) -> Run:
    for run in list_runs(workspace.runs):
        if run.name == name:
            return run
    raise UsageError(f"There is no run {name!r}.")
