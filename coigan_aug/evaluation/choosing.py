"""Choosing: which engine draws a class best, by what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coigan_aug.errors import DataError
from coigan_aug.evaluation.arms import REAL, class_of, engine_of
from coigan_aug.evaluation.numbers import ArmScores, Benefit
from coigan_aug.evaluation.result import Result
from coigan_aug.evaluation.transfer import ranked
from coigan_aug.evaluation.transfer_numbers import Transfer

CLEAR = 0.03
"""Least gain in a class's pixel AP that an arm of that class is named for."""


@dataclass(frozen=True)
class Choice:
    """The engine of each class (by name), and for each class what was measured, as a line for a person.

    `helped` are the classes that are told better with it than without; `result` names the folder of the measurement.
    """

    engines: Mapping[str, str]
    lines: tuple[str, ...]
    helped: tuple[str, ...]
    result: str


def choose_engines(
    results: Sequence[Result[Any]], *, dataset: str, generator: str, names: Sequence[str], engines: Sequence[str]
) -> Choice | None:
    """Choose for each class the engine whose arm reached the highest pixel AP in the newest benefit measurement.

    Arms that draw the class by that engine alone count, other classes be drawn by others or not at all; of several shares
    the first. Results of earlier versions know no AP by class; of them the IoU is taken.

    Args:
        dataset, generator: checksums of what is drawn from and with; measurements of others do not count.
        engines: those that can be chosen.

    Returns:
        None where nothing was measured of this data set and generator.
    """
    for result in reversed(results):
        measured_on = (result.measured_on.get("dataset"), result.measured_on.get("generator"))
        if isinstance(result.numbers, Benefit) and measured_on == (dataset, generator):
            real, arms = _comparable(result.numbers)
            by_ap = all(arm.ap for arm in (real, *arms))
            rows = {name: _scores(arms, name, engines, by_ap=by_ap) for name in names}
            if all(rows.values()):
                without = real.ap if by_ap else real.iou
                return _choice(rows, without, result.folder.name, measure="AP" if by_ap else "IoU")
    return None


def worth_trying(numbers: Benefit, engines: Sequence[str]) -> str | None:
    """Name the arm that draws only the classes which an engine clearly helped, each by the engine that helped it most.

    Returns:
        Such as "patch:crack+patch:fray"; None where no class gained `CLEAR`, or such an arm has been measured.
    """
    real, arms = _comparable(numbers)
    parts = []
    for name in (name for name in numbers.classes if set(name).isdisjoint("+,/")):  # others can't be written as an arm
        scores, without = _scores(arms, name, engines, by_ap=True), real.ap.get(name)
        engine = max(scores, key=lambda known: scores[known], default=None)
        if engine is not None and without is not None and scores[engine] >= without + CLEAR:
            parts.append(f"{engine}:{name}")
    return "+".join(parts) if parts and not any(set(arm.source.split("+")) == set(parts) for arm in arms) else None


def _comparable(numbers: Benefit) -> tuple[ArmScores, list[ArmScores]]:
    """Return the arm of real images alone, and those that add without counterfeit negatives; of several shares the first."""
    plain = [arm for arm in numbers.arms if not arm.negatives]
    real = next(arm for arm in plain if arm.source == REAL)
    share = next((arm.share for arm in plain if arm.source != REAL), 0.0)
    return real, [arm for arm in plain if arm.share == share and arm is not real]


def _scores(arms: Sequence[ArmScores], name: str, engines: Sequence[str], *, by_ap: bool) -> dict[str, float]:
    """Return the best score of a class by the engine that drew it."""
    best: dict[str, float] = {}
    for arm in arms:
        drew = {engine_of(source) for source in arm.source.split("+") if class_of(source) in (None, name)}
        score = (arm.ap if by_ap else arm.iou).get(name)
        if len(drew) == 1 and drew <= set(engines) and score is not None:
            engine = drew.pop()
            best[engine] = max(score, best.get(engine, score))
    return best


def _choice(
    rows: Mapping[str, Mapping[str, float]], real: Mapping[str, float | None], result: str, *, measure: str
) -> Choice:
    best = {name: max(scores, key=lambda engine: scores[engine]) for name, scores in rows.items()}
    lines, helped = [], []
    for name, engine in best.items():
        without = real.get(name) or 0.0
        if better := rows[name][engine] > without:
            helped.append(name)
        line = f"{name}: {engine}, {measure} {100 * rows[name][engine]:.1f} against {100 * without:.1f} without"
        lines.append(line + ("" if better else "; no engine helps, so leaving it out may be better"))
    return Choice(best, tuple(lines), tuple(helped), result)


@dataclass(frozen=True)
class TranslationChoice:
    """The engine that was measured to be best, and a line that says so."""

    engine: str
    line: str


def choose_translation(
    results: Sequence[Result[Any]], *, source: str, target: str, engines: Sequence[str], otherwise: str
) -> TranslationChoice | None:
    """Choose, of some engines, the one that the newest transfer measurement of them from one line to another found best.

    Args:
        source, target: what names the lines; measurements of others do not count.
        engines: those that can be chosen.
        otherwise: what to do where images as they are were better than each of these.

    Returns:
        None where none of these was measured between these lines.

    Raises:
        DataError: images as they are were found best.
    """
    for result in reversed(results):
        measured_on = (result.measured_on.get("from"), result.measured_on.get("to"))
        if not isinstance(result.numbers, Transfer) or measured_on != (source, target):
            continue
        if not {item.name for item in result.numbers.engines} & set(engines):
            continue
        best = next((name for name in ranked(result.numbers) if name in engines), None)
        if best is None:
            what = (
                f"{result.folder.name} found none of these engines better than the images as they are: {result.verdict}"
            )
            raise DataError(what, remedy=otherwise)
        where = "" if best == result.numbers.best else f", where {result.numbers.best} was better still"
        return TranslationChoice(best, f"{best}, by {result.folder.name}{where}: {result.verdict}")
    return None
