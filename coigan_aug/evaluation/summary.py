"""The numbers of the benefit test: each arm's measures with intervals over pieces and seeds, differences, verdicts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from coigan_aug import rng as streams
from coigan_aug.evaluation.arms import DUPLICATES, REAL, Arm, engine_of
from coigan_aug.evaluation.measures import (
    ALARMS,
    CURVE,
    Scores,
    Thresholds,
    alarm_threshold,
    choose_thresholds,
    classes_of,
    confusion,
    measure_seed,
)
from coigan_aug.evaluation.numbers import (
    TITLES,
    ArmScores,
    Benefit,
    ByClass,
    Curve,
    Difference,
    Groups,
    Interval,
    InUse,
    SeedScores,
    number,
)
from coigan_aug.evaluation.tally import Tally

DECISIVE = {"finding": "pixel_ap", "naming": "ap"}
"""The measure that each verdict is about; it needs no threshold."""
BESIDE = {"finding": "found_10"}
"""The measure that is told besides where it says something else: a few large defects can decide the pixel AP."""
Tallies = Mapping[tuple[str, int, int], Tally]
"""By arm's name, fold (from 0) and seed."""
DRAWS = 2_000


@dataclass(frozen=True)
class Measured:
    """An arm's measures in each draw and for each seed: [D, S], those by class [D, S, K]."""

    values: Mapping[str, Scores]

    def over_seeds(self, name: str, draws: Draws) -> Scores:
        """Return the mean over the seeds that each draw takes: [D] or [D, K]."""
        return np.asarray(np.einsum("ds,ds...->d...", draws.seeds, self.values[name]))


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was measured: the arms, the seeds, how many folds, the classes' names, the seed of the intervals."""

    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    folds: int
    names: tuple[str, ...]
    seed: int


def summarise(question: Question, tallies: Tallies, *, about: str) -> Benefit:
    """Put the tallies together.

    Pieces are drawn anew within their fold and rarest class, seeds besides, for the intervals; an arm's AP is the mean over
    the folds, other measures pool what the folds counted.

    Args:
        about: the source that the verdicts are about, "gan" as a rule. Where several shares were tried they are about the
            first of them, so that it is not the best of several looks at the same test images.
    """
    arms, seeds, folds = question.arms, question.seeds, range(question.folds)
    first = [tallies[arms[0].name, fold, seeds[0]] for fold in folds]
    strata = [f"{fold} {name}" for fold, tally in enumerate(first) for name in strata_of(tally)]
    draws = draw(strata, len(seeds), seed=question.seed)
    weights = np.split(draws.groups, np.cumsum([len(tally.pieces) for tally in first])[:-1], axis=1)
    thresholds = {key: _threshold(question, tallies, *key) for key in product([arm.name for arm in arms], folds, seeds)}
    with warnings.catch_warnings():  # a draw in which a class has no pixel is left out, not an error
        warnings.simplefilter("ignore", RuntimeWarning)
        measured = {arm.name: measure(question, arm, tallies, thresholds, weights) for arm in arms}
        rows = [_arm_row(question, arm, measured[arm.name], draws, tallies, thresholds) for arm in arms]
        main = next((arm for arm in arms if about in arm.sources), None)
        best = _best_others(arms, main, measured, draws)
        pairs = [(arm, other) for arm, other in product(arms, arms) if _compared(arm, other, tuple(best.values()))]
        differences = [row for pair in pairs for row in _difference_rows(question, *pair, measured, draws)]
    verdicts = {kind: _verdict(kind, main, best[kind], differences) for kind in DECISIVE}
    pieces = sum(int((tally.defects[:, 1].sum(axis=1) > 0).sum()) for tally in first)
    trained = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed, whose own chance the interval leaves out"
    basis = f"{trained}, {pieces} test pieces with a defect"
    return Benefit(
        classes=list(question.names),
        folds=question.folds,
        seeds=list(seeds),
        pieces=dict(zip(question.names, np.sum([tally.pieces_of for tally in first], axis=0).tolist(), strict=True)),
        groups=Groups(test_defective=pieces),
        arms=rows,
        differences=differences,
        about=main.name if main else None,
        best_other=best["finding"].name if best["finding"] else None,
        best_other_naming=best["naming"].name if best["naming"] else None,
        verdicts=verdicts,
        verdict=(
            f"Finding: {verdicts['finding']}. Naming: {verdicts['naming']} ({basis})."
            if main and best["finding"]
            else "No synthetic arm was tested, so nothing is said about benefit."
        ),
    )


def _threshold(question: Question, tallies: Tallies, arm: str, fold: int, seed: int) -> Thresholds:
    others = [tallies[arm, other, seed] for other in range(question.folds) if other != fold]
    return choose_thresholds(tallies[arm, fold, seed], others)


def _best_others(
    arms: Sequence[Arm], main: Arm | None, measured: Mapping[str, Measured], draws: Draws
) -> dict[str, Arm | None]:
    """Return the best arm without what the verdict is about, of its share or none: by finding, and by naming."""
    own = {engine_of(source) for source in main.sources} if main else set()
    rivals = [] if main is None else [arm for arm in arms if own.isdisjoint(map(engine_of, arm.sources))]
    rivals = [arm for arm in rivals if main and arm.share in (0.0, main.share)]

    def level(name: str, arm: Arm) -> float:
        return float(mean_over_classes(measured[arm.name].over_seeds(name, draws))[0])

    return {kind: max(rivals, key=partial(level, name), default=None) for kind, name in DECISIVE.items()}


def strata_of(tally: Tally) -> list[str]:
    """Name the stratum of each piece: the rarest of its classes, by pieces; "clean" where it has none."""
    of_class = classes_of(tally)
    how_many = of_class.sum(axis=0)
    return [
        str(min(np.flatnonzero(classes), key=lambda k: how_many[k])) if classes.any() else "clean"
        for classes in of_class
    ]


def measure(
    question: Question, arm: Arm, tallies: Tallies, thresholds: Mapping[tuple[str, int, int], Thresholds],
    weights: Sequence[Scores],
) -> Measured:  # fmt: skip
    """Take every measure of an arm in each draw of pieces: `weights` [D, G] for each fold."""
    by_seed = [
        measure_seed(
            [tallies[arm.name, fold, seed] for fold in range(question.folds)],
            [thresholds[arm.name, fold, seed] for fold in range(question.folds)],
            weights,
        )
        for seed in question.seeds
    ]
    return Measured({name: np.stack([values[name] for values in by_seed], axis=1) for name in by_seed[0]})


def _arm_row(
    question: Question, arm: Arm, measured: Measured, draws: Draws, tallies: Tallies,
    thresholds: Mapping[tuple[str, int, int], Thresholds],
) -> ArmScores:  # fmt: skip
    """Say what an arm reached; `mean_iou` and `iou` stand where earlier results have them, too."""
    values = {name: measured.over_seeds(name, draws) for name in measured.values}
    keys = [(arm.name, fold, seed) for fold in range(question.folds) for seed in question.seeds]
    looks = [tallies[key] for key in keys]
    total = np.sum([confusion(tallies[key], thresholds[key]) for key in keys], axis=0)
    intervals = {name: interval(mean_over_classes(scores)) for name, scores in values.items()}
    curve = [number(float(np.mean([_found_once(tally, rate).mean() for tally in looks]))) for rate in CURVE]
    return ArmScores(
        name=arm.name,
        source="+".join(arm.sources),
        share=arm.share,
        negatives=arm.negatives,
        measures=intervals,
        mean_iou=intervals["iou"],
        iou=named(question.names, values["iou"][0]),
        ap=named(question.names, values["ap"][0]),
        found_by_class={
            f"found_{round(100 * rate)}": named(question.names, _found_by_class(looks, rate)) for rate in ALARMS
        },
        in_use=[_in_use(looks, rate) for rate in ALARMS],
        clean_false_positives=intervals["clean_pixels"].mean,
        confusion=total.tolist(),
        curve=Curve(alarmed=list(CURVE), found=curve),
        by_seed=[_seed_row(question, measured, k) for k in range(len(question.seeds))],
        spread={name: _spread(scores) for name, scores in measured.values.items()},
    )


def _seed_row(question: Question, measured: Measured, k: int) -> SeedScores:
    means = {name: number(float(np.nanmean(values[0, k]))) for name, values in measured.values.items()}
    by_class = named(question.names, measured.values["iou"][0, k])
    return SeedScores(seed=question.seeds[k], measures=means, mean_iou=means["iou"], iou=by_class)


def _spread(values: Scores) -> float | None:
    """Return the standard deviation between the seeds; None for one seed."""
    means = mean_over_classes(values[0])
    return number(float(np.std(means, ddof=1))) if len(means) > 1 else None


def _found_once(tally: Tally, rate: float) -> Scores:
    """Tell which objects are found, 1 or 0: [M]; NaN without clean images to alarm."""
    if not len(tally.clean_scores):
        return np.full(len(tally.object_scores), np.nan)
    threshold = alarm_threshold(tally.clean_scores, np.ones((1, len(tally.clean_scores))), rate)[0]
    return (tally.object_scores > threshold).astype(np.float64)


def _found_by_class(tallies: Sequence[Tally], rate: float) -> list[float]:
    hits, every = np.zeros((2, tallies[0].classes.shape[1]))
    for tally in tallies:
        np.add.at(hits, tally.objects[:, 1], _found_once(tally, rate))
        np.add.at(every, tally.objects[:, 1], 1)
    return np.divide(hits, every, out=np.full(len(every), np.nan), where=every > 0).tolist()


def _in_use(tallies: Sequence[Tally], rate: float) -> InUse:
    """Say what a threshold from defect-free training images finds and alarms on test images."""
    detected, alarmed = [], []
    for tally in tallies:
        if not len(tally.train_scores):
            continue
        threshold = alarm_threshold(tally.train_scores, np.ones((1, len(tally.train_scores))), rate)[0]
        detected.append(float((tally.object_scores > threshold).mean()))
        alarmed.append(float((tally.clean_scores > threshold).mean()) if len(tally.clean_scores) else math.nan)
    means = [number(float(np.mean(values))) if values else None for values in (detected, alarmed)]
    return InUse(asked=rate, found=means[0], alarmed=means[1])


def _compared(arm: Arm, other: Arm, best: Sequence[Arm | None]) -> bool:
    """Compare everything with real alone, synthetic arms with duplicates of their share, and all with the best other arms."""
    if arm == other or arm.sources == (REAL,):
        return False
    twin = other.sources == (DUPLICATES,) and other.share == arm.share
    return other.sources == (REAL,) or twin or (other in best and arm.sources != (DUPLICATES,))


def _difference_rows(
    question: Question, arm: Arm, other: Arm, measured: Mapping[str, Measured], draws: Draws
) -> list[Difference]:
    rows = []

    def add(measure: str, label: str | None, values: Scores) -> None:
        if np.isfinite(values[0]):
            points = interval(values)
            rows.append(
                Difference(
                    arm=arm.name, against=other.name, measure=measure, label=label, mean=points.mean, low=points.low,
                    high=points.high,
                )
            )  # fmt: skip

    for name in measured[arm.name].values:
        ours, theirs = (measured[which.name].over_seeds(name, draws) for which in (arm, other))
        add(name, None, mean_over_classes(ours) - mean_over_classes(theirs))
        for k, label in enumerate(question.names if ours.ndim > 1 else ()):
            add(name, label, ours[:, k] - theirs[:, k])
    return rows


def _verdict(kind: str, main: Arm | None, best: Arm | None, differences: Sequence[Difference]) -> str | None:
    """Say in half a sentence whether it helps; None where no synthetic arm was measured."""
    if main is None or best is None:
        return None
    rows = {
        row.measure: row for row in differences if (row.arm, row.against, row.label) == (main.name, best.name, None)
    }
    name, other = DECISIVE[kind], BESIDE.get(kind, "")
    if name not in rows:
        return "not measured"
    side = _side(rows[name])
    against = f"{main.name} against the best other arm, {best.name}: {_points(rows[name])}"
    said = {
        1: f"benefit: {against}", -1: f"no benefit, it harms: {against}",
        0: f"no benefit shown: {against}; the interval holds 0",
    }[side]  # fmt: skip
    if other in rows and _side(rows[other]) not in (0, side):
        return f"{said}; but {_points(rows[other])}"
    return said


def _points(row: Difference) -> str:
    mean, low, high = (100 * (value or 0.0) for value in (row.mean, row.low, row.high))
    return f"{mean:+.1f} points of {TITLES[row.measure]}, 95 % interval {low:+.1f} to {high:+.1f}"


def _side(row: Difference) -> int:
    """Return on which side of 0 the interval of a difference lies, 1 or -1; 0 where it holds 0."""
    return int((row.low or 0.0) > 0) - int((row.high or 0.0) < 0)


def named(names: Sequence[str], values: Sequence[float] | Scores) -> ByClass:
    """Name values by class; a value that is not a number becomes None."""
    return {name: number(float(value)) for name, value in zip(names, values, strict=True)}


@dataclass(frozen=True)
class Draws:
    """Which groups and seeds each bootstrap draw takes: weights float64 [D, G] and [D, S]; row 0 is all of them once."""

    groups: Scores
    seeds: Scores


def draw(strata: Sequence[str], seeds: int, *, seed: int, draws: int = DRAWS) -> Draws:
    """Draw test groups and training seeds with replacement, groups within their stratum, so that no class goes missing.

    Args:
        strata: the stratum of each group.
        seeds: the number of training seeds.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 (two-sample data) and 13 (percentiles).
    """
    rng = streams.generator(seed, "bootstrap")
    groups = np.zeros((draws + 1, len(strata)))
    for name in sorted(set(strata)):
        members = np.flatnonzero(np.asarray(strata) == name)
        groups[1:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=draws)
    taken = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws).astype(np.float64)
    groups[0] = 1
    return Draws(groups, np.concatenate([np.ones((1, seeds)), taken]) / seeds)


def interval(values: Scores) -> Interval:
    """Return the first of the draws [D], which is the measurement, and the 2.5th and 97.5th percentile of the others."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return Interval(mean=number(values[0]), low=number(low), high=number(high))


def mean_over_classes(scores: Scores) -> Scores:
    """Return the mean over the classes [D, K] -> [D]; a class without a score is left out. What is not by class stays."""
    return scores if scores.ndim == 1 else np.asarray(np.nanmean(scores, axis=1))
