"""How many processors may be used: what is said and what is allowed, the least of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from coigan_aug.processors import OPENCV, limit_opencv, usable_processors


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


@pytest.mark.parametrize(("said", "given", "count"), [("3", "", "3"), ("3", "5", "5"), ("1", "", "1")])
def test_opencv_takes_as_many_threads_as_are_said_or_what_somebody_gave_it(said: str, given: str, count: str) -> None:
    """OpenCV counts the machine's processors by itself, whatever OMP_NUM_THREADS says."""
    environment = {**os.environ, "OMP_NUM_THREADS": said, OPENCV: given}
    limit_opencv(environment)
    code = "import cv2; print(cv2.getNumThreads())"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == count


def test_the_command_line_limits_opencv_before_it_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; import coigan_aug.cli.main as cli; assert 'cv2' not in sys.modules\n"
        "cli.run = lambda app: __import__('cv2').getNumThreads(); cli.main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != OPENCV} | {"OMP_NUM_THREADS": "1"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=False).returncode == 1
