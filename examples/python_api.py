"""The whole job from Python instead of the command line.

coigan-aug demo                                      # makes coigan-demo/ with a small model
python examples/python_api.py coigan-demo/coigan
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from coigan_aug import Workspace


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw a set in a workspace that has a run, look at it as a data set, and convert it."""
    parser = argparse.ArgumentParser(description="Use a workspace from Python.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--out", type=Path, default=Path("from-python"))
    given = parser.parse_args(arguments)
    workspace = Workspace(given.workspace, quiet=False)
    made = workspace.synthesize(per_class={"pit": 2, "scratch": 1}, out=given.out / "coco", engine="gan", screen=False)
    assert made is not None
    assert made.made is not None
    print(f"{made.made.images} images with {dict(made.made.defects)}, drawn with {made.run}: {made.page}")

    from coigan_aug.store.dataset import Dataset  # the records of what was made are a data set like any other

    for number, record in enumerate(Dataset(made.records)):
        masks = Dataset(made.records).masks(number)
        print(record.file, {name: int(mask.sum()) for name, mask in masks.items()}, "pixels")

    yolo = workspace.convert(source=made.records, out=given.out / "yolo", to="yolo")
    print(f"{yolo.masks} masks -> {yolo.annotations}; what YOLO could not hold: {[str(loss) for loss in yolo.losses]}")


if __name__ == "__main__":
    main()
