"""Train variants of a recipe for an equal budget, score each, and write one table: what earns its place, and what doesn't.

python examples/ablate.py examples/ablation.yaml [--workspace coigan] [--out ablation] [--only NAME ...]

The workspace holds the imported data set. Every variant has a workspace of its own below --out, which shares the data
set and its cache, so two commands with --only may run side by side. It is trained with the command line that a person
would type, draws defects on the same plan, is measured by `evaluate quality`, and pictured: random drawn objects of each
class. The best (by their places in KID inside the masks and in how well a real-only segmenter finds the masks, added) go
on to `evaluate benefit`, side by side in one measurement. Finished parts are not done again, so a stopped ablation goes on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coigan_aug.evaluation.numbers import Benefit, Quality
from coigan_aug.evaluation.result import Result, list_results, newest, read_result
from coigan_aug.files import read_json, write_bytes, write_json
from coigan_aug.training.run import list_runs

sys.path.insert(0, str(Path(__file__).parent))
from picture_objects import picture

COMMAND = [sys.executable, "-c", "from coigan_aug.cli.main import main; main()"]


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """The file's contents: what is the same for all, and each variant's own recipe and settings."""

    recipe: str
    budget: list[str]
    settings: list[str]
    per_class: int
    benefit: list[str]
    best: int
    variants: Mapping[str, list[str]]

    @classmethod
    def read(cls, path: Path) -> Ablation:
        """Read a file; a variant's list may hold another's (a YAML alias), whose settings come in its place."""
        values = yaml.safe_load(path.read_text())
        return cls(
            **{**values, "variants": {name: list(_flat(changes)) for name, changes in values["variants"].items()}}
        )

    def recipe_of(self, name: str) -> str:
        """Return the recipe that a variant starts from: `coigan`, `coigan-small` and its kin from those of the thesis."""
        return "coigan-small" if name.startswith("coigan-small") else "coigan" if name == "coigan" else self.recipe


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A variant that was trained and measured: how many samples it saw, its set, the numbers of its quality result."""

    name: str
    images: int
    kept: int
    records: Path
    numbers: Quality


def main() -> None:
    """Train, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--workspace", type=Path, default=Path("coigan"))
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    parser.add_argument("--only", nargs="*", help="these variants, no benefit; the table holds all that are done")
    given = parser.parse_args()
    ablation = Ablation.read(given.file)
    for name in given.only or ablation.variants:
        measure(ablation, name, workspace=given.workspace, out=given.out)
    done = [found for name in ablation.variants if (found := read(given.out / name))]
    verdict = benefit(ablation, done, out=given.out) if not given.only else None
    text = table(ablation, done, verdict)
    write_bytes(given.out / "table.md", text.encode())
    print(text)


def measure(ablation: Ablation, name: str, *, workspace: Path, out: Path) -> None:
    """Train a variant, draw with it, measure and picture what it drew; each part only where it is not done yet."""
    own, note = out / name, out / name / "settings.json"
    settings = [*ablation.budget, *_sets([*ablation.settings, *ablation.variants[name]])]
    share(workspace, own)
    if note.exists() and read_json(note) != settings:
        sys.exit(f"{own} is of other settings; remove it to train {name} anew.")
    write_json(note, settings)
    if not (own / "coigan" / "runs" / f"001-{ablation.recipe_of(name)}" / "run.json").exists():
        run("train", "--recipe", ablation.recipe_of(name), *settings, workspace=own / "coigan")
    if not (own / "drawn" / "card.json").exists():
        drawn = ("--per-class", str(ablation.per_class), "--out", str(own / "drawn"))
        run("synthesize", *drawn, workspace=own / "coigan")
    if not quality_of(own):
        run("evaluate", "quality", "--synthetic", str(own / "coigan" / "synthetic" / "drawn"), workspace=own / "coigan")
    if not (own / "objects.jpg").exists():
        picture(own / "coigan", own / "coigan" / "synthetic" / "drawn", own / "objects.jpg", real=False)


def share(workspace: Path, own: Path) -> None:
    """Make a variant's workspace, with the data set and the cache of the given one."""
    (own / "coigan").mkdir(parents=True, exist_ok=True)
    (workspace / "cache").mkdir(exist_ok=True)  # a link to a folder that is not there can't be written through
    for part in ("dataset", "cache"):
        if not (own / "coigan" / part).is_symlink():
            (own / "coigan" / part).symlink_to(os.path.relpath(workspace / part, own / "coigan"))


def read(own: Path) -> Trained | None:
    """Read what was measured of a variant; None where it is not done."""
    result = quality_of(own)
    if result is None:
        return None
    (end,) = (training.end() for training in list_runs(own / "coigan" / "runs") if training.finished)
    assert end is not None  # it was drawn with
    return Trained(
        name=own.name,
        images=end.images,
        kept=end.best.images if end.best else end.images,
        records=own / "coigan" / "synthetic" / "drawn",
        numbers=result.numbers,
    )


def quality_of(own: Path) -> Result[Quality] | None:
    """Return what was measured of a variant's set by `evaluate quality`."""
    return newest(list_results(own / "coigan" / "results"), Quality)


def benefit(ablation: Ablation, done: Sequence[Trained], *, out: Path) -> str:
    """Measure the benefit of the best few, in one measurement in the best one's workspace; its verdict."""
    best = ranked(done)[: ablation.best]
    workspace = out / best[0].name / "coigan"
    arms = [part for item in best for part in ("--arm", f"{item.name}={item.records}")]
    note = out / "benefit.json"
    if not note.exists() or read_json(note)["arms"] != arms:
        run("evaluate", "benefit", "--engines", "duplicates", *arms, *ablation.benefit, workspace=workspace)
        result = newest(list_results(workspace / "results"), Benefit)
        assert result is not None  # it was just written
        write_json(note, {"arms": arms, "result": result.folder.name})
    return read_result(workspace / "results" / read_json(note)["result"]).verdict


def ranked(done: Sequence[Trained]) -> list[Trained]:
    """Sort the variants, best first: by the sum of their places by KID inside the masks and by how well masks are found."""
    by_kid, by_found = (sorted(done, key=key) for key in (lambda item: kid(item, -1), lambda item: -found_mean(item)))
    return sorted(done, key=lambda item: (by_kid.index(item) + by_found.index(item), by_kid.index(item)))


def run(*parts: str, workspace: Path) -> None:
    """Run one command of the suite; stop where it fails."""
    print("$ coigan-aug", " ".join(parts), file=sys.stderr)
    if subprocess.run([*COMMAND, *parts, "--workspace", str(workspace)], check=False).returncode:
        sys.exit(f"coigan-aug {parts[0]} failed; the same command goes on after you have mended it.")


def kid(item: Trained, space: int) -> float:
    """Return the KID of the object crops against the test objects, x 1000."""
    return 1000 * (item.numbers.spaces[space].objects.synthetic_test.kid or 0.0)


def found_ratios(item: Trained) -> list[float]:
    """Return, class by class, the IoU of a real-only segmenter on drawn defects over that on real ones."""
    return [found.ratio for found in (item.numbers.agreement or {}).values() if found.ratio is not None]


def found_mean(item: Trained) -> float:
    """Return the mean of these ratios; more than 1 (easier than real ones) counts as 1."""
    return _mean([min(ratio, 1.0) for ratio in found_ratios(item)])


def table(ablation: Ablation, done: Sequence[Trained], verdict: str | None) -> str:
    """Write the rows, best first."""
    floors = [1000 * (done[0].numbers.spaces[k].objects.floor.kid or 0.0) for k in (0, -1)] if done else [0.0, 0.0]
    lines = [
        f"KID x 1000 of object crops against held-out test objects; floor (train against test): whole crop {floors[0]:.1f},"
        f" inside the mask {floors[1]:.1f}.",
        "",
        "| variant | samples seen | generator kept at | KID, whole crop | KID, inside | found | diversity | near copies |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(item) for item in ranked(done)]
    if verdict is not None:
        lines += ["", verdict, ""]
    lines += ["", "What each differs in:", ""]
    lines += [f"- {name}: {', '.join(changes) or 'nothing'}" for name, changes in ablation.variants.items()]
    return "\n".join(lines) + "\n"


def _row(item: Trained) -> str:
    inside = item.numbers.inside.values()
    diversity = [found.diversity.ratio for found in inside if found.diversity.ratio is not None]
    copies = [found.copies.share for found in inside if found.copies.share is not None]
    errors = [1000 * (item.numbers.spaces[k].objects.synthetic_test.kid_error or 0.0) for k in (0, -1)]
    return (
        f"| {item.name} | {item.images:,} | {item.kept:,} |"
        f" {kid(item, 0):.1f} ± {errors[0]:.1f} | {kid(item, -1):.1f} ± {errors[1]:.1f} |"
        f" {_each(found_ratios(item))} | {_mean(diversity):.2f} | {100 * _mean(copies):.0f} % |"
    )


def _each(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _flat(changes: Sequence[Any]) -> Iterator[str]:
    for change in changes:
        yield from _flat(change) if isinstance(change, list) else [change]


def _sets(settings: Sequence[str]) -> list[str]:
    """Return the arguments for settings; those that begin with -- are options of their own."""
    return [part for setting in settings for part in ([setting] if setting.startswith("--") else ["--set", setting])]


if __name__ == "__main__":
    main()
