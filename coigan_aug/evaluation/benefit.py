"""Does it help? Segmenters trained on real images, alone and with what an arm adds, on held-out images; and what it says."""

from __future__ import annotations

import math
import multiprocessing
import signal
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from coigan_aug.errors import Stopped
from coigan_aug.evaluation.arms import DUPLICATES, REAL, Arm, Bench, Score, load_score, run_arm, score_file
from coigan_aug.evaluation.bootstrap import Draws, Interval, by_group, class_scores, draw, interval, mean_over_classes
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.scoring import dice
from coigan_aug.signals import StopRequest, end_with_parent

Scores = Mapping[tuple[str, int], Score]


def run_arms(
    bench: Bench, arms: Sequence[Arm], seeds: Sequence[int], *, device: torch.device, bfloat16: bool, jobs: int,
    stop: StopRequest, report: Report = silent,
) -> dict[tuple[str, int], Score]:  # fmt: skip
    """Train and score every arm with every seed, seed by seed; what is on disk already is not done again.

    Args:
        jobs: trainings at the same time, each in a process and on a thread of its own; 1 stays in this process.

    Raises:
        Stopped: Ctrl-C or SIGTERM; what is finished is kept.
    """
    tasks = [(arm, seed) for seed in seeds for arm in arms]
    missing = [(arm, seed) for arm, seed in tasks if not score_file(bench, arm, seed).exists()]
    done = len(tasks) - len(missing)
    report(done, len(tasks))
    run = _in_processes if jobs > 1 and len(missing) > 1 else _one_by_one
    run(bench, missing, device, bfloat16, jobs, stop, lambda n, note="": report(done + n, len(tasks), note))
    return {(arm.name, seed): load_score(score_file(bench, arm, seed)) for arm, seed in tasks}


def _one_by_one(
    bench: Bench, tasks: Sequence[tuple[Arm, int]], device: torch.device, bfloat16: bool, jobs: int, stop: StopRequest,
    tell: Callable[..., None],
) -> None:  # fmt: skip
    for n, (arm, seed) in enumerate(tasks):
        tell(n, f"{arm.name}, seed {seed}")
        run_arm(bench, arm, seed, device=device, bfloat16=bfloat16, report=_stopping(stop))
        tell(n + 1)


def _stopping(stop: StopRequest) -> Report:
    def check(done: int, total: int, note: str = "") -> None:
        if stop.signal_number:
            raise _stopped(stop)

    return check


def _stopped(stop: StopRequest) -> Stopped:
    return Stopped(
        "Stopped; every finished training is kept.",
        signal_number=stop.signal_number,
        remedy="Continue with the same command.",
    )


def _in_processes(
    bench: Bench, tasks: Sequence[tuple[Arm, int]], device: torch.device, bfloat16: bool, jobs: int, stop: StopRequest,
    tell: Callable[..., None],
) -> None:  # fmt: skip
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_process) as pool:
        futures: list[Future[None]] = [
            pool.submit(_in_process, bench, arm, seed, str(device), bfloat16) for arm, seed in tasks
        ]
        try:
            for n, future in enumerate(as_completed(futures)):
                future.result()
                tell(n + 1)
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


def _in_process(bench: Bench, arm: Arm, seed: int, device: str, bfloat16: bool) -> None:
    run_arm(bench, arm, seed, device=torch.device(device), bfloat16=bfloat16)


def summarise(bench: Bench, arms: Sequence[Arm], seeds: Sequence[int], scores: Scores, *, about: str) -> dict[str, Any]:
    """Put the scores together: arms with intervals, paired differences, the best other arm, the verdict.

    Everything is over the held-out images with a defect, pixels pooled over them for each class, and the mean over the
    classes; both the test groups and the seeds are drawn anew for the intervals.

    Args:
        about: the source that the verdict is about, "gan" as a rule. Where several shares were tried the verdict is
            about the first of them, so that it is not the best of several looks at the same test images.
    """
    dataset, names = (
        bench.test.dataset,
        ["defect"] if bench.settings.evaluate.binary else list(bench.real.dataset.names),
    )
    groups = [dataset[p].group or dataset[p].file for p in bench.defective]
    order = sorted(set(groups))
    strata = _strata(bench, groups, order)
    draws = draw(strata, len(seeds), seed=bench.settings.evaluate.seed)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # a draw in which a class has no pixel is left out, not an error
        by_class = {
            arm.name: class_scores(
                np.stack([by_group(scores[arm.name, seed].counts, groups, order) for seed in seeds]), draws
            )
            for arm in arms
        }
        rows = [_arm_row(arm, by_class[arm.name], seeds, scores, names) for arm in arms]
        main = next((arm for arm in arms if arm.source == about), None)
        rivals = [arm for arm in arms if main and arm.source != about and arm.share in (0.0, main.share)]
        best = max(rivals, key=lambda arm: float(np.nanmean(by_class[arm.name][0])), default=None)
        pairs = [(arm, other) for arm in arms for other in arms if _compared(arm, other, best)]
        differences = [row for a, b in pairs for row in _difference_rows(a, b, by_class, names)]
    return {
        "classes": names,
        "groups": {"test_defective": len(order)},
        "images": {"train": len(bench.real.positions), "test_defective": len(groups), "test_clean": len(bench.clean)},
        "steps": bench.settings.evaluate.steps,
        "seeds": list(seeds),
        "arms": rows,
        "differences": differences,
        "about": main.name if main else None,
        "best_other": best.name if best else None,
        "verdict": _verdict(main, best, differences, seeds=len(seeds), groups=len(order)),
    }


def _compared(arm: Arm, other: Arm, best: Arm | None) -> bool:
    """Compare everything with real alone, synthetic arms with duplicates of their share, and all with the best other arm."""
    if arm == other or arm.source == REAL:
        return False
    twin = other.source == DUPLICATES and other.share == arm.share
    return other.source == REAL or twin or (other == best and arm.source != DUPLICATES)


def _strata(bench: Bench, groups: Sequence[str], order: Sequence[str]) -> list[str]:
    """Name the stratum of each group: the rarest of its classes, by groups."""
    own: dict[str, set[str]] = {name: set() for name in order}
    for position, name in zip(bench.defective, groups, strict=True):
        own[name] |= {annotation.label for annotation in bench.test.dataset[position].annotations}
    how_many = {label: sum(label in labels for labels in own.values()) for label in bench.real.dataset.names}
    return [min(own[name], key=lambda label: (how_many[label], label)) for name in order]


def _arm_row(
    arm: Arm,
    by_class: np.ndarray[Any, np.dtype[np.float64]],
    seeds: Sequence[int],
    scores: Scores,
    names: Sequence[str],
) -> dict[str, Any]:
    own = [scores[arm.name, seed] for seed in seeds]
    dices = np.stack([dice(score.counts.sum(axis=0)) for score in own])
    from_seed = [class_scores(score.counts.sum(axis=0)[None, None], _once()) for score in own]
    return {
        "name": arm.name,
        "source": arm.source,
        "share": arm.share,
        "mean_iou": asdict(interval(mean_over_classes(by_class))),
        "mean_dice": number(float(np.nanmean(dices))),
        "iou": named(names, by_class[0]),
        "dice": named(names, np.nanmean(dices, axis=0)),
        "clean_false_positives": number(
            sum(score.clean_predicted for score in own) / max(sum(score.clean_pixels for score in own), 1)
        ),
        "by_seed": [
            {"seed": seed, "mean_iou": number(float(np.nanmean(values))), "iou": named(names, values[0])}
            for seed, values in zip(seeds, from_seed, strict=True)
        ],
    }


def _once() -> Draws:
    return Draws(np.ones((1, 1)), np.ones((1, 1)))


def _difference_rows(
    arm: Arm, other: Arm, by_class: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]], names: Sequence[str]
) -> list[dict[str, Any]]:
    change = by_class[arm.name] - by_class[other.name]
    pair = {"arm": arm.name, "against": other.name}
    total = mean_over_classes(by_class[arm.name]) - mean_over_classes(by_class[other.name])
    rows = [pair | {"class": None} | asdict(interval(total))]
    for k, name in enumerate(names):
        if np.isfinite(change[0, k]):
            rows.append(pair | {"class": name} | asdict(interval(change[:, k])))
    return rows


def _verdict(
    main: Arm | None, best: Arm | None, differences: Sequence[Mapping[str, Any]], *, seeds: int, groups: int
) -> str:
    """Say in one sentence whether it helps; without a synthetic arm that could, say that nothing was asked."""
    if main is None or best is None:
        return "No synthetic arm was tested, so nothing is said about benefit."
    found = Interval(
        **{key: row[key] for row in differences for key in ("mean", "low", "high") if _is(row, main, best)}
    )
    against = f"{main.name} against the best other arm, {best.name}: {_points(found)}"
    basis = f"{seeds} seed{'s' * (seeds > 1)}, {groups} test groups"
    if found.low > 0:
        return f"Benefit: {against} ({basis})."
    if found.high < 0:
        return f"No benefit, it harms: {against} ({basis})."
    return f"No benefit shown: {against} ({basis}); the interval holds 0."


def _is(row: Mapping[str, Any], arm: Arm, other: Arm) -> bool:
    return bool(row["arm"] == arm.name and row["against"] == other.name and row["class"] is None)


def _points(found: Interval) -> str:
    return (
        f"{100 * found.mean:+.1f} points of mean IoU, 95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}"
    )


def named(names: Sequence[str], values: Sequence[float] | np.ndarray[Any, Any]) -> dict[str, float | None]:
    """Name values by class; a value that is not a number becomes None."""
    return {name: number(float(value)) for name, value in zip(names, values, strict=True)}


def number(value: float) -> float | None:
    """Return a value for JSON: None where it is not finite."""
    return value if math.isfinite(value) else None
