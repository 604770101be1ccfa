"""What a workspace holds for a report; a part that is not there is None or empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coigan_aug.checkpoint import load_generator
from coigan_aug.data.importing import REPORT
from coigan_aug.evaluation.result import Numbers, Result, list_results, newest
from coigan_aug.folders import Folders
from coigan_aug.formats.names import CARD
from coigan_aug.sealed import read_sealed
from coigan_aug.store.card import Card, DrawnBy, read_card
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.synthesis.rejected import Rejected, read_rejected
from coigan_aug.training.run import Run, RunStart, list_runs, read_metrics, usual_run


@dataclass(frozen=True, kw_only=True)
class Training:
    """A run and what it left: what it began with, the samples seen, its generator's size and checksum, log and samples.

    `images` and `parameters` are None while there is no generator.
    """

    name: str
    start: RunStart
    finished: bool
    bundled: bool
    images: int | None
    parameters: int | None
    generator: str
    config: str
    metrics: tuple[Mapping[str, float], ...]
    samples: tuple[Path, ...]

    @property
    def recipe(self) -> str:
        """The recipe; of earlier versions what follows the number in the run's name."""
        return self.start.recipe or self.name.partition("-")[2]


@dataclass(frozen=True, kw_only=True)
class KnownRun:
    """A run of the workspace: its command, and the samples seen of those planned.

    Of an unfinished one they are those at its last checkpoint.
    """

    name: str
    finished: bool
    bundled: bool
    samples: int
    planned: int
    command: str

    @property
    def words(self) -> str:
        """What a sentence calls it, with its state where that is not what one expects."""
        if self.bundled:
            return f"the model that comes with the program ({self.name})"
        seen = f"{self.samples:,} of {self.planned:,} samples"
        if not self.finished:
            return f"run {self.name}, which is not finished ({seen})"
        return f"run {self.name}" + (f", which ended at {seen}" if self.samples < self.planned else "")


@dataclass(frozen=True, kw_only=True)
class SyntheticSet:
    """A synthetic Dataset with the card and the rejected ones of its output folder (saying nothing where that was moved)."""

    name: str
    dataset: Dataset
    card: Card
    rejected: tuple[Rejected, ...] = ()

    @property
    def command(self) -> str:
        """The command that made it."""
        made: str = self.card.command or self.dataset.manifest["provenance"].get("made_by", "")
        return made

    @property
    def run(self) -> str | None:
        """The name of the run that drew it; None where none did."""
        return run_of(self.dataset, self.card)


def run_of(drawn: Dataset, card: Card) -> str | None:
    """Return the name of the run that drew a set, by its card or, where that is gone, its records; None where none did."""
    name: str | None = (card.generator or DrawnBy()).run or drawn.manifest["provenance"].get("run")
    return name


@dataclass(frozen=True, kw_only=True)
class Material:
    """All that a report is made of: `training` is the run that is drawn with where none is named, else the newest.

    Runs, sets and results are there oldest first.
    """

    workspace: Folders
    dataset: Dataset | None
    imported: Mapping[str, Any]
    training: Training | None
    runs: tuple[KnownRun, ...]
    synthetic: tuple[SyntheticSet, ...]
    results: tuple[Result[Any], ...]

    def newest(self, kind: type[Numbers]) -> Result[Numbers] | None:
        """Return the newest result with numbers of a kind."""
        return newest(self.results, kind)

    def drawn(self) -> SyntheticSet | None:
        """Return the synthetic set to show: the newest that the run shown drew, else the newest."""
        name = self.training.name if self.training else None
        of_run = [item for item in self.synthetic if name and item.run == name]
        return next(reversed([*self.synthetic, *of_run]), None)


def gather(workspace: Folders) -> Material:
    """Read what lies in the folders of a workspace; each may be missing.

    Raises:
        DataError: a file is there but damaged.
    """
    runs, dataset = list_runs(workspace.runs), workspace.dataset
    shown = usual_run(workspace.runs) or next(reversed(runs), None)
    return Material(
        workspace=workspace,
        dataset=Dataset(dataset) if (dataset / MANIFEST).exists() else None,
        imported=read_sealed(dataset / REPORT) if (dataset / REPORT).exists() else {},
        training=_training(shown) if shown else None,
        runs=known_runs(workspace),
        synthetic=_synthetic(workspace.synthetic),
        results=tuple(list_results(workspace.results)),
    )


def known_runs(workspace: Folders) -> tuple[KnownRun, ...]:
    """Return what is to be said of the runs of a workspace, oldest first.

    Raises:
        DataError: a file of one is damaged.
    """
    known = []
    for run in list_runs(workspace.runs):
        start, end = run.start(), run.end()
        known.append(
            KnownRun(
                name=run.name,
                finished=run.finished,
                bundled=start.bundled,
                samples=end.images if end else run.saved,
                planned=start.settings["train"]["images"],
                command=start.command or "",
            )
        )
    return tuple(known)


def _training(run: Run) -> Training:
    generator = load_generator(run.generator) if run.generator.exists() else None
    config = run.folder / "config.yaml"
    start = run.start()
    return Training(
        name=run.name,
        start=start,
        bundled=start.bundled,
        finished=run.finished,
        images=generator.images if generator else None,
        parameters=sum(value.numel() for value in generator.generator.parameters()) if generator else None,
        generator=generator.sha256 if generator else "",
        config=config.read_text() if config.exists() else "",
        metrics=tuple(read_metrics(run)),
        samples=tuple(sorted(run.samples.glob("*.png"))),
    )


def _synthetic(root: Path) -> tuple[SyntheticSet, ...]:
    """Read the synthetic sets, oldest first."""
    manifests = sorted(root.glob(f"*/{MANIFEST}"), key=lambda path: (path.stat().st_mtime_ns, path.parent.name))
    sets = []
    for folder in (path.parent for path in manifests):
        dataset = Dataset(folder)
        card, rejected = read_card(dataset.image_root / CARD), read_rejected(dataset.image_root)
        sets.append(SyntheticSet(name=folder.name, dataset=dataset, card=card, rejected=rejected))
    return tuple(sets)
