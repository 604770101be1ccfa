"""The commands that made what a page shows, each as it can be typed: in their order, with the workspace named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from coigan_aug.evaluation.result import Result
from coigan_aug.folders import Folders
from coigan_aug.report.gather import KnownRun
from coigan_aug.store.card import Card
from coigan_aug.store.dataset import Dataset


def commands_of(
    workspace: Folders,
    *,
    dataset: Dataset | None,
    runs: Sequence[KnownRun],
    sets: Sequence[tuple[str, Card, str]],
    results: Sequence[Result[Any]] = (),
    page: str = "",
) -> tuple[tuple[str, str], ...]:
    """Return what each command made, and the command; one that made several things comes once, where it made the first.

    Args:
        sets: name, card and, for cards that do not say it, the command.
        page: the command that makes the page, where that is another.
    """
    made: dict[str, list[str]] = {}
    for what, line in _all(dataset, runs, sets, results, page):
        if line:
            names = made.setdefault(workspace.command(line), [])
            names += [what] if what not in names else []
    return tuple((", ".join(names), line) for line, names in made.items())


def _all(
    dataset: Dataset | None, runs: Iterable[KnownRun], sets: Iterable[tuple[str, Card, str]],
    results: Iterable[Result[Any]], page: str,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    if dataset is not None:
        yield "the data set", str(dataset.manifest["provenance"].get("command", ""))
    yield from ((f"the run {run.name}", run.command) for run in runs)
    for name, card, command in sets:
        yield from ((f"the set {name}, its first part", earlier.command or "") for earlier in card.earlier or ())
        yield f"the set {name}", card.command or command
    for kind, line in {result.kind: result.command for result in results}.items():
        yield f"the {kind} result", line
    yield "this report", page
