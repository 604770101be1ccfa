"""Print what each network pays at its first steps, term by term: whether the scales of a recipe are in proportion.

    python examples/first_losses.py coigan --recipe coigan --steps 17 [--set SECTION.KEY=VALUE ...]

The workspace holds the imported data set. Each term is a mean over the batch, weight and laziness included, as in
`metrics.jsonl`. The table says what it is worth at its first step and at its last one within `--steps`, beside the step's
number. Steps are those of a training with the recipe's seed, in float32 on one thread.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from coigan_aug import rng
from coigan_aug.compose.composer import Stream
from coigan_aug.config import load_settings
from coigan_aug.prepare.prepared import prepare
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.batches import batches
from coigan_aug.training.networks import Step, build_networks
from coigan_aug.training.run import resolve
from coigan_aug.training.steps import training_step


def main() -> None:
    """Train the steps on throw-away networks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--recipe", default="coigan")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--steps", type=int, default=17)
    given = parser.parse_args()
    torch.set_num_threads(1)
    dataset, device = Dataset(given.workspace / "dataset"), torch.device("cpu")
    settings = load_settings(recipe=given.recipe, overrides=given.overrides)
    prepared = prepare(dataset, settings.data, cache_root=given.workspace / "cache")
    settings = resolve(settings, prepared)
    networks = build_networks(prepared, settings, device, weights=None)
    source = batches(
        Stream(prepared, settings, settings.train.seed), start=0, batch=settings.train.batch, rank=0, world=1, workers=0
    )
    first: dict[str, tuple[int, float]] = {}
    last: dict[str, tuple[int, float]] = {}
    for number in range(given.steps):
        generator = torch.Generator().manual_seed(rng.torch_seed(settings.train.seed, "step0", number))
        losses = training_step(networks, next(source), Step(number, settings, generator, device, bfloat16=False))
        print(f"step {number + 1} of {given.steps}", file=sys.stderr, flush=True)
        for name, value in losses.items():
            first.setdefault(name, (number, float(value)))
            last[name] = (number, float(value))
    print("| term | at first | step | at last | step |\n|---|---|---|---|---|")
    for name, (number, value) in first.items():
        print(f"| {name} | {value:.4g} | {number} | {last[name][1]:.4g} | {last[name][0]} |")


if __name__ == "__main__":
    main()
