"""Tables from JSON values of any layout: everything is shown, nothing is needed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coigan_aug.report.scores import DASH, short


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
