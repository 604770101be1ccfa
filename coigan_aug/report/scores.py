"""Numbers of results as they are drawn and written: percent, percentage points for differences, and plain tables."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UnsetType

from coigan_aug.evaluation.numbers import Benefit, ByClass, Interval

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
class Difference:
    """One arm minus another, points of a measure; `label` is a class, or None for all together; `colour` is #rrggbb."""

    arm: str
    against: str
    label: str | None
    estimate: Estimate
    colour: str | None = None
    measure: str = "iou"


def percent(share: Interval | float | UnsetType | None) -> Estimate | None:
    """Return a share as percent, one without an interval as wide as 0; None where it was not measured."""
    if isinstance(share, UnsetType):
        return None
    interval = share if isinstance(share, Interval) else Interval(mean=share)
    if interval.mean is None:
        return None
    low, high = (interval.mean if end is None else end for end in (interval.low, interval.high))
    return Estimate(PERCENT * interval.mean, PERCENT * low, PERCENT * high)


def percents(shares: ByClass) -> ByClass:
    """Return shares as percent."""
    return {name: None if share is None else PERCENT * share for name, share in shares.items()}


def differences_of(numbers: Benefit, colours: Mapping[str, str]) -> list[list[Difference]]:
    """Return the differences of each pair of arms and measure together, all classes first."""
    pairs: dict[tuple[str, str, str], list[Difference]] = {}
    for row in numbers.differences:
        estimate = percent(row.interval)
        if estimate is not None:
            difference = Difference(
                arm=row.arm, against=row.against, label=row.label, estimate=estimate,
                colour=colours.get(row.label or ""), measure=row.measure,
            )  # fmt: skip
            pairs.setdefault((row.arm, row.against, row.measure), []).append(difference)
    return [sorted(pair, key=lambda difference: difference.label is not None) for pair in pairs.values()]


def headline(numbers: Benefit, groups: Sequence[Sequence[Difference]]) -> Difference | None:
    """Return the difference that decides: of finding, the arm it is about against the best other one.

    In results of earlier versions it is that of the mean IoU.
    """
    pair = (numbers.about, numbers.best_other)
    whole = [row for group in groups for row in group if row.label is None and (row.arm, row.against) == pair]
    return next((row for name in ("pixel_ap", "iou") for row in whole if row.measure == name), None)


# Numbers as text


def value_of(value: float | None) -> str:
    """Write a percentage with one place."""
    return DASH if value is None else f"{value:.1f}".replace("-", "−")


def short(value: float | None) -> str:
    """Write a number of unknown size with three significant digits."""
    if value is None:
        return DASH
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def signed(estimate: Estimate) -> str:
    """Write a difference with its interval: +2.1 [−1.0, +5.0]."""
    mean, low, high = (f"{value:+.1f}".replace("-", "−") for value in (estimate.mean, estimate.low, estimate.high))
    return re.sub(r"[+−](0\.0)(?!\d)", r"\1", f"{mean} [{low}, {high}]")


def with_interval(estimate: Estimate | None) -> str:
    """Write a score with its interval, where it has one."""
    if estimate is None or estimate.low == estimate.high:
        return value_of(estimate.mean if estimate else None)
    return f"{value_of(estimate.mean)} [{value_of(estimate.low)}, {value_of(estimate.high)}]"


@dataclass(frozen=True)
class Table:
    """A plain table: the heads of the columns, and rows that begin with their own head."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def facts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the values in nested mappings, each with the path of names that leads to it."""
    for name, item in values.items():
        if isinstance(item, Mapping):
            yield from ((f"{name}, {inner}", text) for inner, text in facts(item))
        else:
            yield str(name), cell(item)


def cell(value: Any) -> str:
    """Write one JSON value for a table."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return short(value if math.isfinite(value) else None)
    if isinstance(value, list | tuple) and all(not isinstance(item, list | tuple | Mapping) for item in value):
        return ", ".join(cell(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
