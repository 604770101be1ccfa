"""How many processors may be used: what is said and what is allowed, the least of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coigan_aug.processors import usable_processors


@pytest.fixture(autouse=True)
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)))


@pytest.mark.parametrize(
    ("environment", "files", "count"),
    [
        ({}, {}, 16),
        ({"OMP_NUM_THREADS": "4"}, {}, 4),
        ({"OMP_NUM_THREADS": "4,2"}, {}, 4),
        ({"OMP_NUM_THREADS": "many"}, {}, 16),
        ({"OMP_NUM_THREADS": "0"}, {}, 16),
        ({"OMP_NUM_THREADS": "64"}, {}, 16),
        ({"SLURM_CPUS_PER_TASK": "8"}, {}, 8),
        ({"SLURM_CPUS_PER_TASK": "8", "OMP_NUM_THREADS": "2"}, {}, 2),
        ({}, {"cpu.max": "max 100000\n"}, 16),
        ({}, {"cpu.max": "250000 100000\n"}, 2),
        ({}, {"cpu.max": "50000 100000\n"}, 1),
        ({}, {"cpu.max": "nonsense\n"}, 16),
        ({}, {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({}, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
    ],
)
def test_the_least_of_what_is_said_and_allowed(
    tmp_path: Path, environment: dict[str, str], files: dict[str, str], count: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_processors(environment, cgroups=tmp_path) == count
