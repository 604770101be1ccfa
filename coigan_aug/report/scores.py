"""Numbers out of results, read with tolerance: what is not there or not a number is None and shown as a dash."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DASH = "–"


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
    """One way to train the segmenter: scores by class, by seed, and on clean images."""

    name: str
    source: str
    share: float
    mean_iou: Estimate | None
    mean_dice: Estimate | None
    iou: Mapping[str, float | None]
    dice: Mapping[str, float | None]
    clean: float | None
    seeds: tuple[float, ...]
    seeds_by_class: tuple[Mapping[str, float | None], ...]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One arm minus another; `label` is a class, or None for all together; `colour` the class' as #rrggbb."""

    arm: str
    against: str
    label: str | None
    estimate: Estimate
    colour: str | None = None


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
    return [
        Arm(
            name=str(item.get("name", "?")),
            source=str(item.get("source", "")),
            share=number(item.get("share")) or 0.0,
            mean_iou=estimate(item.get("mean_iou")),
            mean_dice=estimate(item.get("mean_dice")),
            iou=_numbers(item.get("iou")),
            dice=_numbers(item.get("dice")),
            clean=number(item.get("clean_false_positives")),
            seeds=tuple(v for seed in listing(item.get("by_seed")) if (v := number(seed.get("mean_iou"))) is not None),
            seeds_by_class=tuple(_numbers(seed.get("iou")) for seed in listing(item.get("by_seed"))),
        )
        for item in listing(numbers.get("arms"))
    ]


def _numbers(value: Any) -> dict[str, float | None]:
    return {str(name): number(item) for name, item in mapping(value).items()}


def differences_of(numbers: Mapping[str, Any], colours: Mapping[str, str]) -> list[list[Difference]]:
    """Read the differences of a benefit result, those of one pair of arms together, all classes first."""
    pairs: dict[tuple[str, str], list[Difference]] = {}
    for item in listing(numbers.get("differences")):
        found = estimate(item)
        arm, against, label = str(item.get("arm", "?")), str(item.get("against", "?")), item.get("class")
        if found is not None:
            shade = colours.get(str(label)) if label is not None else None
            own = Difference(
                arm=arm, against=against, label=None if label is None else str(label), estimate=found, colour=shade
            )
            pairs.setdefault((arm, against), []).append(own)
    return [sorted(own, key=lambda found: found.label is not None) for own in pairs.values()]


def headline(numbers: Mapping[str, Any], groups: Sequence[Sequence[Difference]]) -> Difference | None:
    """Return the difference that decides: of all classes, the GAN against the best other arm, else against any."""
    drawn = {arm.name for arm in arms_of(numbers) if arm.source == "gan"}
    whole = [found for own in groups for found in own if found.label is None and found.arm in drawn]
    best = [found for found in whole if found.against == numbers.get("best_other")]
    return next(iter([*best, *whole]), None)


# Numbers as text


def value_of(value: float | None) -> str:
    """Write a score between 0 and 1 with three places."""
    return DASH if value is None else f"{value:.3f}".replace("-", "−")


def short(value: float | None) -> str:
    """Write a number of unknown size with three significant digits."""
    if value is None:
        return DASH
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def signed(found: Estimate) -> str:
    """Write a difference with its interval: +0.021 [−0.010, +0.050]."""
    mean, low, high = (f"{value:+.3f}".replace("-", "−") for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def with_interval(found: Estimate | None) -> str:
    """Write a score with its interval."""
    return DASH if found is None else f"{value_of(found.mean)} [{value_of(found.low)}, {value_of(found.high)}]"


def with_error(value: Any) -> str:
    """Write {mean, error}, or a plain number."""
    found, error = estimate(value), number(mapping(value).get("error"))
    return DASH if found is None else short(found.mean) + (f" ± {short(error)}" if error is not None else "")
