"""What a workspace holds for a report; a part that is not there is None or empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coigan_aug.checkpoint import load_generator
from coigan_aug.data.importing import REPORT
from coigan_aug.evaluation.result import Numbers, Result, list_results, newest
from coigan_aug.formats.names import CARD
from coigan_aug.sealed import read_sealed
from coigan_aug.store.card import Card, read_card
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.synthesis.rejected import Rejected, read_rejected
from coigan_aug.training.run import Run, RunStart, list_runs, read_metrics


@dataclass(frozen=True, kw_only=True)
class Training:
    """A run and what it left: what it began with, the samples seen, its generator's size and checksum, log and samples.

    `images` and `parameters` are None while there is no generator.
    """

    name: str
    start: RunStart
    finished: bool
    images: int | None
    parameters: int | None
    generator: str
    config: str
    metrics: tuple[Mapping[str, float], ...]
    samples: tuple[Path, ...]

    @property
    def recipe(self) -> str:
        """The recipe: what follows the number in the run's name."""
        return self.name.partition("-")[2]


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


@dataclass(frozen=True, kw_only=True)
class Material:
    """All that a report is made of. `training` is the newest run; `earlier` names the others; results oldest first."""

    dataset: Dataset | None
    imported: Mapping[str, Any]
    training: Training | None
    earlier: tuple[str, ...]
    synthetic: tuple[SyntheticSet, ...]
    results: tuple[Result[Any], ...]

    def newest(self, kind: type[Numbers]) -> Result[Numbers] | None:
        """Return the newest result with numbers of a kind."""
        return newest(self.results, kind)

    def drawn(self) -> SyntheticSet | None:
        """Return the synthetic set to show: the newest that the newest run drew, else the newest."""
        name = self.training.name if self.training else None
        of_run = [item for item in self.synthetic if name and item.dataset.manifest["provenance"].get("run") == name]
        return next(reversed([*self.synthetic, *of_run]), None)


def gather(*, dataset: Path, runs: Path, synthetic: Path, results: Path) -> Material:
    """Read what lies in the folders of a workspace; each may be missing.

    Raises:
        DataError: a file is there but damaged.
    """
    known = list_runs(runs)
    return Material(
        dataset=Dataset(dataset) if (dataset / MANIFEST).exists() else None,
        imported=read_sealed(dataset / REPORT) if (dataset / REPORT).exists() else {},
        training=_training(known[-1]) if known else None,
        earlier=tuple(run.name for run in known[:-1]),
        synthetic=_synthetic(synthetic),
        results=tuple(list_results(results)),
    )


def _training(run: Run) -> Training:
    generator = load_generator(run.generator) if run.generator.exists() else None
    config = run.folder / "config.yaml"
    return Training(
        name=run.name,
        start=run.start(),
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
