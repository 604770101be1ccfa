"""Where a team's work lies: the workspace folder and what is in it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from coigan_aug.errors import UsageError

WORKSPACE = typer.Option(
    Path("coigan"),
    "--workspace",
    envvar="COIGAN_WORKSPACE",
    help="Folder that holds data set and runs. Default: ./coigan",
)
SETTINGS = typer.Option([], "--set", metavar="SECTION.KEY=VALUE", help="Override a setting; may be repeated.")
CONFIG = typer.Option(None, "--config", help="Settings file. Default: coigan.yaml, where there is one.")
QUIET = typer.Option(False, "--quiet", help="Say nothing but errors.")
AS_JSON = typer.Option(False, "--json", help="One JSON document on stdout; everything else on stderr.")

AGAIN = "from coigan_aug.cli.main import main; main()"  # what each process of --gpus N runs


@dataclass(frozen=True)
class Workspace:
    """The folders of a workspace."""

    root: Path

    @property
    def dataset(self) -> Path:
        """What `import` wrote."""
        return self.root / "dataset"

    def fold(self, number: int) -> Workspace:
        """The workspace of a fold, from 1: its data set holds the fold out, its runs know the others."""
        return Workspace(self.root / "folds" / str(number))

    @property
    def runs(self) -> Path:
        """What `train` wrote."""
        return self.root / "runs"

    @property
    def synthetic(self) -> Path:
        """The records of what `synthesize` wrote."""
        return self.root / "synthetic"

    @property
    def results(self) -> Path:
        """What `evaluate` wrote."""
        return self.root / "results"

    @property
    def cache(self) -> Path:
        """Decoded images; may be deleted at any time."""
        return self.root / "cache"


def settings_file(given: Path | None) -> Path | None:
    """Return the settings file to read: the one given, else ./coigan.yaml where there is one.

    Raises:
        UsageError: the one given does not exist.
    """
    if given is not None and not given.exists():
        raise UsageError(f"{given} does not exist.", remedy="Name an existing file with --config, or leave it out.")
    usual = Path("coigan.yaml")
    return given or (usual if usual.exists() else None)


def command_line(*, without: Sequence[str] = (), alone: Sequence[str] = ()) -> str:
    """Return the command as it was typed.

    Args:
        without: options with a value that are left out, because what is made does not depend on them.
        alone: the same, options without a value.
    """
    kept: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        name, equals, _ = word.partition("=")
        if name in without:
            if not equals:
                next(words, None)
        elif word not in alone:
            kept.append(word)
    return shlex.join(["coigan-aug", *kept])
