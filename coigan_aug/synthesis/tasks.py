"""Tasks: what is to be made, an image's number at a time; from counts, or from a plan that somebody gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from coigan_aug.errors import DataError
from coigan_aug.files import sha256
from coigan_aug.synthesis.counting import Together, share_out
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.plan import Planner
from coigan_aug.synthesis.rows import Reader, read_rows


@dataclass(frozen=True, slots=True)
class Task:
    """One number of a plan: the classes of its defects, and its jobs where they are given."""

    number: int
    labels: tuple[int, ...]
    jobs: tuple[Job, ...] = ()

    def first(self, planner: Planner) -> list[Job]:
        """Return the first try at it: what was given, or what the planner plans."""
        return list(self.jobs) or planner.plan(self.number, self.labels)


class Tasks(Protocol):
    """All tasks, in the order of their numbers; iterating anew gives them again, and holds few in memory.

    `name` tells apart what would be made of other tasks.
    """

    @property
    def name(self) -> str: ...

    def __iter__(self) -> Iterator[Task]: ...


@dataclass(frozen=True)
class Counted:
    """So many defects of each class, numbers from `first` on."""

    counts: tuple[int, ...]
    together: Together
    seed: int
    first: int = 1

    @property
    def name(self) -> str:
        """What these tasks depend on."""
        shares = ", ".join(f"{share:.6f}" for share in self.together.shares)
        return (
            f"counts {self.counts}, together {shares}, mixed {self.together.mixed}, seed {self.seed}, from {self.first}"
        )

    def __iter__(self) -> Iterator[Task]:
        for number, labels in enumerate(share_out(self.counts, self.together, seed=self.seed), start=self.first):
            yield Task(number, labels)


@dataclass(frozen=True)
class Given:
    """The jobs of a plan file, as they stand there; read when they are needed. `changed`: also where somebody edited them."""

    path: Path
    reader: Reader
    changed: bool = False

    @property
    def name(self) -> str:
        """What these tasks depend on."""
        return f"plan {sha256(self.path)}"

    def __iter__(self) -> Iterator[Task]:
        jobs = (self.reader.job(row, at, self.path.parent) for at, row in read_rows(self.path, changed=self.changed))
        for number, group in groupby(jobs, key=lambda job: job.number):
            together = tuple(group)
            yield Task(number, tuple(defect.label for job in together for defect in job.defects), together)


def check_given(tasks: Given) -> None:
    """See that a plan file can be made as it stands.

    Raises:
        DataError: it is empty, a line is wrong, or an image stands in it twice; the message says where.
    """
    seen: set[str] = set()
    for task in tasks:
        for job in task.jobs:
            if job.name in seen:
                raise DataError(
                    f"{tasks.path}: two lines have number {job.number} and part {job.part}.",
                    remedy="Give each line a number of its own, or further parts (1, 2, ...) below the first.",
                )
            seen.add(job.name)
    if not seen:
        raise DataError(f"{tasks.path} holds no jobs.")


def counted_labels(tasks: Tasks, classes: int) -> list[int]:
    """Count the defects of each class that tasks ask for."""
    counts = [0] * classes
    for task in tasks:
        for label in task.labels:
            counts[label] += 1
    return counts


def capped(counts: Sequence[int], together: Together, *, seed: int, first: int, most: int) -> Counted:
    """Return tasks of at most `most` images: the counts scaled down alike, at least one defect of a class that had any."""
    whole = Counted(tuple(counts), together, seed, first)
    share = 1.0
    while True:
        fewer = tuple(max(int(count * share), 1) if count else 0 for count in counts)
        tasks = Counted(fewer, together, seed, first)
        images = sum(1 for _ in tasks)
        if images <= most or sum(fewer) <= sum(count > 0 for count in counts):
            return whole if fewer == tuple(counts) else tasks
        share *= min(most / images, 0.99)
