"""Measure the near-duplicate groups and the split on the magnetic-tile set against its file names.

    python examples/measure_groups.py DATA_FOLDER

By name, a piece is a run of images whose number rises by less than 150 while the exposure (exp1 to exp6) rises. That rule
cuts some pieces in two (photographed twice, or with a pause) and mixes pieces that were photographed in turns. So pairs
of one name group that the found groups tear are printed with their agreement: different pieces stay below 0.4.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

import numpy as np

from coigan_aug import rng
from coigan_aug.prepare.groups import agreements, find_groups
from coigan_aug.prepare.split import siblings_across, split_groups


def groups_by_name(names: list[str]) -> list[str]:
    """Return the group of each image by exposure and number."""
    keys = [
        (int(number), int(exposure))
        for exposure, number in (re.findall(r"exp(\d)_num_(\d+)", name)[0] for name in names)
    ]
    order = sorted(range(len(names)), key=lambda k: keys[k])
    groups, current = [""] * len(names), order[0]
    for before, now in zip([order[0], *order], order, strict=False):
        (number, exposure), (last, exposed) = keys[now], keys[before]
        if exposure <= exposed or number - last >= 150:
            current = now
        groups[now] = names[current]
    return groups


def random_split(count: int, *, share: float, seed: int) -> list[str]:
    """Split single images at random."""
    train = rng.generator(seed, "random split").permutation(count) < round(share * count)
    return np.where(train, "train", "test").tolist()


def leaks(groups: list[str], split: list[str], defect: list[bool]) -> str:
    """Say which share of the test images, all and defective, have an image of their group in train."""
    train = {group for group, side in zip(groups, split, strict=True) if side == "train"}
    tested = [group in train for group, side, bad in zip(groups, split, defect, strict=True) if bad and side == "test"]
    return f"{siblings_across(groups, split):6.1%} of all, {np.mean(tested):6.1%} of those with a defect"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder that holds MT_Blowhole/Imgs and so on")
    folder = parser.parse_args().folder
    paths = sorted(folder.glob("MT_*/Imgs/*.jpg"))
    names = [path.relative_to(folder).as_posix() for path in paths]
    named, found = groups_by_name(names), find_groups(paths, names)
    rows, columns = np.triu_indices(len(names), 1)
    by_name = np.array(named)[rows] == np.array(named)[columns]
    by_look = np.array(found)[rows] == np.array(found)[columns]
    print(f"images {len(names)}, groups by name {len(set(named))}, groups found {len(set(found))}")
    print("largest groups", [size for _, size in Counter(found).most_common(6)])
    both = (by_look & by_name).sum()
    print(f"pair precision {both / by_look.sum():.1%}, pair recall {both / by_name.sum():.1%}")
    torn = np.stack([rows, columns], axis=1)[by_name & ~by_look]
    print(
        f"torn pairs of one name group: {len(torn)}, their agreement at most {agreements(paths, torn).max(initial=-1):.2f}"
    )
    classes = [name.split("/")[0] for name in names]
    defects = sorted(set(classes) - {"MT_Free"})
    counts = np.array([[item == label for label in defects] for item in classes], np.int64)
    bad = [item in defects for item in classes]
    print("test images with a sibling in train:")
    for seed in range(5):
        split = split_groups(found, counts, share=0.8, seed=seed)
        print(
            f"  our split, seed {seed}: by name {leaks(named, split, bad)}; by found groups {siblings_across(found, split):.1%}"
        )
        split = random_split(len(names), share=0.8, seed=seed)
        print(f"  random,    seed {seed}: by name {leaks(named, split, bad)}")


if __name__ == "__main__":
    main()
