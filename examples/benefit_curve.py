"""Measure what is gained over how few examples there are: 2, 4, 8 groups of images of each class, and all of them.

    python examples/benefit_curve.py coigan --groups 2 4 8 0 --engines duplicates,transplant,gan

In a workspace with a data set (`coigan-aug import DATA --split 0.5`): for each number of groups a generator is trained where
the GAN is an arm, `evaluate benefit` measures with generator, copies and segmenters seeing the same groups, and the results are
gathered in `curve.json` and `curve.png`. 0 stands for all training groups. What is finished is not done again, so a stopped
curve goes on.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.evaluation.numbers import TITLES, Benefit
from coigan_aug.evaluation.result import list_results, newest
from coigan_aug.files import to_values, write_json
from coigan_aug.training.run import Run, list_runs

MEASURES = ("pixel_ap", "found_10", "ap", "iou")


def main() -> None:
    """Read the command line, measure, gather."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--groups", type=int, nargs="+", default=[2, 4, 8, 0])
    parser.add_argument("--engines", default="duplicates,transplant,gan")
    parser.add_argument("--train", default="--recipe tiny", help="options of coigan-aug train")
    parser.add_argument("--evaluate", default="", help="options of coigan-aug evaluate benefit")
    asked = parser.parse_args()
    points = []
    for groups in asked.groups:
        drawn = "gan" in asked.engines.replace("+", ",").split(",")
        name = trained(asked.workspace, groups, shlex.split(asked.train)).name if drawn else None
        options = ["--run", name] if name else []
        options += ["--groups-per-class", str(groups)] if groups else []
        call(
            "evaluate",
            "benefit",
            "--engines",
            asked.engines,
            *options,
            *shlex.split(asked.evaluate),
            at=asked.workspace,
        )
        result = newest(list_results(asked.workspace / "results"), Benefit)
        assert result is not None  # it was just written
        about = {"groups": groups, "result": result.folder.name, "pieces": result.numbers.pieces}
        points.append(about | arms(result.numbers))
    write_json(asked.workspace / "curve.json", {"points": points})
    draw(points, asked.workspace / "curve.png")
    print(json.dumps(points, indent=1))


def trained(workspace: Path, groups: int, options: Sequence[str]) -> Run:
    """Return a finished run on so many groups of each class, trained where there is none."""

    def known() -> list[Run]:
        runs = [own for own in list_runs(workspace / "runs") if own.finished]
        return [own for own in runs if own.start().settings["data"]["groups_per_class"] == groups]

    if not known():
        call("train", *options, "--set", f"data.groups_per_class={groups}", at=workspace)
    return known()[-1]


def call(*words: str, at: Path) -> None:
    """Run a command of the program in this process."""
    sys.argv = ["coigan-aug", *words, "--workspace", str(at)]
    if run(app) != 0:
        raise SystemExit(f"{shlex.join(sys.argv)} did not end well.")


def arms(numbers: Benefit) -> dict[str, Any]:
    """Return, as JSON values, the measures of each arm and the differences to real alone."""
    against = [row for row in numbers.differences if row.against == "real" and row.label is None]
    return {
        "arms": {arm.name: {key: to_values(arm.measures[key]) for key in MEASURES} for arm in numbers.arms},
        "differences": [to_values(row) for row in against if row.measure in MEASURES],
    }


def draw(points: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw each measure over the number of groups, an arm a line with its interval."""
    figure = Figure(figsize=(4 * len(MEASURES), 3.4), dpi=110, layout="constrained")
    names = [str(point["groups"] or "all") for point in points]
    for k, measure in enumerate(MEASURES, start=1):
        axes = figure.add_subplot(1, len(MEASURES), k)
        for arm in points[0]["arms"]:
            own = [point["arms"].get(arm, {}).get(measure) for point in points]
            places = [place for place, value in enumerate(own) if value]
            means = [100 * own[place]["mean"] for place in places]
            axes.plot(places, means, marker="o", label=arm, color="black" if arm == "real" else None)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlabel("groups of images of each class")
        axes.set_title(TITLES[measure], fontsize=9)
    axes.legend(fontsize=7)
    figure.savefig(path)


if __name__ == "__main__":
    main()
