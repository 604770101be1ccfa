"""Choosing: which engine draws a class best, by what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coigan_aug.evaluation.arms import REAL
from coigan_aug.evaluation.numbers import Benefit
from coigan_aug.evaluation.result import Result


@dataclass(frozen=True)
class Choice:
    """The engine of each class (by name), and for each class what was measured, as a line for a person.

    `result` names the folder of the measurement.
    """

    engines: Mapping[str, str]
    lines: tuple[str, ...]
    result: str


def choose_engines(
    results: Sequence[Result[Any]], *, dataset: str, generator: str, names: Sequence[str], engines: Sequence[str]
) -> Choice | None:
    """Choose for each class the engine whose arm reached the highest pixel AP in the newest benefit measurement.

    Results of earlier versions know no AP by class; of them the IoU is taken.

    Args:
        dataset, generator: checksums of what is drawn from and with; measurements of others do not count.
        engines: those that can be chosen.

    Returns:
        None where nothing was measured of this data set and generator.
    """
    for result in reversed(results):
        measured_on = (result.measured_on.get("dataset"), result.measured_on.get("generator"))
        if isinstance(result.numbers, Benefit) and measured_on == (dataset, generator):
            plain = [arm for arm in result.numbers.arms if not arm.negatives]
            by_ap = all(arm.ap for arm in plain)
            arms = {arm.source: arm.ap if by_ap else arm.iou for arm in reversed(plain)}
            rows = {
                name: {e: score for e in engines if (score := arms.get(e, {}).get(name)) is not None} for name in names
            }
            if all(rows.values()):
                return _choice(rows, arms[REAL], result.folder.name, measure="AP" if by_ap else "IoU")
    return None


def _choice(
    rows: Mapping[str, Mapping[str, float]], real: Mapping[str, float | None], result: str, *, measure: str
) -> Choice:
    best = {name: max(scores, key=lambda engine: scores[engine]) for name, scores in rows.items()}
    lines = []
    for name, engine in best.items():
        without = real.get(name) or 0.0
        better = rows[name][engine] > without
        line = f"{name}: {engine}, {measure} {100 * rows[name][engine]:.1f} against {100 * without:.1f} without"
        lines.append(line + ("" if better else "; no engine helps, so leaving it out may be better"))
    return Choice(best, tuple(lines), result)
