"""Write the part of a synthetic set whose images hold defects of the named classes only, as an arm for `evaluate benefit`.

python examples/keep_classes.py coigan/synthetic/NAME OUT blowhole crack
coigan-aug evaluate benefit --engines duplicates --arm local=OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset


def keep_classes(source: Path, out: Path, names: set[str]) -> int:
    """Write the records of `source` that hold no other class, and return how many they are."""
    dataset = Dataset(source)
    kept = [record for record in dataset if {annotation.label for annotation in record.annotations} <= names]
    provenance = dict(dataset.manifest["provenance"]) | {"kept": sorted(names)}
    write_dataset(out, kept, classes=dataset.classes, image_root=dataset.image_root, provenance=provenance)
    return len(kept)


if __name__ == "__main__":
    print(keep_classes(Path(sys.argv[1]), Path(sys.argv[2]), set(sys.argv[3:])), "images kept")
