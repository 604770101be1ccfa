"""Does it help? Segmenters trained on real images, alone and with what an arm adds, looked at on held-out images."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import torch

from coigan_aug.errors import Stopped
from coigan_aug.evaluation.arms import Arm, Bench, load_tally, run_arm, tally_file
from coigan_aug.evaluation.tally import Tally
from coigan_aug.progress import Report, silent
from coigan_aug.signals import StopRequest, end_with_parent


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

        def told(done: int, total: int, note: str = "", *, before: int = n * steps, says: str = task.says) -> None:
            if stop.signal_number:
                raise _stopped(stop)
            tell(before + done, says)

        run_arm(benches[task.fold], task.arm, task.seed, device=device, report=told)


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
