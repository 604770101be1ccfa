"""Picture random objects of a synthetic set with real ones: nothing is chosen.

    python examples/picture_objects.py WORKSPACE WORKSPACE/synthetic/NAME OUT.jpg [--count 8] [--seed 0] [--drawn-only]

Three rows for each class: real objects of the held-out groups, drawn ones, and the same drawn ones with their masks
outlined; with --drawn-only, the last two. Every picture is the square of one and a half times an object's box, 64 px at
least, or what the image has of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from coigan_aug import rng
from coigan_aug.annotations.records import DefectClass
from coigan_aug.annotations.rle import box, decode
from coigan_aug.evaluation.crops import Instance
from coigan_aug.evaluation.sets import picture_sets
from coigan_aug.imaging import Pixels, write_image
from coigan_aug.pictures import contact_sheet, mark, surroundings
from coigan_aug.store.dataset import Dataset

SIDE = 112


def picture(workspace: Path, records: Path, out: Path, *, count: int = 8, seed: int = 0, real: bool = True) -> None:
    """Picture `count` random objects of each class, drawn ones and (with `real`) real ones, in a PNG or JPEG file."""
    sets = picture_sets(Dataset(workspace / "dataset"), Dataset(records), min_area=1)
    classes = sets["test"].dataset.classes
    rows: list[list[Pixels]] = []
    for label, item in enumerate(classes):
        found, drawn = (
            _close_ups(sets[name].dataset, _choose(sets[name].instances, label, count=count, seed=seed), item)
            for name in ("test", "synthetic")
        )
        rows += [[plain for plain, _ in found]] if real else []
        rows += [[plain for plain, _ in drawn], [outlined for _, outlined in drawn]]
    write_image(out, contact_sheet([row for row in rows if row], classes=classes, cell=SIDE), quality=90)


def _choose(instances: Sequence[Instance], label: int, *, count: int, seed: int) -> list[Instance]:
    own = [item for item in instances if item.label == label]
    order = rng.generator(seed, "picture", label).permutation(len(own))
    return [own[number] for number in order[:count]]


def _close_ups(dataset: Dataset, chosen: Sequence[Instance], item: DefectClass) -> list[tuple[Pixels, Pixels]]:
    """Cut the objects out with surroundings: as they are, and with their masks outlined."""
    found = []
    for instance in chosen:
        image = dataset.image(instance.position)
        rows, columns = surroundings(box(instance.mask), height=image.shape[0], width=image.shape[1])
        outlined = mark(image, decode(instance.mask)[None], [item])
        found.append((image[rows, columns], outlined[rows, columns]))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("records", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drawn-only", action="store_true")
    given = parser.parse_args()
    picture(given.workspace, given.records, given.out, count=given.count, seed=given.seed, real=not given.drawn_only)
