"""Measure what is left of a data set's masks when COCO polygons are read by the reader they are for, and by the other.

    python examples/measure_polygons.py SRC

SRC is anything that `coigan-aug convert` reads. Prints the mean and the smallest IoU over all masks, and how many are exact.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools.coco import COCO

from coigan_aug.formats.converting import WriteOptions, convert

READERS = ("pycocotools", "cv2")


def written(source: Path, out: Path, reader: str | None) -> COCO:
    """Write a COCO file, polygons for a reader or run lengths, and load it."""
    made = convert(source, out, to="coco", style=WriteOptions(polygons=reader), image_files="none")
    return COCO(str(made.annotations))


def drawn(loaded: COCO, item: dict[str, Any], reader: str) -> np.ndarray:
    """Fill the polygons of an annotation as a reader does."""
    if reader == "pycocotools":
        return loaded.annToMask(item)
    image = loaded.imgs[item["image_id"]]
    mask = np.zeros((image["height"], image["width"]), np.uint8)
    for part in item["segmentation"]:
        cv2.fillPoly(mask, [np.reshape(part, (-1, 2)).astype(np.int32)], 1)
    return mask


def main() -> None:
    """Write both kinds of polygons, read each in both ways, and compare with the run lengths."""
    source = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        truth = written(source, Path(folder) / "rle", None)
        for aim in READERS:
            loaded = written(source, Path(folder) / aim, aim)
            for reader in READERS:
                overlaps = []
                for number, item in loaded.anns.items():
                    mask, own = drawn(loaded, item, reader), truth.annToMask(truth.anns[number])
                    overlaps.append((mask & own).sum() / (mask | own).sum())
                exact = sum(overlap == 1 for overlap in overlaps)
                mean, least = np.mean(overlaps), np.min(overlaps)
                print(
                    f"for {aim}, read by {reader}: mean {mean:.3f}, least {least:.3f}, exact {exact} of {len(overlaps)}"
                )


if __name__ == "__main__":
    main()
