"""Measure what trained translators do to held-out images of line A: nearer to B (KID)? Are edges of masks where they were?

python examples/measure_translators.py lines/a lines/b none=none/translators/001-tiny --out sheet

prints a row for the images as they are, one for each engine that needs no training, one for each NAME=RUN, and one for B's own
test images, and writes OUT-NAME.jpg for each: eight of the images before and after, masks drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coigan_aug import rng
from coigan_aug.annotations.records import DefectClass
from coigan_aug.imaging import Pixels, write_image
from coigan_aug.metrics.borders import edges_moved
from coigan_aug.metrics.features import Lite0, Rows
from coigan_aug.metrics.kernel import kernel_distance
from coigan_aug.pictures import contact_sheet, mark
from coigan_aug.store.dataset import Dataset
from coigan_aug.translation.engine import UNTRAINED, fit
from coigan_aug.translation.network import load_translator

SHOWN = 8


def chosen(dataset: Dataset, split: str, count: int, *, defective: bool) -> list[int]:
    """Draw images of a split, all or those with masks: their positions."""
    positions = [k for k in dataset.indices(split) if dataset[k].annotations or not defective]
    order = rng.generator(1, "measure translators", 0).permutation(len(positions))
    return [positions[int(k)] for k in order[:count]]


def rows_of(features: Lite0, images: Sequence[Pixels]) -> Rows:
    """Return the features of images of any sizes: float32 [N, 1280]."""
    return np.concatenate([features([image]).numpy() for image in images])


def squares(before: Pixels, after: Pixels, masks: Pixels, classes: Sequence[DefectClass]) -> list[Pixels]:
    """Return a square of an image round a defect, as large as the image is high or wide: before, marked, after, marked."""
    height, width = before.shape[:2]
    side = min(height, width)
    rows, columns = np.nonzero(masks.any(axis=0))
    middle = len(rows) // 2
    top = min(max(int(rows[middle]) - side // 2, 0), height - side)
    left = min(max(int(columns[middle]) - side // 2, 0), width - side)
    part = np.s_[..., top : top + side, left : left + side]
    drawn, old, new = (
        masks[part],
        before[top : top + side, left : left + side],
        after[top : top + side, left : left + side],
    )
    return [old, mark(old, drawn, classes), new, mark(new, drawn, classes)]


def main() -> None:
    """Print the table and write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("runs", nargs="*", metavar="NAME=RUN")
    parser.add_argument("--images", type=int, default=32, help="images of A with masks; twice as many of B")
    parser.add_argument("--side", default="test", choices=("test", "train"), help="A's images that are taken")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    a, b = Dataset(given.a / "dataset"), Dataset(given.b / "dataset")
    own = chosen(a, given.side, given.images, defective=True)
    seen = [a.image(k) for k in own]
    masks = [
        np.stack([by_name.get(name, np.zeros(image.shape[:2], np.uint8)) for name in a.names])
        for by_name, image in zip((a.masks(k) for k in own), seen, strict=True)
    ]
    features = Lite0()
    of_b = [chosen(b, side, 2 * given.images, defective=False) for side in ("train", "test")]
    real, others = (rows_of(features, [b.image(k) for k in positions]) for positions in of_b)
    paths = [b.image_path(k) for k in of_b[0]]
    engines = {name: fit(name, paths, root=b.image_root) for name in UNTRAINED}
    engines |= {name: load_translator(Path(run)) for name, _, run in (text.partition("=") for text in given.runs)}

    def row(name: str, rows: Rows, moved: str) -> None:
        found = kernel_distance(rows, real)
        print(f"| {name} | {1000 * found.value:.0f} ± {1000 * (found.error or 0):.0f} | {moved} |", flush=True)

    print("| images | KID to B x 1000 | edges moved, px: median, 95 % |\n|---|---|---|")
    row("A as it is", rows_of(features, seen), "0")
    for name, engine in engines.items():
        made = [engine.translate(image, index=k, seed=1) for k, image in enumerate(seen)]
        shifts = np.concatenate(
            [edges_moved(*pair, np.asarray(drawn.max(axis=0))) for *pair, drawn in zip(seen, made, masks, strict=True)]
        )
        row(name, rows_of(features, made), f"{np.median(shifts):.2f}, {np.percentile(shifts, 95):.2f}")
        pairs = [squares(seen[k], made[k], masks[k], a.classes) for k in range(min(SHOWN, len(seen)))]
        sheet = contact_sheet(pairs, headings=("A", "masks", name, "masks"), classes=a.classes, cell=160)
        write_image(given.out.with_name(f"{given.out.name}-{name}.jpg"), sheet, quality=80)
    row("B's own test images", others, "")


if __name__ == "__main__":
    main()
