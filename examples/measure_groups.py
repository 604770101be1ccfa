"""Measure the near-duplicate groups and the split on the magnetic-tile set against its file names.

    python examples/measure_groups.py DATA_FOLDER

By name, a piece is a run of images whose number rises by less than 150 while the exposure (exp1 to exp6) rises. That rule
cuts some pieces in two (photographed twice, or with a pause) and mixes pieces that were photographed in turns. So pairs
of one name group that the found groups tear are printed with their agreement: different pieces stay below 0.4. Of the
35 found groups that join several name groups each was looked at: each shows one piece, so what the table calls a lack of
precision at the default is the names' own. The precision that counts is lost where the curve falls below that level.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from coigan_aug import rng
from coigan_aug.data.counting import object_areas, object_counts
from coigan_aug.data.groups import SAME, SAME_NEIGHBOURS, agreements, find_links, join_links
from coigan_aug.data.kept_links import Links
from coigan_aug.data.split import largest_deviation, share_of_clean, siblings_across, split_groups
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.source import Problems, ReadOptions


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


def thresholds() -> Iterator[tuple[float, float]]:
    """Yield levels of agreement to try, in general and for neighbours by name."""
    yield from (
        (level, min(level, SAME_NEIGHBOURS)) for level in (0.25, 0.3, 0.35, 0.4, 0.5, SAME, 0.65, 0.75, 0.85, 0.95)
    )
    yield from ((SAME, level) for level in (0.25, 0.3, 0.35, 0.4, 0.5, SAME))
    yield from ((level, level) for level in (0.65, 0.75, 0.85, 0.95))


def print_table(names: list[str], named: list[str], links: Links) -> None:
    """Print how groups by their looks agree with groups by name, pair by pair, over levels of agreement."""
    rows, columns = np.triu_indices(len(names), 1)
    by_name = np.array(named)[rows] == np.array(named)[columns]
    print("compared pairs by agreement:", end="")
    counts = np.histogram(links.alike, bins=np.linspace(0, 1, 11))[0]
    print(*(f"  {k / 10:.1f}-{(k + 1) / 10:.1f}: {count}" for k, count in enumerate(counts)))
    print("| from | neighbours from | groups | largest | pair precision | pair recall |\n|---|---|---|---|---|---|")
    for same, near in thresholds():
        found = join_links(names, links, same=same, same_neighbours=near)
        by_look = np.array(found)[rows] == np.array(found)[columns]
        both, largest = (by_look & by_name).sum(), Counter(found).most_common(1)[0][1]
        rates = f"{both / max(by_look.sum(), 1):.1%} | {both / by_name.sum():.1%}"
        default = " (default)" if (same, near) == (SAME, SAME_NEIGHBOURS) else ""
        print(f"| {same:.2f}{default} | {near:.2f} | {len(set(found))} | {largest} | {rates} |")


def print_splits(groups: list[str], counts: np.ndarray, *, what: str) -> None:
    """Print what shares of each class' objects, images and of the defect-free images a split reaches."""
    print(f"{what}: how far a class is from its share at most, in points")
    for share in (0.8, 0.5):
        for seed in range(3):
            split = split_groups(groups, counts, share=share, seed=seed)
            objects = 100 * largest_deviation(counts, split, share=share)
            images = 100 * largest_deviation((counts > 0).astype(np.int64), split, share=share)
            clean = share_of_clean(counts, split)
            print(
                f"  {share}, seed {seed}: objects {objects:.2f}, images {images:.2f}; defect-free in train {clean:.1%}"
            )


def severstal_like() -> np.ndarray:
    """Draw a table of 12,568 images and 4 classes as often as Severstal's, one mask for each."""
    return (np.random.default_rng(0).random((12_568, 4)) < [0.0714, 0.0197, 0.4099, 0.0637]).astype(np.int64)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder that holds MT_Blowhole/Imgs and so on")
    folder = parser.parse_args().folder
    paths = sorted(folder.glob("MT_*/Imgs/*.jpg"))
    names = [path.relative_to(folder).as_posix() for path in paths]
    named, links = groups_by_name(names), find_links(paths, names)
    found = join_links(names, links)
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
    source = open_source(folder, options=ReadOptions(), problems=Problems())
    records = sorted(source.records, key=lambda record: names.index(record.file))
    counts = object_counts(object_areas(records, source.classes))
    bad = [not name.startswith("MT_Free") for name in names]
    print_table(names, named, links)
    print_splits(found, counts, what="magnetic-tile, 217 groups")
    print_splits([f"{k:05d}" for k in range(12_568)], severstal_like(), what="a table like Severstal's, no groups")
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
