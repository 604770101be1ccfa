"""Part a workspace into two lines by the names of its images; each keeps its split, so no piece stands on both sides.

coigan-aug import magnetic-tile/ --workspace tiles --folds 2
python examples/translate_lines.py tiles --a 'exp[12]_' --b 'exp[56]_' --out lines

makes the workspaces lines/a and lines/b: magnetic tiles at exposures 1 and 2, and at 5 and 6. `import` put the photographs of
one piece, at whatever exposure, on one side of the split.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset


def main() -> None:
    """Write both workspaces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--a", required=True, help="regular expression that the names of line A's images hold")
    parser.add_argument("--b", required=True, help="the same of line B")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    dataset = Dataset(given.workspace / "dataset")
    for name, pattern in (("a", given.a), ("b", given.b)):
        chosen = [record for record in dataset if re.search(pattern, record.file)]
        write_dataset(
            given.out / name / "dataset", chosen, classes=dataset.classes, image_root=dataset.image_root,
            provenance={"format": "part", "of": str(given.workspace), "images": pattern},
        )  # fmt: skip
        sides = {side: sum(record.split == side for record in chosen) for side in ("train", "test")}
        print(f"{given.out / name}: {sides['train']} images for training, {sides['test']} for testing")


if __name__ == "__main__":
    main()
