"""Measure the near-duplicate groups and the split on the magnetic-tile set against its file names.

    python examples/measure_groups.py DATA_FOLDER

A piece was photographed at up to six exposures; by name it is a run of images whose number rises by less than 150 while
the exposure (exp1 to exp6) rises. That rule pairs some different pieces, so pairs that don't correlate at all (below 0.2)
are listed apart.
"""

from __future__ import annotations

import argparse
import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from coigan_aug.imaging import read_thumbnail
from coigan_aug.prepare.groups import correlation, find_groups, textures_of
from coigan_aug.prepare.split import siblings_across, split_groups


def groups_by_name(names: list[str]) -> list[int]:
    """Return the group of each image by exposure and number."""
    parts = [re.search(r"exp(\d)_num_(\d+)", name) for name in names]
    keys = [(int(m[2]), int(m[1])) for m in parts if m]
    order = sorted(range(len(names)), key=lambda k: keys[k])
    groups, current = [0] * len(names), 0
    for before, now in pairwise(order):
        rises = keys[now][1] > keys[before][1] and keys[now][0] - keys[before][0] < 150
        current += not rises
        groups[now] = current
    return groups


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    paths = sorted(folder.glob("MT_*/Imgs/*.jpg"))
    names = [str(path.relative_to(folder)) for path in paths]
    named, found = groups_by_name(names), find_groups(paths, names)
    rows, columns = np.triu_indices(len(names), 1)
    same_name = np.array(named)[rows] == np.array(named)[columns]
    same = np.array(found)[rows] == np.array(found)[columns]
    textures = textures_of(np.stack([read_thumbnail(path, size=64) for path in paths]))
    missed = np.stack([rows, columns], axis=1)[same_name & ~same]
    alike = correlation(textures, missed) >= 0.2
    sizes = np.unique(found, return_counts=True)[1]
    print(f"images {len(names)}, groups by name {len(set(named))}, found {len(sizes)}, largest {sizes.max()}")
    print(f"pairs of one name group that are in one found group: {(same & same_name).sum() / same_name.sum():.1%}")
    print(f"pairs of one found group that are in one name group: {(same & same_name).sum() / same.sum():.1%}")
    print(f"pairs of one name group torn: {len(missed)}, of which alike: {alike.sum()}")
    defects = [re.sub(r"MT_(\w+)/.*", r"\1", name) for name in names]
    classes = sorted(set(defects) - {"Free"})
    counts = np.array([[item == label for label in classes] for item in defects], np.int64)
    for seed in range(5):
        split = split_groups(found, counts, share=0.8, seed=seed)
        leak = siblings_across([str(k) for k in named], split)
        own = siblings_across(found, split)
        print(f"seed {seed}: test images with a sibling in train: by name {leak:.1%}, by found groups {own:.1%}")
    shuffled = [np.random.default_rng(seed).permutation(split).tolist() for seed in range(20)]
    leaks = [siblings_across([str(k) for k in named], sides) for sides in shuffled]
    print(f"random splits: {np.mean(leaks):.1%} by name")


if __name__ == "__main__":
    main()
