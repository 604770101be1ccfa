"""How many processors this process may use: not how many the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OPENCV = "OPENCV_FOR_THREADS_NUM"
_SAID = ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")


def usable_processors(environment: Mapping[str, str] = os.environ, *, cgroups: Path = CGROUPS) -> int:
    """Return the least of what is said and what is allowed, at least 1.

    What is said: OMP_NUM_THREADS (its first number), SLURM_CPUS_PER_TASK. What is allowed: the processors that the
    scheduler may put this process on, and the share of time that its container has (cgroup v2 `cpu.max`, v1
    `cpu.cfs_quota_us`; 1.5 processors count as 1).
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share_of_time(cgroups)
    said = [int(text) for name in _SAID if (text := environment.get(name, "").partition(",")[0].strip()).isdigit()]
    return max(min([allowed, *([math.floor(share)] if share else []), *(n for n in said if n)]), 1)


def limit_opencv(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenCV, once it is loaded, use no more threads than `usable_processors`; it looks at none of that itself.

    A number that somebody gave it stays. NumPy and torch obey OMP_NUM_THREADS by themselves.
    """
    if not environment.get(OPENCV):
        environment[OPENCV] = str(usable_processors(environment))


def _share_of_time(cgroups: Path) -> float | None:
    """Return how many processors' time the container has; None where there is no limit or nothing says so."""
    try:
        quota, period = (cgroups / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroups / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroups / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None
