"""Train variants of a recipe for an equal budget, score each, and write one table: what earns its place, and what doesn't.

python examples/ablate.py examples/ablation.yaml [--workspace coigan] [--out ablation] [--only NAME ...]

The workspace holds the imported data set. Every variant is trained with the command line that a person would type, draws
defects on the same plan, is measured by `evaluate quality`, and the best by KID inside the masks go on to `evaluate
benefit`, side by side in one measurement. Finished parts are not done again, so a stopped ablation goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coigan_aug.evaluation.result import list_results
from coigan_aug.files import read_json, write_bytes, write_json
from coigan_aug.training.run import list_runs

COMMAND = [sys.executable, "-c", "from coigan_aug.cli.main import main; main()"]
PICTURED = 8


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """The file's contents: what is the same for all, and each variant's own settings."""

    recipe: str
    budget: list[str]
    settings: list[str]
    per_class: int
    benefit: list[str]
    best: int
    variants: Mapping[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A variant that was trained and measured: its run, its set, the numbers of its quality result."""

    name: str
    run: str
    images: int
    records: Path
    numbers: Mapping[str, Any]


def main() -> None:
    """Train, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--workspace", type=Path, default=Path("coigan"))
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    parser.add_argument("--only", nargs="*", help="these variants; the table holds all that are done")
    given = parser.parse_args()
    ablation = Ablation(**yaml.safe_load(given.file.read_text()))
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.only or ablation.variants:
        measure(ablation, name, workspace=given.workspace, out=given.out)
    done = [found for name in ablation.variants if (found := read(name, workspace=given.workspace, out=given.out))]
    verdict = benefit(ablation, done, workspace=given.workspace, out=given.out) if not given.only else None
    text = table(ablation, done, verdict)
    write_bytes(given.out / "table.md", text.encode())
    print(text)


def measure(ablation: Ablation, name: str, *, workspace: Path, out: Path) -> None:
    """Train a variant, draw with it, measure what it drew; each part only where it is not done yet."""
    note, own = out / f"{name}.json", {"settings": [*ablation.settings, *ablation.variants[name]]}
    state = {**own, **read_json(note)} if note.exists() else dict(own)
    if state["settings"] != own["settings"]:
        sys.exit(f"{note} is of other settings ({state['settings']}); remove it to train {name} anew.")
    recipe = "coigan" if name == "coigan" else ablation.recipe
    if "run" not in state:
        run("train", "--recipe", recipe, *ablation.budget, *_sets(own["settings"]), workspace=workspace)
        newest = list_runs(workspace / "runs")[-1]
        state |= {"run": newest.name, "images": read_json(newest.folder / "run.json")["images"]}
        write_json(note, state)
    drawn = out / name
    if not (drawn / "card.json").exists():
        run(
            "synthesize", "--run", state["run"], "--per-class", str(ablation.per_class), "--out", str(drawn),
            workspace=workspace,
        )  # fmt: skip
    if "quality" not in state:
        run("evaluate", "quality", "--synthetic", str(workspace / "synthetic" / name), workspace=workspace)
        newest_result = [result for result in list_results(workspace / "results") if result.kind == "quality"][-1]
        write_json(note, {**state, "quality": newest_result.folder.name})


def read(name: str, *, workspace: Path, out: Path) -> Trained | None:
    """Read what was measured of a variant; None where it is not done."""
    note = out / f"{name}.json"
    state = read_json(note) if note.exists() else {}
    if "quality" not in state:
        return None
    numbers = read_json(workspace / "results" / state["quality"] / "result.json")["numbers"]
    records = workspace / "synthetic" / name
    return Trained(name=name, run=state["run"], images=state["images"], records=records, numbers=numbers)


def benefit(ablation: Ablation, done: Sequence[Trained], *, workspace: Path, out: Path) -> Mapping[str, Any]:
    """Measure the benefit of the best few, in one measurement; its result."""
    best = sorted(done, key=lambda item: kid(item, -1))[: ablation.best]
    arms = [part for item in best for part in ("--arm", f"{item.name}={item.records}")]
    note = out / "benefit.json"
    if not note.exists() or read_json(note)["arms"] != arms:
        run("evaluate", "benefit", "--engines", "", *arms, *ablation.benefit, workspace=workspace)
        newest = [result for result in list_results(workspace / "results") if result.kind == "benefit"][-1]
        write_json(note, {"arms": arms, "result": newest.folder.name})
    found: Mapping[str, Any] = read_json(workspace / "results" / read_json(note)["result"] / "result.json")
    return found


def run(*parts: str, workspace: Path) -> None:
    """Run one command of the suite; stop where it fails."""
    print("$ coigan-aug", " ".join(parts), file=sys.stderr)
    if subprocess.run([*COMMAND, *parts, "--workspace", str(workspace)], check=False).returncode:
        sys.exit(f"coigan-aug {parts[0]} failed; the same command goes on after you have mended it.")


def kid(item: Trained, space: int) -> float:
    """Return the KID of the object crops against the test objects, x 1000."""
    return 1000 * float(item.numbers["spaces"][space]["objects"]["synthetic_test"]["kid"])


def table(ablation: Ablation, done: Sequence[Trained], verdict: Mapping[str, Any] | None) -> str:
    """Write the rows, best first."""
    floors = [1000 * done[0].numbers["spaces"][k]["objects"]["floor"]["kid"] for k in (0, -1)] if done else [0.0, 0.0]
    lines = [
        f"KID x 1000 of object crops against held-out test objects; floor (train against test): whole crop {floors[0]:.1f},"
        f" inside the mask {floors[1]:.1f}.",
        "",
        "| variant | samples seen | KID, whole crop | KID, inside the mask | found | diversity | near copies |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(item) for item in sorted(done, key=lambda item: kid(item, -1))]
    if verdict is not None:
        lines += ["", verdict["verdict"], ""]
    lines += ["", "What each differs in:", ""]
    lines += [f"- {name}: {', '.join(changes) or 'nothing'}" for name, changes in ablation.variants.items()]
    return "\n".join(lines) + "\n"


def _row(item: Trained) -> str:
    inside = item.numbers["inside"].values()
    agreement = [found["ratio"] for found in (item.numbers["agreement"] or {}).values() if found["ratio"] is not None]
    diversity = [found["diversity"]["ratio"] for found in inside if found["diversity"]["ratio"] is not None]
    copies = [found["copies"]["share"] for found in inside if found["copies"]["share"] is not None]
    errors = [1000 * item.numbers["spaces"][k]["objects"]["synthetic_test"]["kid_error"] for k in (0, -1)]
    return (
        f"| {item.name} | {item.images:,} | {kid(item, 0):.1f} ± {errors[0]:.1f} | {kid(item, -1):.1f} ± {errors[1]:.1f} |"
        f" {_each(agreement)} | {_mean(diversity):.2f} | {100 * _mean(copies):.0f} % |"
    )


def _each(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _sets(settings: Sequence[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


if __name__ == "__main__":
    main()
