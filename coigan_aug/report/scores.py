"""Numbers out of results, read with tolerance: what is not there or not a number is None and shown as a dash.

Scores are shares in the results and percent here; their differences are percentage points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DASH = "–"
PERCENT = 100


@dataclass(frozen=True, order=True)
class Estimate:
    """A mean with the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """Low and high."""
        return self.low, self.high


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train the segmenter: scores by class and by seed, percent; `clean` is a share of the clean surface.

    `measures` are those of finding and naming, percent; none in results of earlier versions.
    """

    name: str
    source: str
    share: float
    mean_iou: Estimate | None
    mean_dice: Estimate | None
    iou: Mapping[str, float | None]
    clean: float | None
    seeds: tuple[float, ...]
    seeds_by_class: tuple[Mapping[str, float | None], ...]
    measures: Mapping[str, Estimate]
    ap: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One arm minus another, points of a measure; `label` is a class, or None for all together; `colour` is #rrggbb."""

    arm: str
    against: str
    label: str | None
    estimate: Estimate
    colour: str | None = None
    measure: str = "iou"


def number(value: Any) -> float | None:
    """Return a finite number as float, anything else as None."""
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fine else None


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, Mapping) else {}


def listing(value: Any) -> Sequence[Mapping[str, Any]]:
    """Return the mappings in a list; none for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def estimate(value: Any) -> Estimate | None:
    """Read {mean, low, high}, {mean, error} or a plain number."""
    found = mapping(value)
    mean = number(found.get("mean")) if found else number(value)
    if mean is None:
        return None
    error = number(found.get("error")) or 0.0
    low, high = number(found.get("low")), number(found.get("high"))
    return Estimate(mean, mean - error if low is None else low, mean + error if high is None else high)


def arms_of(numbers: Mapping[str, Any]) -> list[Arm]:
    """Read the arms of a benefit result."""
    return [_arm(item) for item in listing(numbers.get("arms"))]


def _arm(item: Mapping[str, Any]) -> Arm:
    by_seed = listing(item.get("by_seed"))
    return Arm(
        name=str(item.get("name", "?")),
        source=str(item.get("source", "")),
        share=number(item.get("share")) or 0.0,
        mean_iou=_percent(estimate(item.get("mean_iou"))),
        mean_dice=_percent(estimate(item.get("mean_dice"))),
        iou=_percents(item.get("iou")),
        clean=number(item.get("clean_false_positives")),
        seeds=tuple(PERCENT * v for v in (number(s.get("mean_iou")) for s in by_seed) if v is not None),
        seeds_by_class=tuple(_percents(seed.get("iou")) for seed in by_seed),
        measures={
            str(name): found
            for name, value in mapping(item.get("measures")).items()
            if (found := _percent(estimate(value))) is not None
        },
        ap=_percents(item.get("ap")),
    )


def _percents(value: Any) -> dict[str, float | None]:
    found = {str(name): number(item) for name, item in mapping(value).items()}
    return {name: None if item is None else PERCENT * item for name, item in found.items()}


def _percent(found: Estimate | None) -> Estimate | None:
    return None if found is None else Estimate(PERCENT * found.mean, PERCENT * found.low, PERCENT * found.high)


def differences_of(numbers: Mapping[str, Any], colours: Mapping[str, str]) -> list[list[Difference]]:
    """Read the differences of a benefit result, those of one pair of arms and measure together, all classes first.

    Results of earlier versions name no measure: it is the IoU.
    """
    pairs: dict[tuple[str, str, str], list[Difference]] = {}
    for item in listing(numbers.get("differences")):
        found = _percent(estimate(item))
        arm, against, label = str(item.get("arm", "?")), str(item.get("against", "?")), item.get("class")
        measure = str(item.get("measure", "iou"))
        if found is not None:
            shade = colours.get(str(label)) if label is not None else None
            own = Difference(
                arm=arm, against=against, label=None if label is None else str(label), estimate=found, colour=shade,
                measure=measure,
            )  # fmt: skip
            pairs.setdefault((arm, against, measure), []).append(own)
    return [sorted(own, key=lambda found: found.label is not None) for own in pairs.values()]


def headline(numbers: Mapping[str, Any], groups: Sequence[Sequence[Difference]]) -> Difference | None:
    """Return the difference that decides: of finding, the arm it is about against the best other one.

    In results of earlier versions it is that of the mean IoU.
    """
    pair = (numbers.get("about"), numbers.get("best_other"))
    whole = [found for own in groups for found in own if found.label is None and (found.arm, found.against) == pair]
    return next((found for name in ("pixel_ap", "iou") for found in whole if found.measure == name), None)


# Numbers as text


def value_of(value: float | None) -> str:
    """Write a percentage with one place."""
    return DASH if value is None else f"{value:.1f}".replace("-", "−")


def short(value: float | None) -> str:
    """Write a number of unknown size with three significant digits."""
    if value is None:
        return DASH
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def signed(found: Estimate) -> str:
    """Write a difference with its interval: +2.1 [−1.0, +5.0]."""
    mean, low, high = (f"{value:+.1f}".replace("-", "−") for value in (found.mean, found.low, found.high))
    return re.sub(r"[+−](0\.0)(?!\d)", r"\1", f"{mean} [{low}, {high}]")


def with_interval(found: Estimate | None) -> str:
    """Write a score with its interval, where it has one."""
    if found is None or found.low == found.high:
        return value_of(found.mean if found else None)
    return f"{value_of(found.mean)} [{value_of(found.low)}, {value_of(found.high)}]"


def with_error(value: Any) -> str:
    """Write {mean, error}, or a plain number."""
    found, error = estimate(value), number(mapping(value).get("error"))
    return DASH if found is None else short(found.mean) + (f" ± {short(error)}" if error is not None else "")
