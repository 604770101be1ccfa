"""Measure how long one waits before the work proper begins, on many small objects: each command twice.

    python examples/bench_waits.py FOLDER

Makes FOLDER/data once, from a seed: 876 grey images (or --images N) of 1024 x 1024 px, in 810 of them 28 pores of 2 to 9 px
radius on average, 22,717 in all, as one mask a file. Each command runs as a user types it, the first time without what earlier
ones keep. A markdown row a command: its seconds the first and the second time, by the wall clock and of the processor, and for
how long nothing was written to the pipe at most, in which bars are timed lines: in either, and in the second.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

ALL_IMAGES, DEFECTIVE, OBJECTS, SIDE = 876, 810 / 876, 22_717 / 876, 1024
RUN = ("train", "--recipe", "tiny", "--images-seen", "12", "--set", "log.watch_every=0", "--set", "train.threads=1")
COMMANDS = {
    "import": ("import", "data", "--overwrite", "--group-by", "none"),
    "import, near-duplicates looked for": ("import", "data", "--overwrite"),
    "inspect": ("inspect",),
    "train --dry-run": ("train", "--dry-run", "--recipe", "tiny", "--set", "train.threads=1"),
    "synthesize, 4 images, unscreened": (
        "synthesize", "--per-class", "4", "--defects-per-image", "1", "--no-screen", "--overwrite", "--out", "made",
    ),
}  # fmt: skip
CACHE = ("inspect", "train --dry-run")
"""What is preceded by an empty cache the first time. synthesize follows the training that its run needs."""


@dataclass(frozen=True)
class Waited:
    """How long a command took, seconds of the wall clock and of the processor, and the longest silence."""

    wall: float
    processor: float
    silence: float


def make(folder: Path, images: int) -> None:
    """Write images/ and masks/ from a seed."""
    random = np.random.default_rng(22)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    defective = round(DEFECTIVE * images)
    drawn = random.multinomial(round(OBJECTS * images), random.dirichlet(np.full(defective, 4.0)))
    counts = np.concatenate([np.maximum(drawn, 1), np.zeros(images - defective, int)])
    for k, count in enumerate(random.permutation(counts).tolist()):
        image = np.clip(random.normal(150, 9, (SIDE, SIDE)), 0, 255).astype(np.uint8)
        image = cv2.GaussianBlur(image, (0, 0), 1.2)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for column, row in _places(random, count):
            axes = random.integers(2, 10, 2).tolist()
            cv2.ellipse(mask, (column, row), axes, float(random.uniform(0, 180)), 0, 360, 255, -1)
        image[mask > 0] = image[mask > 0] // 3
        cv2.imwrite(str(folder / "images" / f"{k:04d}.jpg"), image)
        cv2.imwrite(str(folder / "masks" / f"{k:04d}.png"), mask)


def _places(random: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Choose centres in cells of 24 px, so that no two pores touch."""
    cells = SIDE // 24
    chosen = random.permutation(cells * cells)[:count]
    return [(int(cell % cells) * 24 + 12, int(cell // cells) * 24 + 12) for cell in chosen]


def run(folder: Path, words: tuple[str, ...]) -> Waited:
    """Run a command of ours in a folder and time it."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    last, silence = begun, 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", "coigan_aug", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said = b""
    while piece := os.read(process.stdout.fileno(), 1 << 16):
        silence, last, said = max(silence, time.monotonic() - last), time.monotonic(), said + piece
    if process.wait():
        sys.exit(said.decode())
    ended, after = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Waited(ended - begun, processor, max(silence, ended - last))


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=ALL_IMAGES)
    parser.add_argument("--only", nargs="*", choices=list(COMMANDS), default=list(COMMANDS))
    asked = parser.parse_args()
    if not (asked.folder / "data").exists():
        make(asked.folder / "data", asked.images)
    cache = asked.folder / "coigan" / "cache"
    print("| command | first, s (processor) | second, s (processor) | longest silence, s |\n|---|---|---|---|")
    for name in asked.only:
        if name in CACHE:
            shutil.rmtree(cache, ignore_errors=True)
        if name.startswith("synthesize"):
            shutil.rmtree(asked.folder / "coigan" / "runs", ignore_errors=True)
            run(asked.folder, RUN)
            shutil.rmtree(cache, ignore_errors=True)
        first, second = (run(asked.folder, COMMANDS[name]) for _ in range(2))
        times = " | ".join(f"{waited.wall:.1f} ({waited.processor:.1f})" for waited in (first, second))
        print(f"| {name} | {times} | {max(first.silence, second.silence):.1f}, {second.silence:.1f} |", flush=True)


if __name__ == "__main__":
    main()
