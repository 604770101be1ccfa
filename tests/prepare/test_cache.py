"""The decoded cache is made once, also when two commands start at the same moment."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np

from coigan_aug.prepare.cache import open_cache
from coigan_aug.store.dataset import Dataset


def _open(folder: Path, root: Path, sums: object) -> None:
    dataset = Dataset(folder)
    cache = open_cache(dataset, range(len(dataset)), scale=0.5, root=root)
    sums.put([int(cache[position].sum()) for position in cache])  # type: ignore[attr-defined]


def test_two_processes_that_need_the_same_cache_both_get_it(toy: Dataset, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    sums = context.Queue()
    children = [context.Process(target=_open, args=(toy.folder, tmp_path, sums)) for _ in range(2)]
    for child in children:
        child.start()
    found = [sums.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert found[0] == found[1]
    assert np.all(found[0])
    assert len(list(tmp_path.glob("*/cache.json"))) == 1


def test_a_cache_that_was_left_half_made_is_made_anew(toy: Dataset, tmp_path: Path) -> None:
    """What is written last is missing: the pixels beside it are not to be trusted."""
    whole = open_cache(toy, [0, 1], scale=0.5, root=tmp_path / "whole")
    torn = tmp_path / "torn" / whole.folder.name
    torn.mkdir(parents=True)
    (torn / "pixels.bin").write_bytes(b"torn")
    made = open_cache(toy, [0, 1], scale=0.5, root=tmp_path / "torn")
    assert made.folder == torn
    assert all(np.array_equal(made[position], whole[position]) for position in (0, 1))
