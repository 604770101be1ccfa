"""Tables from JSON values whose layout another version may have changed: everything is shown, nothing is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coigan_aug.report.scores import DASH, estimate, listing, mapping, number, short, with_error


@dataclass(frozen=True)
class Table:
    """A plain table: the heads of the columns, and rows that begin with their own head."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_table(value: Any) -> Table | None:
    """Turn JSON values of any layout into a table; None where there is nothing to show.

    A mapping of mappings gives a row for each, a list of mappings too; any other mapping gives rows of name and value.
    """
    found = listing(value)
    if found:
        heads = tuple(dict.fromkeys(str(name) for item in found for name in item))
        return Table(heads, tuple(tuple(cell(item.get(head)) for head in heads) for item in found))
    items = {str(name): item for name, item in mapping(value).items()}
    inner = {name: item for name, item in items.items() if isinstance(item, Mapping) and not _is_estimate(item)}
    if inner and len(inner) == len(items):
        heads = tuple(dict.fromkeys(str(head) for item in inner.values() for head in item))
        return Table(("", *heads), tuple((name, *(cell(item.get(h)) for h in heads)) for name, item in inner.items()))
    return Table(("", "value"), tuple(facts(items))) if items else None


def facts(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the values in nested mappings, each with the path of names that leads to it."""
    for name, item in mapping(value).items():
        if isinstance(item, Mapping) and not _is_estimate(item):
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
        return short(number(value))
    if _is_estimate(value):
        found = estimate(value)
        ends = "low" in value or "high" in value
        return f"{short(found.mean)} [{short(found.low)}, {short(found.high)}]" if found and ends else with_error(value)
    if isinstance(value, list | tuple) and all(not isinstance(item, list | tuple | Mapping) for item in value):
        return ", ".join(cell(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_estimate(value: Any) -> bool:
    return isinstance(value, Mapping) and "mean" in value and set(value) <= {"mean", "error", "low", "high", "n"}
