"""Which run is taken where none is named, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from coigan_aug.errors import DataError
from coigan_aug.sealed import write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.run import Machine, Run, RunEnd, begin_run, find_run, usual_run, why_taken

MACHINE = Machine(device="cpu", bfloat16=False, threads=1)


def begin(root: Path, toy: Dataset, small: Settings, *, saved: int | None = None, finished: bool = False) -> Run:
    """Begin a run; with `saved` a checkpoint of so many samples and a generator lie there, of which only the names count."""
    run = begin_run(root, recipe="tiny", settings=small, dataset=toy, machine=MACHINE, command="coigan-aug train")
    if saved is not None:
        run.checkpoints.mkdir()
        for images in (saved // 2, saved):
            (run.checkpoints / f"{images:012d}-{0:012d}-{'0' * 16}.pt").touch()
        run.generator.touch()
    if finished:
        write_sealed(run.folder / "run.json", RunEnd(images=saved or 0, generator=run.generator.name))
    return run


def test_a_finished_run_is_taken_before_a_newer_one_that_is_not_and_said_so(
    toy: Dataset, small: Settings, tmp_path: Path
) -> None:
    assert (usual_run(tmp_path), why_taken(tmp_path)) == (None, "")
    begun = begin(tmp_path, toy, small, saved=8)
    assert find_run(tmp_path, None) == usual_run(tmp_path) == begun
    assert why_taken(tmp_path) == "run 001-tiny is taken; it is not finished (8 samples seen so far)."
    whole = begin(tmp_path, toy, small, saved=24, finished=True)
    assert (usual_run(tmp_path), why_taken(tmp_path)) == (whole, "")
    bare = begin(tmp_path, toy, small)
    assert usual_run(tmp_path) == whole
    assert why_taken(tmp_path) == "run 002-tiny is taken; 003-tiny is newer, but not finished."
    bare.generator.touch()
    assert find_run(tmp_path, None) == whole
    assert why_taken(tmp_path).endswith("003-tiny is newer, but not finished (--run 003-tiny takes it).")
    assert find_run(tmp_path, "3") == bare
    last = begin(tmp_path, toy, small, saved=4, finished=True)
    assert (usual_run(tmp_path), why_taken(tmp_path)) == (last, "")


def test_a_run_that_has_just_begun_has_seen_nothing_and_draws_nothing(
    toy: Dataset, small: Settings, tmp_path: Path
) -> None:
    run = begin(tmp_path, toy, small)
    assert (run.saved, run.seconds(), run.end()) == (0, None, None)
    with pytest.raises(DataError, match="no trained generator yet"):
        find_run(tmp_path, None)
