"""Measure the core of `coigan-aug evaluate quality` on object crops that are made as they are needed.

    python examples/bench_quality.py

Draws 2 x 1,250 and 2 x 5,000 crops of 96 px (grey streaks, a dark blob of random size and contrast in the middle), each
size in a fresh process, and measures one set against the other as the command does: EfficientNet-Lite0 features of the
crops and of what is inside the masks, FID, KID with its standard error, precision and recall, diversity, nearest neighbours.
Prints the seconds of each part and the process' peak memory (ru_maxrss), so that its independence of the number shows.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch

from coigan_aug import rng
from coigan_aug.evaluation.crops import Crop
from coigan_aug.evaluation.embedding import embed_insides
from coigan_aug.metrics.features import Lite0
from coigan_aug.metrics.frechet import frechet_distance, moments_of
from coigan_aug.metrics.kernel import kernel_distance
from coigan_aug.metrics.neighbours import mean_distance, nearest, nearest_of_other_groups, precision_recall

T = TypeVar("T")
SIDE = 96


def crops(name: str, count: int) -> Iterator[Crop]:
    """Yield crops of streaked metal with a blob; the sets differ in the blobs' contrast."""
    contrast = {"synthetic": 0.55, "train": 0.45}[name]
    for number in range(count):
        draw = rng.generator(3, name, number)
        grey = 120 + cv2.GaussianBlur(draw.normal(0, 30, (SIDE, SIDE)), (31, 1), 6) + draw.normal(0, 3, (SIDE, SIDE))
        mask = np.zeros((SIDE, SIDE), np.uint8)
        axes = (int(draw.integers(8, 30)), int(draw.integers(8, 30)))
        cv2.ellipse(mask, (SIDE // 2, SIDE // 2), axes, float(draw.integers(0, 180)), 0, 360, 1, -1)
        image = np.where(mask, grey * (contrast + 0.1 * draw.normal()), grey)
        pixels = np.clip(image, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)
        yield Crop(number, pixels, mask)


def timed(title: str, work: Callable[[], T]) -> T:
    """Do some work and print how long it took."""
    begun = time.perf_counter()
    found = work()
    print(f"  {title:34}{time.perf_counter() - begun:8.1f} s", flush=True)
    return found


def measure(count: int) -> None:
    """Measure two sets of `count` crops against each other."""
    begun = time.perf_counter()
    print(f"2 x {count:,} object crops, {torch.get_num_threads()} thread(s)")
    lite0 = Lite0()
    with tempfile.TemporaryDirectory(prefix="bench-quality-") as name:
        rows = [
            timed(
                f"features, {which}",
                lambda which=which: embed_insides(
                    crops(which, count), lite0, count=count, folder=Path(name), name=which, advance=lambda done: None
                ),
            )
            for which in ("synthetic", "train")
        ]
        (made, made_inside), (real, real_inside) = rows
        fid = timed("FID", lambda: frechet_distance(moments_of(made), moments_of(real)))
        kid = timed("KID", lambda: kernel_distance(made, real))
        precision, recall = timed("precision and recall", lambda: precision_recall(made, real))
        spread = timed("diversity", lambda: mean_distance(made_inside) / mean_distance(real_inside))
        timed("nearest neighbours", lambda: nearest(made_inside, real_inside))
        timed("nearest of other groups", lambda: nearest_of_other_groups(real_inside, np.arange(count) // 4))
    error = kid.error or 0.0
    print(f"  FID {fid:.1f}  KID {1000 * kid.value:.1f} ± {1000 * error:.1f}", end="  ")
    print(f"precision {precision:.2f}  recall {recall:.2f}  diversity {spread:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  all {time.perf_counter() - begun:.0f} s, peak memory {peak:,.0f} MB")


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description="Measure the core of evaluate quality.")
    parser.add_argument(
        "--counts", type=int, nargs="+", default=[1_250, 5_000], help="crops a side (default 1250 5000)"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's)")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.only:
        measure(options.only)
        return
    for count in options.counts:
        command = [sys.executable, __file__, "--only", str(count), "--threads", str(options.threads)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
