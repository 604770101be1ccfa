"""Transfer: how near images of one line come to another's, and what segmenters trained on them reach there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from coigan_aug.evaluation.comparison import Kind, Sample, compare
from coigan_aug.evaluation.embedding import counted, embed_images
from coigan_aug.evaluation.numbers import TITLES, Benefit, Comparison, Difference
from coigan_aug.evaluation.summary import DECISIVE
from coigan_aug.evaluation.transfer_numbers import AS_IT_IS, CONTROLS, Transfer
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.features import Lite0
from coigan_aug.metrics.frechet import moments_of
from coigan_aug.progress import Report, silent

MOST_IMAGES = 200
"""Images of a side that are compared, at most."""
MOST_MOVED = 0.5
"""px by which edges may move in the median, for an engine to be chosen without labels."""
LEAST_VISIBLE = 0.9
"""Share of the defects that must stay visible for the same."""


def some(positions: Sequence[int], *, most: int = MOST_IMAGES) -> list[int]:
    """Return at most so many positions, evenly spaced."""
    return list(positions[:: max(-(-len(positions) // most), 1)])


def measure_distances(
    sets: Mapping[str, tuple[Iterable[Pixels], Sequence[str]]], other: tuple[Iterable[Pixels], Sequence[str]],
    *, folder: Path, device: torch.device, report: Report = silent,
) -> tuple[dict[str, Comparison], Comparison]:  # fmt: skip
    """Compare sets of images with those of another line, by name, and two halves of the latter with each other.

    Args:
        sets: images and the piece that each shows, by name; pieces that are in both halves or sets are one witness each.
        other: those of the other line.
        folder: where the rows of features lie meanwhile.

    Returns:
        The comparisons by name; the floor, which is measured only where either half has two pieces or more.
    """
    network = Lite0().to(device)
    kind = Kind(network.name, network.width, False)
    rows = folder / ".features"
    shutil.rmtree(rows, ignore_errors=True)
    rows.mkdir(parents=True)
    total = len(other[1]) + sum(len(pieces) for _, pieces in sets.values())
    advance = counted(report, total)
    try:
        samples = {}
        for number, (name, (images, pieces)) in enumerate([*sets.items(), ("", other)]):
            path = rows / f"{number}.npy"
            values = embed_images(images, network, count=len(pieces), path=path, advance=advance)
            samples[name] = Sample(np.asarray(values), np.unique(np.array(pieces, str), return_inverse=True)[1])
        theirs = samples.pop("")
        first = theirs.groups % 2 == 0
        half, rest = (Sample(theirs.rows[side], theirs.groups[side]) for side in (first, ~first))
        return {name: _compare(ours, theirs, kind) for name, ours in samples.items()}, _compare(half, rest, kind)
    finally:
        shutil.rmtree(rows, ignore_errors=True)


def _compare(first: Sample, second: Sample, kind: Kind) -> Comparison:
    if min(len(first.rows), len(second.rows)) < 2:
        return Comparison(features=kind.name, comparable=False, n_first=len(first.rows), n_second=len(second.rows))
    return compare(first, second, kind, moments=(moments_of(first.rows), moments_of(second.rows)))


def best_of(numbers: Transfer) -> str:
    """Return the engine that was found best, or AS_IT_IS where none is better."""
    return next(iter(ranked(numbers)), AS_IT_IS)


def ranked(numbers: Transfer) -> list[str]:
    """Return the engines that are better than images as they are, the best first; controls are none.

    With masks of the other line those whose segmenter finds more there, by the measure that needs no threshold; without,
    those that come nearer to it and keep edges and defects.
    """
    engines = [item for item in numbers.engines if item.name not in CONTROLS]
    if numbers.benefit is not None:
        level = {arm.name: _mean(arm.measures[DECISIVE["finding"]].mean) for arm in numbers.benefit.arms}
        names = [item.name for item in engines if level[item.name] > level[AS_IT_IS]]
        return sorted(names, key=lambda name: -level[name])
    plain = engines[0].kid
    kept = [
        item
        for item in engines[1:]
        if item.kid is not None
        and (plain is None or item.kid < plain)
        and (item.edges_moved is None or item.edges_moved < MOST_MOVED)
        and (item.visible is None or item.visible >= LEAST_VISIBLE)
    ]
    return [item.name for item in sorted(kept, key=lambda item: item.kid or 0.0)]


def _mean(value: float | None) -> float:
    return -1.0 if value is None else value


def transfer_verdict(numbers: Transfer) -> str:
    """Say in one sentence which engine is best and what it changes."""
    if numbers.benefit is not None:
        return _benefit_verdict(numbers.benefit, binary=numbers.binary)
    plain, floor = numbers.engines[0], numbers.floor
    best = next((item for item in numbers.engines if item.name == numbers.best), plain)
    halves = "" if floor is None else f"; two halves of the other line are {_kid(floor)} apart"
    if best is plain:
        return f"No engine brings the images nearer: KID (x1000) {_kid(plain.kid)} as they are{halves}."
    parts = [f"Nearest comes {best.name}: KID (x1000) {_kid(plain.kid)} -> {_kid(best.kid)}{halves}"]
    if best.edges_moved is not None:
        parts.append(f"edges of defects move {best.edges_moved:.2f} px")
    if best.found_after is not None and best.found_before is not None:
        parts.append(f"the line's own segmenter finds {best.found_after:.0%} of them, {best.found_before:.0%} before")
    return f"{', '.join(parts)} (without labels of the other line nothing is said of a segmenter there)."


def _kid(value: float | None) -> str:
    return "-" if value is None else f"{1000 * value:.1f}"


def _benefit_verdict(numbers: Benefit, *, binary: bool) -> str:
    pieces = numbers.groups.test_defective or 0
    alone = "1 seed, so the interval does not know by how much trainings differ by chance"
    seeds = f"{len(numbers.seeds)} seeds" if len(numbers.seeds) > 1 else alone
    basis = f"{seeds}, {pieces} test pieces with a defect"
    tried = [arm.name for arm in numbers.arms[1:] if arm.name not in CONTROLS]
    if not tried:
        return f"No engine was tried ({basis})."
    name = max(tried, key=lambda arm: _level(numbers, arm))
    said = [_said(numbers, kind, name) for kind in DECISIVE if not (binary and kind == "naming")]
    return f"{name} against images as they are: {'; '.join(said)} ({basis})."


def _level(numbers: Benefit, name: str) -> float:
    return next(_mean(arm.measures[DECISIVE["finding"]].mean) for arm in numbers.arms if arm.name == name)


def _said(numbers: Benefit, kind: str, name: str) -> str:
    measure = DECISIVE[kind]
    row = difference(numbers, name, measure)
    levels = [
        next(arm for arm in numbers.arms if arm.name == which).measures[measure].mean for which in (AS_IT_IS, name)
    ]
    if row is None or row.mean is None:
        return f"{TITLES[measure]} not measured"
    low, high = row.low or 0.0, row.high or 0.0
    word = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    before, after = (100 * _mean(level) for level in levels)
    points = f"{100 * row.mean:+.1f}, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    return f"{TITLES[measure]} {before:.1f} -> {after:.1f} ({points}): {word}"


def difference(numbers: Benefit, name: str, measure: str) -> Difference | None:
    """Return an arm's difference to images as they are by a measure of all classes; None where there is none."""
    rows = [row for row in numbers.differences if (row.arm, row.against, row.measure) == (name, AS_IT_IS, measure)]
    return next((row for row in rows if row.label is None), None)
