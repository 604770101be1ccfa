"""The stage runs: what was trained in a workspace, how far, and which of it is drawn with."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from coigan_aug.errors import DataError
from coigan_aug.files import is_held
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.stages.runs_ask import RunsAsk
from coigan_aug.training.run import Best, Run, list_runs, read_metrics, usual_run


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run.

    Attributes:
        state: "finished"; "training", while a process holds it; "stopped" before its end.
        samples: seen; of an unfinished one at its last checkpoint. `planned` is what its settings say.
        steps: of training, a batch each.
        minutes: of training, all sessions together; None where that was not noted.
        kid: the best measured distance of drawn from real defects (near 0 is best), after `kid_samples`; None if none was.
        usual: it is drawn with where none is named.
        drawable: it has a generator.
        bundled: its generator came with the program.
    """

    name: str
    recipe: str
    state: str
    samples: int
    planned: int
    steps: int
    minutes: float | None
    kid: float | None
    kid_samples: int | None
    usual: bool
    drawable: bool
    bundled: bool
    folder: str

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return dataclasses.asdict(self)


def runs(workspace: Folders, ask: RunsAsk, *, talk: Talk = SILENT) -> list[RunRow]:
    """List the runs of a workspace, oldest first.

    Raises:
        DataError: there is no workspace, or a file of a run is damaged.
    """
    if not workspace.root.is_dir():
        raise DataError(f"{workspace.root} is no folder.", remedy="Make a workspace with: coigan-aug import YOUR.csv")
    usual = usual_run(workspace.runs)
    return [_row(run, usual=run == usual) for run in list_runs(workspace.runs)]


def _row(run: Run, *, usual: bool) -> RunRow:
    start, end, seconds = run.start(), run.end(), run.seconds()
    samples = end.images if end else run.saved
    best, planned = _best(run), start.settings["train"]["images"]
    return RunRow(
        name=run.name,
        recipe=start.recipe or run.name.partition("-")[2],
        state="finished" if end else "training" if is_held(run.folder) else "stopped",
        samples=samples,
        planned=planned,
        steps=samples // max(start.settings["train"]["batch"], 1),
        minutes=None if seconds is None else round(seconds / 60, 1),
        kid=best.distance if best.images else None,
        kid_samples=best.images or None,
        usual=usual,
        drawable=run.generator.exists(),
        bundled=start.bundled,
        folder=str(run.folder),
    )


def _best(run: Run) -> Best:
    """Return the best measurement: as the run's end says, else the best of its log."""
    end, best = run.end(), Best()
    if end is not None:
        return end.best or best
    for line in read_metrics(run):
        if "kid" in line:
            best = best.after(line["kid"], int(line["images"]))
    return best
