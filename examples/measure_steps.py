"""Measure how many steps a segmenter of the benefit test needs: the real arm, on training pieces that are held out of it.

    python examples/measure_steps.py coigan --config examples/benefit/magnetic-tile.yaml --steps 600 1200 2400

Every third piece of the training split, by its rarest class, is held out; the test split is not touched. Rerun, it goes on
where it was stopped. Prints a line for each length and seed, and keeps them in `steps.jsonl` in the workspace.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import defaultdict
from pathlib import Path

import cv2
import torch

from coigan_aug.config import load_settings
from coigan_aug.evaluation.arms import REAL, Arm, Bench, evaluated_at, run_arm
from coigan_aug.evaluation.summary import Question, summarise
from coigan_aug.evaluation.tally import Held, piece_of
from coigan_aug.files import json_line
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.sealed import read_lines
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

MEASURES = ("pixel_ap", "found_10", "ap", "iou")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--steps", type=int, nargs="+", default=[1_200, 2_400, 3_600, 7_200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    settings, dataset = load_settings(file=asked.config), Dataset(asked.workspace / "dataset")
    kept, held_out = halve(dataset)
    seen = evaluated_at(settings.data, settings.evaluate)
    real, test = (load_examples(dataset, own, seen, cache_root=asked.workspace / "cache") for own in (kept, held_out))
    log = asked.workspace / "steps.jsonl"
    known = {(row["steps"], row["seed"]) for row in read_lines(log)} if log.exists() else set()
    for seed in asked.seeds:
        for steps in asked.steps:
            if (steps, seed) not in known:
                row = {"steps": steps, "seed": seed} | measure(real, test, settings, steps, seed, asked.workspace)
                with log.open("ab") as stream:
                    stream.write(json_line(row))
                print(json.dumps(row), flush=True)


def halve(dataset: Dataset) -> tuple[list[int], list[int]]:
    """Return the training records that are learnt from, and those held out: every third piece of each rarest class."""
    labels: dict[str, set[str]] = defaultdict(set)
    for position in dataset.indices("train"):
        labels[piece_of(dataset, position)] |= {item.label for item in dataset[position].annotations}
    count = {name: sum(name in own for own in labels.values()) for name in dataset.names}
    rarest = {piece: min(own, key=lambda name: count[name], default="") for piece, own in labels.items()}
    order = sorted(rarest, key=lambda piece: (rarest[piece], piece))
    out = set(order[::3])
    sides = {position: piece_of(dataset, position) in out for position in dataset.indices("train")}
    return [p for p, side in sides.items() if not side], [p for p, side in sides.items() if side]


def measure(
    real: Examples, test: Examples, settings: Settings, steps: int, seed: int, workspace: Path
) -> dict[str, float | None]:
    """Train the real arm for so many steps and return its measures, in percent."""
    evaluate = dataclasses.replace(settings.evaluate, steps=steps)
    dataset = test.dataset
    held = Held(
        test=test,
        defective=tuple(p for p in test.positions if dataset[p].annotations),
        clean=tuple(p for p in test.positions if not dataset[p].annotations),
        real=real,
        train_clean=(),
    )
    bench = Bench(
        real=real, held=held, added={}, settings=dataclasses.replace(settings, evaluate=evaluate),
        folder=workspace / "steps" / str(steps),
    )  # fmt: skip
    arm = Arm((REAL,), 0.0, REAL)
    tally = run_arm(bench, arm, seed, device=torch.device("cpu"))
    question = Question(arms=(arm,), seeds=(seed,), folds=1, names=tuple(dataset.names), seed=0)
    found = summarise(question, {(REAL, 0, seed): tally}, about="none").arms[0].measures
    return {name: round(100 * (found[name].mean or 0.0), 1) for name in MEASURES}


if __name__ == "__main__":
    main()
