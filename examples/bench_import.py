"""Measure `coigan-aug import` on a set of Severstal's size against the thesis' way of reading the same CSV.

    python examples/bench_import.py

Makes 12,568 records of 256 x 1600 pixels (6,666 with defects, 7,095 rows, about 331 runs a row) in a temporary
folder and reads them in fresh processes:

- import: `coigan-aug import --group-by none`: every row checked, objects counted, split, data set written.
- polygons: the thesis' way: each row decoded run by run into a mask, transposed, traced with findContours on the
  whole mask, every fourth point kept, written as line-json with its index. Checks nothing, opens no image.
- rle: the same decoding, then pycocotools' encoding and one JSON file. Checks nothing, opens no image.

Prints CPU seconds, wall seconds and peak memory (ru_maxrss of the process) of the median of three runs each.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

IMAGES, DEFECTIVE, ROWS = 12_568, 6_666, 7_095
HEIGHT, WIDTH = 256, 1600


def make(folder: Path, *, images: int) -> None:
    """Write train.csv and train_images/; all images are links to one flat JPEG."""
    (folder / "train_images").mkdir(parents=True)
    first = folder / "train_images" / "00000.jpg"
    cv2.imwrite(str(first), np.full((HEIGHT, WIDTH), 128, np.uint8))
    for k in range(1, images):
        os.link(first, folder / "train_images" / f"{k:05d}.jpg")
    random = np.random.default_rng(7)
    defective = images * DEFECTIVE // IMAGES
    with (folder / "train.csv").open("w") as stream:
        stream.write("ImageId,ClassId,EncodedPixels\n")
        for k in range(images * ROWS // IMAGES):
            stream.write(
                f"{k % defective * images // defective:05d}.jpg,{1 + k // defective * 2 + k % 2},{cell(random)}\n"
            )


def cell(random: np.random.Generator) -> str:
    """Draw one to three blobs side by side, 331 runs in all on average, as "start length" pairs."""
    columns = int(np.clip(random.gamma(1.3, 255), 8, WIDTH - 8))
    left = int(random.integers(0, WIDTH - columns))
    middle = np.clip(128 + np.cumsum(random.normal(0, 2, columns)), 40, 216)
    half = np.clip(np.abs(np.cumsum(random.normal(0, 1, columns))) + random.integers(0, 4, columns), 1, 38)
    top, bottom = (middle - half).astype(int), (middle + half).astype(int) + 1
    used = np.arange(columns) % max(columns // int(random.integers(1, 4)), 2) > 0
    starts = (left + np.arange(columns)) * HEIGHT + top + 1
    pairs = np.stack([starts, bottom - top], axis=1)[used]
    return " ".join(map(str, pairs.ravel().tolist()))


def decoded(path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Decode every row run by run, as the thesis' figure 4.3 shows it."""
    csv.field_size_limit(1 << 30)
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            numbers = [int(number) for number in row["EncodedPixels"].split()]
            mask = np.zeros(HEIGHT * WIDTH, np.uint8)
            for start, length in zip(numbers[0::2], numbers[1::2], strict=True):
                mask[start - 1 : start - 1 + length] = 1
            yield row["ImageId"], row["ClassId"], mask.reshape(WIDTH, HEIGHT).T


def polygons(folder: Path) -> None:
    """Write line-json and index the thesis' way."""
    found: dict[str, list[dict[str, object]]] = {}
    for name, label, mask in decoded(folder / "train.csv"):
        contours, _ = cv2.findContours(np.ascontiguousarray(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in (contour for contour in contours if len(contour) >= 5):
            points = contour[:: 4 if len(contour) > 25 else 1, 0].tolist()
            found.setdefault(name, []).append({"label": str(int(label) - 1), "points": [points]})
    at = 0
    with (folder / "dataset.jsonl").open("w") as stream, (folder / "index").open("w") as index:
        for image in sorted((folder / "train_images").iterdir()):
            line = json.dumps({"img": image.name, "polygons": found.get(image.name, [])}) + "\n"
            stream.write(line)
            index.write(f"{at}\n")
            at += len(line)


def rle(folder: Path) -> None:
    """Write compressed run lengths with pycocotools, in one JSON file."""
    annotations = []
    for name, label, mask in decoded(folder / "train.csv"):
        encoded = coco_mask.encode(np.asfortranarray(mask))
        counts = encoded["counts"].decode()
        annotations.append({"image": name, "category_id": int(label), "segmentation": {"counts": counts}})
    (folder / "coco.json").write_text(json.dumps({"annotations": annotations}))


def measured(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return its CPU seconds, wall seconds and peak memory in MB.

    Raises:
        SystemExit: the command failed.
    """
    begun = time.perf_counter()
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    text = child.stderr.read() if child.stderr else b""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} failed:\n{text.decode()}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss / 1024


def compare(folder: Path, *, repeats: int) -> None:
    """Measure the three ways and print them."""
    workspace = folder / "coigan"
    way = [sys.executable, "-c", "from coigan_aug.cli.main import main; main()", "import", str(folder / "train.csv")]
    commands = {
        "import": [*way, "--group-by", "none", "--workspace", str(workspace), "--overwrite", "--quiet"],
        "polygons": [sys.executable, __file__, "--only", "polygons", "--folder", str(folder)],
        "rle": [sys.executable, __file__, "--only", "rle", "--folder", str(folder)],
    }
    size = (folder / "train.csv").stat().st_size / 1e6
    print(f"{len(list((folder / 'train_images').iterdir())):,} images, CSV of {size:.1f} MB, median of {repeats}")
    print(f"{'':10}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}{'CPU / import':>14}")
    reference = 0.0
    for name, command in commands.items():
        runs = [measured(command) for _ in range(repeats)]
        cpu, wall, peak = (statistics.median(run[k] for run in runs) for k in range(3))
        reference = reference or cpu
        print(f"{name:10}{cpu:8.2f}{wall:8.2f}{peak:9.0f}{cpu / reference:14.1f}", flush=True)


def main() -> None:
    """Make the set and compare, or (in a child process) do one part."""
    parser = argparse.ArgumentParser(description="Measure coigan-aug import.")
    parser.add_argument("--images", type=int, default=IMAGES, help="images in the set (default 12568)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way (default 3)")
    parser.add_argument("--only", choices=("make", "polygons", "rle"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only == "make":
        make(options.folder, images=options.images)
    elif options.only:
        {"polygons": polygons, "rle": rle}[options.only](options.folder)
    else:
        folder = Path(tempfile.mkdtemp(prefix="bench-import-"))
        try:
            child = [
                sys.executable,
                __file__,
                "--only",
                "make",
                "--folder",
                str(folder),
                "--images",
                str(options.images),
            ]
            subprocess.run(child, check=True)
            compare(folder, repeats=options.repeats)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
