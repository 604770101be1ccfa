"""How fast this machine trains the segmenter: the steps that a time budget allows."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from itertools import pairwise

import torch

from coigan_aug.evaluation.arms import REAL, Arm, Bench
from coigan_aug.evaluation.tally import look
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit

STEPS = 6


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds for a training step, seconds for looking at all held-out images."""

    step: float
    scoring: float


def measure_speed(bench: Bench, *, device: torch.device) -> Speed:
    """Train some steps, look at some images; takes a few seconds for the small segmenter."""
    held = bench.held
    few = (*held.defective, *held.clean)[:: max(len(held.defective) // 5, 1)][:10]
    network = _network(bench).to(device).eval()
    begun = time.perf_counter()
    with torch.no_grad():
        for position in few:
            look(network, held.test, position, device=device)
    each = (time.perf_counter() - begun) / len(few)
    images = len(held.defective) + len(held.clean) + len(held.train_clean)
    return Speed(_step_seconds(bench, device), each * images)


def steps_within(minutes: float, speed: Speed, *, trainings: int, jobs: int) -> int:
    """Return how many steps each training may take so that all end within the budget; at least 1.

    >>> steps_within(10, Speed(0.1, 5.0), trainings=25, jobs=1)
    190
    """
    each = 60 * minutes * min(jobs, trainings) / trainings
    return max(int((each - speed.scoring) / speed.step), 1)


def _network(bench: Bench) -> torch.nn.Module:
    evaluate = bench.settings.evaluate
    return build_segmenter(evaluate, 1 if evaluate.binary else bench.real.classes, seed=0)


def _step_seconds(bench: Bench, device: torch.device) -> float:
    """Return the median seconds between steps; the first is left out, it allocates."""
    evaluate = dataclasses.replace(bench.settings.evaluate, steps=STEPS)
    mixture, marks = bench.mixture(Arm((REAL,), 0.0, REAL)), []

    def note(done: int, total: int, note: str = "") -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        marks.append(time.perf_counter())

    fit(
        _network(bench), lambda step: mixture.batch(0, step, size=evaluate.batch), evaluate, device=device, report=note,
    )  # fmt: skip
    gaps = sorted(b - a for a, b in pairwise(marks))
    return gaps[len(gaps) // 2]
