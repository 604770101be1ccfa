"""How fast this machine trains the segmenter: decides the precision, and the steps that a time budget allows."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from itertools import pairwise

import torch

from coigan_aug.evaluation.arms import REAL, Arm, Bench
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.scoring import class_counts

STEPS = 6


@dataclass(frozen=True, slots=True)
class Speed:
    """Convolutions in bfloat16 or not, seconds for a training step, seconds for scoring all held-out images."""

    bfloat16: bool
    step: float
    scoring: float


def measure_speed(bench: Bench, *, device: torch.device) -> Speed:
    """Train some steps in both precisions, score some images; takes a few seconds for the small segmenter."""
    kinds = {kind: _step_seconds(bench, device, bfloat16=kind) for kind in (False, True)}
    bfloat16 = kinds[True] < 0.9 * kinds[False]
    few = (*bench.defective, *bench.clean)[:: max(len(bench.defective) // 5, 1)][:10]
    network = _network(bench).to(device).eval()
    begun = time.perf_counter()
    class_counts(network, bench.test, few, device=device, binary=bench.settings.evaluate.binary)
    each = (time.perf_counter() - begun) / len(few)
    return Speed(bfloat16, kinds[bfloat16], each * (len(bench.defective) + len(bench.clean)))


def steps_within(minutes: float, speed: Speed, *, trainings: int, jobs: int) -> int:
    """Return how many steps each training may take so that all end within the budget; at least 1.

    >>> steps_within(10, Speed(True, 0.1, 5.0), trainings=25, jobs=1)
    190
    """
    each = 60 * minutes * min(jobs, trainings) / trainings
    return max(int((each - speed.scoring) / speed.step), 1)


def _network(bench: Bench) -> torch.nn.Module:
    evaluate = bench.settings.evaluate
    return build_segmenter(evaluate, 1 if evaluate.binary else bench.real.classes, seed=0)


def _step_seconds(bench: Bench, device: torch.device, *, bfloat16: bool) -> float:
    """Return the median seconds between steps; the first is left out, it allocates."""
    evaluate = dataclasses.replace(bench.settings.evaluate, steps=STEPS)
    mixture, marks = bench.mixture(Arm(REAL, 0.0, REAL)), []

    def note(done: int, total: int, note: str = "") -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        marks.append(time.perf_counter())

    fit(
        _network(bench), lambda step: mixture.batch(0, step, size=evaluate.batch), evaluate, device=device,
        bfloat16=bfloat16, report=note,
    )  # fmt: skip
    gaps = sorted(b - a for a, b in pairwise(marks))
    return gaps[len(gaps) // 2]
