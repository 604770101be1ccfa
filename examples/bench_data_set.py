"""The set that `bench_data.py` measures on: run lengths as in the Severstal data, made from a seed.

    python examples/bench_data_set.py FOLDER --rows 7095

12,568 images of 256 x 1600 pixels, 6,666 of them with defects, 7,095 rows (an image and a class each) of 325 runs on
average, in 2.3 parts; 13 % of the rows have holes. Real defects are smoother.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench_data_ways import CLASSES, COCO, COUNTS, CSV, DATUMARO, HEIGHT, IMAGES, LINES, STORE, WIDTH

from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions
from coigan_aug.formats.tables import line_json, rle_csv
from coigan_aug.store.writer import write_dataset

ALL_IMAGES, ALL_DEFECTIVE, ALL_ROWS = 12_568, 6_666, 7_095
_SHARES = (897 / 7095, 247 / 7095, 5150 / 7095, 801 / 7095)
_PARTS = (0.34, 0.26, 0.22, 0.11, 0.07)
_HOLED = 0.13


@dataclass(frozen=True)
class Row:
    """A row of the CSV: the image's name, the class, and runs, 0-based and column-major."""

    name: str
    label: str
    starts: np.ndarray
    lengths: np.ndarray


def names(rows: int) -> list[str]:
    """Name the images of a set of so many rows, sorted."""
    return sorted(f"{(k * 2_654_435_761) % 2**32:09x}.jpg" for k in range(max(rows * ALL_IMAGES // ALL_ROWS, 1)))


def rows_of(rows: int) -> Iterator[Row]:
    """Draw the rows, image by image."""
    random = np.random.default_rng(7)
    images = names(rows)
    defective = max(rows * ALL_DEFECTIVE // ALL_ROWS, 1)
    chosen = np.sort(random.permutation(len(images))[:defective])
    twice = set(random.permutation(defective)[: rows - defective].tolist())
    for position, image in enumerate(chosen.tolist()):
        labels = random.choice(len(CLASSES), 2 if position in twice else 1, replace=False, p=_SHARES)
        for label in sorted(labels.tolist()):
            yield Row(images[image], CLASSES[label], *_runs(random))


def _runs(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw parts side by side, a column or more apart, the widest with a hole in some rows."""
    columns = int(np.clip(random.gamma(1.3, 245), 12, WIDTH - 40))
    parts = 1 + int(random.choice(len(_PARTS), p=_PARTS))
    widths = np.maximum((random.dirichlet(np.full(parts, 3.0)) * columns).astype(int), 2)
    gaps = random.integers(1, 8, parts)
    left = int(random.integers(0, WIDTH - int(widths.sum() + gaps.sum())))
    holed = int(widths.argmax()) if random.random() < _HOLED else -1
    found = []
    for k, width in enumerate(widths.tolist()):
        found.append(_part(random, left, width, hole=k == holed))
        left += width + int(gaps[k])
    runs = np.concatenate(found)
    return runs[:, 0], runs[:, 1]


def _part(random: np.random.Generator, left: int, width: int, *, hole: bool) -> np.ndarray:
    """Draw a band of `width` columns that wanders and swells: (start, length) of its runs, ascending."""
    middle = np.clip(random.integers(60, 196) + np.cumsum(random.normal(0, 0.9, width)), 50, 206)
    half = np.clip(np.abs(np.cumsum(random.normal(0, 0.6, width))) + random.integers(2, 7), 2, 40)
    if hole and width > 8:
        half[2:-2] = np.maximum(half[2:-2], 6)
    top, bottom = (middle - half).astype(int), (middle + half).astype(int) + 1
    base = (left + np.arange(width)) * HEIGHT
    solid = np.stack([base + top, bottom - top], axis=1)
    if not hole or width <= 8:
        return solid
    opened = np.arange(3, 3 + max(width // 6, 2))
    centre = middle[opened].astype(int)
    upper = np.stack([base + top, bottom - top], axis=1)
    upper[opened, 1] = centre - 1 - top[opened]
    lower = np.stack([base[opened] + centre + 2, bottom[opened] - centre - 2], axis=1)
    both = np.concatenate([upper, lower])
    return both[np.argsort(both[:, 0])]


def make(folder: Path, *, rows: int) -> None:
    """Write train.csv, train_images/ (links to one flat JPEG), polygons.json, and what ways read that start with masks."""
    (folder / IMAGES).mkdir(parents=True)
    images = names(rows)
    first = folder / IMAGES / images[0]
    cv2.imwrite(str(first), np.full((HEIGHT, WIDTH), 128, np.uint8))
    for name in images[1:]:
        os.link(first, folder / IMAGES / name)
    drawn = list(rows_of(rows))
    with (folder / CSV).open("w", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["ImageId", "ClassId", "EncodedPixels"])
        for row in drawn:
            pairs = np.stack([row.starts + 1, row.lengths], axis=1).ravel()
            table.writerow([row.name, row.label, " ".join(map(str, pairs.tolist()))])
    _write_polygons(folder / COCO, images, drawn)
    _write_masks(folder)


def _write_polygons(path: Path, images: Sequence[str], rows: Sequence[Row]) -> None:
    """Write a COCO file, an annotation an outline: every fourth pixel's centre, as the thesis' program takes them."""
    ids = {name: k for k, name in enumerate(images, start=1)}
    annotations: list[dict[str, object]] = []
    for row in rows:
        left, mask = _columns(row)
        for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, 0))[0]:
            points = contour[:: 4 if len(contour) > 25 else 1, 0] + 0.5
            if len(points) >= 3:
                low, high = points.min(axis=0), points.max(axis=0)
                annotations.append({
                    "id": len(annotations) + 1, "image_id": ids[row.name], "category_id": int(row.label),
                    "segmentation": [points.ravel().tolist()], "area": cv2.contourArea(points.astype(np.float32)),
                    "bbox": [*low.tolist(), *(high - low).tolist()], "iscrowd": 0,
                })  # fmt: skip
    value = {
        "images": [{"id": k, "file_name": name, "height": HEIGHT, "width": WIDTH} for name, k in ids.items()],
        "categories": [{"id": int(label), "name": label} for label in CLASSES],
        "annotations": annotations,
    }
    path.write_text(json.dumps(value))
    for name in ("annotations", "images"):  # the layout that datumaro asks for
        (path.parent / DATUMARO / name).mkdir(parents=True)
    os.link(path, path.parent / DATUMARO / "annotations" / "instances_train.json")


def _columns(row: Row) -> tuple[int, np.ndarray]:
    """Draw the columns that a row's runs lie in: the first one's number, and the mask uint8 [HEIGHT, columns]."""
    left, right = int(row.starts[0]) // HEIGHT, int(row.starts[-1]) // HEIGHT + 1
    mask = np.zeros((right - left) * HEIGHT, np.uint8)
    for start, length in zip((row.starts - left * HEIGHT).tolist(), row.lengths.tolist(), strict=True):
        mask[start : start + length] = 1
    return left, np.ascontiguousarray(mask.reshape(right - left, HEIGHT).T)


def _write_masks(folder: Path) -> None:
    """Write the rows as data sets (text, packed), line-json, and compressed run lengths in JSON."""
    options = ReadOptions(images=folder / IMAGES)
    source = rle_csv.read(Reading(folder / CSV, options=options, problems=Problems(strict=True)))
    records = list(source.records)
    for name, binary in ((STORE, False), (f"{STORE}-binary", True)):
        write_dataset(
            folder / name, records, classes=source.classes, image_root=source.image_root, provenance={}, binary=binary
        )
    line_json.write(folder / LINES, records, classes=source.classes)
    counts = [annotation.rle.counts for record in records for annotation in record.annotations]
    (folder / COUNTS).write_text(json.dumps(counts))


def main() -> None:
    """Write a set."""
    parser = argparse.ArgumentParser(description="Write the set that bench_data.py measures on.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=ALL_ROWS, help=f"rows of the CSV (default {ALL_ROWS})")
    options = parser.parse_args()
    make(options.folder, rows=options.rows)


if __name__ == "__main__":
    main()
