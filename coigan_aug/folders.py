"""Where a team's work lies: the folder of a workspace and what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path("coigan")


@dataclass(frozen=True)
class Folders:
    """The folders of a workspace."""

    root: Path

    @property
    def dataset(self) -> Path:
        """What `import` wrote."""
        return self.root / "dataset"

    def fold(self, number: int) -> Folders:
        """The workspace of a fold, from 1: its data set holds the fold out, its runs know the others."""
        return Folders(self.root / "folds" / str(number))

    @property
    def runs(self) -> Path:
        """What `train` wrote."""
        return self.root / "runs"

    @property
    def synthetic(self) -> Path:
        """The records of what `synthesize` wrote."""
        return self.root / "synthetic"

    def records_of(self, out: Path) -> Path:
        """Where the records of the synthetic set whose images lie in `out` are kept."""
        return self.synthetic / out.resolve().name

    @property
    def results(self) -> Path:
        """What `evaluate` wrote."""
        return self.root / "results"

    @property
    def cache(self) -> Path:
        """Decoded images; may be deleted at any time."""
        return self.root / "cache"
