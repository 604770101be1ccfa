"""Where a team's work lies: the folder of a workspace and what is in it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path("coigan")


@dataclass(frozen=True)
class Folders:
    """The folders of a workspace."""

    root: Path

    @property
    def option(self) -> str:
        """What a command line names this workspace with, a space before it; nothing where it is the default one.

        >>> Folders(Path("my line")).option, Folders(DEFAULT).option
        (" --workspace 'my line'", '')
        """
        return "" if self.root == DEFAULT else f" --workspace {shlex.quote(str(self.root))}"

    def command(self, line: str) -> str:
        """Return a command line that says which workspace it works in; as it is where it says so already, or needs no such.

        >>> Folders(Path("w")).command("coigan-aug train --recipe tiny"), Folders(Path("w")).command("coigan-aug demo")
        ('coigan-aug train --recipe tiny --workspace w', 'coigan-aug demo')
        """
        words = line.split()
        if words[:1] != ["coigan-aug"] or words[1:2] in (["demo"], ["convert"]):
            return line
        return line if any(word.partition("=")[0] == "--workspace" for word in words) else line + self.option

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
    def translators(self) -> Path:
        """What `translate train` wrote."""
        return self.root / "translators"

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
    def logs(self) -> Path:
        """What long commands did, line by line; may be deleted at any time."""
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """Decoded images; may be deleted at any time."""
        return self.root / "cache"

    @property
    def lines(self) -> Path:
        """What was read of other lines; may be deleted at any time."""
        return self.cache / "lines"
