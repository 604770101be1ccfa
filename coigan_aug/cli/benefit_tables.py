"""What `coigan-aug evaluate benefit` prints: finding first, then naming, then what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from coigan_aug.evaluation.result import Result
from coigan_aug.evaluation.summary import FEW_PIECES, FINDING, NAMING, TITLES
from coigan_aug.progress import say


def show_benefit(result: Result, path: Path) -> None:
    """Print a benefit result's tables, differences and verdicts on stderr."""
    console, numbers = Console(stderr=True), result.numbers
    console.print(_finding(numbers))
    say(
        "found at 5, 10: objects found where that many of 100 clean images are alarmed; alarms: at the IoU's own threshold"
    )
    console.print(_naming(numbers))
    if len(numbers["arms"]) > 1:
        console.print(_differences(numbers))
    for line in _spreads(numbers):
        say(line)
    for kind, verdict in numbers["verdicts"].items():
        if verdict:
            say(f"{kind.capitalize()}: {verdict}.")
    if numbers["about"] is None:
        say(result.verdict)
    for warning in result.warnings:
        say(f"note  {warning}")
    say(f"-> {path}")


def _finding(numbers: Mapping[str, Any]) -> Table:
    table = Table(title="Finding any defect, %", title_justify="left")
    table.add_column("")
    for head in ("pixel AP", "IoU", "found at 5", "found at 10", "alarms"):
        table.add_column(head, justify="right")
    for arm in numbers["arms"]:
        table.add_row(_brief(arm), *(_percent(arm["measures"][key]["mean"]) for key in (*FINDING, "clean_alarms")))
    return table


def _naming(numbers: Mapping[str, Any]) -> Table:
    table = Table(title="Naming its class: pixel AP / IoU, %", title_justify="left")
    table.add_column("")
    table.add_column("test pieces", justify="right")
    for arm in numbers["arms"]:
        table.add_column(_brief(arm), justify="right")
    for name in numbers["classes"]:
        count = numbers["pieces"][name]
        pieces = f"{count}{' (few)' * (count < FEW_PIECES)}"
        table.add_row(name, pieces, *(_both(arm["ap"][name], arm["iou"][name]) for arm in numbers["arms"]))
    table.add_section()
    means = [_both(*(arm["measures"][key]["mean"] for key in NAMING)) for arm in numbers["arms"]]
    table.add_row("mean", "", *means)
    return table


def _brief(arm: Mapping[str, Any]) -> str:
    """Name an arm without the "real" that all but one begin with."""
    return str(arm["name"]).removeprefix("real ") or "real"


def _differences(numbers: Mapping[str, Any]) -> Table:
    """Show the differences to real alone, of measures that choose no threshold for a class."""
    shown = ("pixel_ap", "found_10", "ap")
    table = Table(title="Against real alone, points (95 % interval)", title_justify="left")
    table.add_column("")
    for name in shown:
        table.add_column(TITLES[name], justify="right")
    rows = {(row["arm"], row["measure"]): row for row in numbers["differences"] if _is_whole(row)}
    for arm in numbers["arms"][1:]:
        own = [rows.get((arm["name"], name)) for name in shown]
        table.add_row(_brief(arm), *("-" if row is None else _signed(row) for row in own))
    return table


def _is_whole(row: Mapping[str, Any]) -> bool:
    return bool(row["class"] is None and row["against"] == "real")


def _signed(row: Mapping[str, Any]) -> str:
    mean, low, high = ("-" if row[key] is None else f"{100 * row[key]:+.1f}" for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _spreads(numbers: Mapping[str, Any]) -> Iterator[str]:
    """Say how far two seeds of one arm differ: nothing smaller can be told apart by one of them."""
    spreads = {name: [arm["spread"][name] for arm in numbers["arms"]] for name in ("pixel_ap", "found_10", "iou")}
    known = {name: [value for value in own if value is not None] for name, own in spreads.items()}
    if all(known.values()):
        parts = [f"{TITLES[name]} {100 * sum(own) / len(own):.1f}" for name, own in known.items()]
        yield f"between seeds (standard deviation): {', '.join(parts)}"


def _both(first: float | None, second: float | None) -> str:
    return f"{_percent(first)} / {_percent(second)}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
