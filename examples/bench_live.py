"""Measure what a window with a defect copied on the fly costs: processor time a window, for each engine that is made so.

    python examples/bench_live.py --workspace coigan --config examples/benefit/ball-screw.yaml --count 30

Prints a markdown row an engine: milliseconds of a core a window (the mean, without the first), as `evaluate benefit` draws them
while it trains.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import torch

from coigan_aug.config import load_settings
from coigan_aug.places.density import measure_places
from coigan_aug.prepare.prepared import prepare
from coigan_aug.shapes.draw import shape_source
from coigan_aug.stages.benches import LIVE
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import COPYING, OWN_PLACE
from coigan_aug.synthesis.live import LiveCopies
from coigan_aug.synthesis.plan import make_planner


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=Path("coigan"))
    parser.add_argument("--config", type=Path)
    parser.add_argument("--count", type=int, default=30)
    asked = parser.parse_args()
    settings, cache = load_settings(file=asked.config), asked.workspace / "cache"
    prepared = prepare(Dataset(asked.workspace / "dataset"), settings.data, cache_root=cache)
    source = shape_source(prepared, settings.data, settings.synthesize.shapes, root=cache, device=torch.device("cpu"))
    places, classes = measure_places(prepared), range(prepared.classes)
    print("| engine | ms a window |\n|---|---|")
    for engine in (name for name in COPYING if name in LIVE):
        planner = make_planner(
            prepared, settings, [1] * prepared.classes, source=source, places=places, windows=False, bases="auto",
            own_places=frozenset(classes if engine == OWN_PLACE else ()),
        )  # fmt: skip
        live = LiveCopies(
            planner=planner, engine=engine, scale=settings.evaluate.scale, window_side=settings.evaluate.window,
            jitter=settings.evaluate.jitter,
        )  # fmt: skip
        live.window(0, 0)
        begun = time.process_time()
        for number in range(asked.count):
            live.window(0, 1 + number)
        print(f"| {engine} | {1000 * (time.process_time() - begun) / asked.count:.0f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    main()
