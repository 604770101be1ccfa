"""Does it help? Segmenters trained on real images, alone and with what an arm adds, and tested on held-out images.

A time budget is turned into steps by how fast this machine trains one.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise

import torch

from coigan_aug.errors import Stopped
from coigan_aug.evaluation.arms import REAL, Arm, Bench, load_tally, run_arm, tally_file
from coigan_aug.evaluation.tally import Tally, look
from coigan_aug.log import detail
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.signals import StopRequest, end_with_parent

STEPS = 6


@dataclass(frozen=True)
class Training:
    """One training: in which fold (from 0), of which arm, with which seed."""

    fold: int
    arm: Arm
    seed: int

    @property
    def says(self) -> str:
        """What a progress bar calls it."""
        return f"{self.arm.name}, seed {self.seed}, fold {self.fold + 1}"


def run_arms(
    benches: Sequence[Bench], arms: Sequence[Arm], seeds: Sequence[int], *, device: torch.device, jobs: int,
    stop: StopRequest, report: Report = silent,
) -> dict[tuple[str, int, int], Tally]:  # fmt: skip
    """Train and score every arm with every seed in every fold, seed by seed; what is on disk already is not done again.

    Args:
        benches: one for each fold.
        jobs: trainings at the same time, each in a process and on a thread of its own; 1 stays in this process.
        report: is told steps, those of all trainings together.

    Returns:
        The tallies by arm's name, fold and seed.

    Raises:
        Stopped: Ctrl-C or SIGTERM; what is finished is kept.
    """
    tasks = [Training(fold, arm, seed) for seed in seeds for fold in range(len(benches)) for arm in arms]
    missing = [task for task in tasks if not tally_file(benches[task.fold], task.arm, task.seed).exists()]
    detail(f"{len(tasks) - len(missing)} of {len(tasks)} trainings are kept in {benches[0].folder.parent}")
    steps = benches[0].settings.evaluate.steps
    done = (len(tasks) - len(missing)) * steps
    report(done, len(tasks) * steps)
    run = _in_processes if jobs > 1 and len(missing) > 1 else _one_by_one
    run(benches, missing, device, jobs, stop, lambda n, note="": report(done + n, len(tasks) * steps, note))
    return {(t.arm.name, t.fold, t.seed): load_tally(benches[t.fold], t.arm, t.seed) for t in tasks}


def _one_by_one(
    benches: Sequence[Bench], tasks: Sequence[Training], device: torch.device, jobs: int, stop: StopRequest,
    tell: Callable[..., None],
) -> None:  # fmt: skip
    steps = benches[0].settings.evaluate.steps
    for n, task in enumerate(tasks):

        def advance(done: int, total: int, note: str = "", *, before: int = n * steps, says: str = task.says) -> None:
            if stop.signal_number:
                raise _stopped(stop)
            tell(before + done, says)

        run_arm(benches[task.fold], task.arm, task.seed, device=device, report=advance)


def _stopped(stop: StopRequest) -> Stopped:
    return Stopped(
        "Stopped; every finished training is kept.",
        signal_number=stop.signal_number,
        remedy="Continue with the same command.",
    )


def _in_processes(
    benches: Sequence[Bench], tasks: Sequence[Training], device: torch.device, jobs: int, stop: StopRequest,
    tell: Callable[..., None],
) -> None:  # fmt: skip
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_process) as pool:
        futures: list[Future[None]] = [
            pool.submit(_in_process, benches[task.fold], task.arm, task.seed, str(device)) for task in tasks
        ]
        try:
            for n, future in enumerate(as_completed(futures)):
                future.result()
                tell((n + 1) * benches[0].settings.evaluate.steps)
                if stop.signal_number:
                    raise _stopped(stop)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin_process() -> None:
    """Leave Ctrl-C to the parent, end with it, and take one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    torch.set_num_threads(1)


def _in_process(bench: Bench, arm: Arm, seed: int, device: str) -> None:
    run_arm(bench, arm, seed, device=torch.device(device))


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
