"""Picture random objects of a synthetic set with real ones: nothing is chosen.

    python examples/picture_objects.py WORKSPACE WORKSPACE/synthetic/NAME OUT.jpg [--drawn-only]

Three rows for each class: real objects of the held-out groups, drawn ones, and the same drawn ones with their masks
outlined; with --drawn-only, the last two. Every picture is the square of one and a half times an object's box, 64 px at
least, or what the image has of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from coigan_aug import rng
from coigan_aug.annotations.records import DefectClass
from coigan_aug.annotations.rle import box, decode
from coigan_aug.evaluation.embedding import PictureSet
from coigan_aug.evaluation.sets import picture_sets
from coigan_aug.imaging import Pixels, write_image
from coigan_aug.pictures import contact_sheet, mark, surroundings
from coigan_aug.store.dataset import Dataset

SIDE, COUNT = 112, 8


def picture(workspace: Path, records: Path, out: Path, *, real: bool = True) -> None:
    """Picture eight random objects of each class, drawn ones and (with `real`) real ones, in a PNG or JPEG file."""
    sets = picture_sets(Dataset(workspace / "dataset"), Dataset(records), min_area=1)
    classes = sets["test"].dataset.classes
    rows: list[list[Pixels]] = []
    for label, item in enumerate(classes):
        if real:
            rows += [[plain for plain, _ in _close_ups(sets["test"], label, item)]]
        drawn = _close_ups(sets["synthetic"], label, item)
        rows += [[plain for plain, _ in drawn], [outlined for _, outlined in drawn]]
    write_image(out, contact_sheet([row for row in rows if row], classes=classes, cell=SIDE), quality=90)


def _close_ups(pictures: PictureSet, label: int, item: DefectClass) -> list[tuple[Pixels, Pixels]]:
    """Cut random objects of a class out with surroundings: as they are, and with their masks outlined."""
    own = [instance for instance in pictures.instances if instance.label == label]
    found = []
    for number in rng.generator(0, "picture", label).permutation(len(own))[:COUNT]:
        image, mask = pictures.dataset.image(own[number].position), own[number].mask
        rows, columns = surroundings(box(mask), height=image.shape[0], width=image.shape[1])
        outlined = mark(image, decode(mask)[None], [item])
        found.append((image[rows, columns], outlined[rows, columns]))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("records", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--drawn-only", action="store_true")
    given = parser.parse_args()
    picture(given.workspace, given.records, given.out, real=not given.drawn_only)
