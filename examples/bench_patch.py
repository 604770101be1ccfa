"""Measure engines that need no training: do mask and change agree, is it crisp, is it a copy, how long.

    python examples/bench_patch.py --workspace coigan --engines patch,transplant,paste --count 40

For each class and engine a markdown row says

- overlap: of what visibly changed with the mask, IoU, median and lower quartile (`synthesis/change.py`, as the card has it);
- grain and edge against real objects (`metrics/crispness.py`), the medians' ratio to those of all training objects; 1 is as
  crisp as real ones;
- rejected: the share that the screen's measures of pixels reject, and copies: the share nearer to a training object than
  all but 1 % of the training objects are to one of another group (for engines that copy it is shown, not rejected);
- s: processor seconds for a defect, the mean, without reading the base.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from coigan_aug.compose.erase import TELEA
from coigan_aug.config import load_settings
from coigan_aug.metrics.crispness import crispness
from coigan_aug.places.density import measure_places
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.shapes.draw import shape_source
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import read_base
from coigan_aug.synthesis.engines import Engine, untrained_engine
from coigan_aug.synthesis.job import Job, base_of
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.plan import Planner, make_planner
from coigan_aug.synthesis.resemblance import Known, known_objects
from coigan_aug.synthesis.screen import Screen


def planner_of(prepared: Prepared, settings, engine: Engine, *, cache: Path) -> Planner:
    """Return the planner that an engine's defects are planned with."""
    source = shape_source(prepared, settings.data, settings.synthesize.shapes, root=cache, device=torch.device("cpu"))
    return make_planner(
        prepared, settings, [1] * prepared.classes, source=source, places=measure_places(prepared), windows=False,
        bases="auto", own_places=engine.own_places(prepared.classes),
    )  # fmt: skip


def jobs_of(planner: Planner, label: int, count: int) -> list[Job]:
    """Plan so many images with one defect of a class."""
    jobs, number = [], 0
    while len(jobs) < count:
        number += 1
        job = planner.place(number, [label], part=0, attempt=0)
        jobs += [job] if job else []
    return jobs


def row(planner: Planner, engine: Engine, known: Known, label: int, count: int) -> str:
    """Draw a class with an engine and return the row of the table."""
    prepared, settings = planner.prepared, planner.settings
    screen, real = Screen(settings, margin_of(settings)), [prepared.objects[k] for k in prepared.by_class[label]]
    crisp = np.median([crispness(prepared.dataset.stored(item.position), item.full) for item in real], axis=0)
    overlaps, drawn, rejected, copies, seconds = [], [], 0, 0, 0.0
    for job in jobs_of(planner, label, count):
        base, mask = read_base(prepared, base_of(job), TELEA), job.defects[0].rle
        begun = time.process_time()
        (image,) = engine.draw([job], [base], [[]])
        seconds += time.process_time() - begun
        changes, finding = screen.judge(job, base, image, [engine.name])
        overlaps.append(changes[0].iou)
        rejected += finding is not None
        drawn.append(crispness(image, mask))
        copies += known.distance(image, label, mask) < (known.limits[label] or 0)
    grain, edge = np.median(drawn, axis=0) / crisp
    low, middle = np.quantile(overlaps, (0.25, 0.5))
    return (
        f"| {prepared.dataset.names[label]} | {engine.name} | {middle:.2f} ({low:.2f}) | {grain:.2f} | {edge:.2f} |"
        f" {rejected / count:.0%} | {copies / count:.0%} | {seconds / count:.2f} |"
    )


def main(workspace: Path, engines: Sequence[str], count: int) -> None:
    """Print the table."""
    settings, cache = load_settings(), workspace / "cache"
    prepared = prepare(Dataset(workspace / "dataset"), settings.data, cache_root=cache)
    known = known_objects(prepared, cache_root=cache, device=torch.device("cpu"))
    print("| class | engine | overlap (lower quartile) | grain | edge | rejected | copies | s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in engines:
        engine = untrained_engine(name, prepared, settings)
        planner = planner_of(prepared, settings, engine, cache=cache)
        for label, members in enumerate(prepared.by_class):
            if members:
                print(row(planner, engine, known, label, count), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=Path("coigan"))
    parser.add_argument("--engines", default="patch,transplant,paste")
    parser.add_argument("--count", type=int, default=40)
    given = parser.parse_args()
    main(given.workspace, given.engines.split(","), given.count)
