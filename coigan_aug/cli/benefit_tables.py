"""What `coigan-aug evaluate benefit` prints: finding first, then naming, then what it says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from coigan_aug.cli.cells import name_cell
from coigan_aug.evaluation.choosing import worth_trying
from coigan_aug.evaluation.numbers import FEW_PIECES, FINDING, NAMING, TITLES, ArmScores, Benefit, Difference
from coigan_aug.evaluation.result import Result
from coigan_aug.progress import say
from coigan_aug.synthesis.engines import ENGINES


def show_benefit(result: Result[Benefit], path: Path) -> None:
    """Print a benefit result's tables, differences and verdicts on stderr."""
    console, numbers = Console(stderr=True), result.numbers
    console.print(finding_table(numbers))
    say(
        "found at 5, 10: objects found where that many of 100 clean images are alarmed; alarms: at the IoU's own threshold"
    )
    console.print(naming_table(numbers))
    if len(numbers.arms) > 1:
        console.print(_differences(numbers))
    for line in _spreads(numbers):
        say(line)
    for kind, verdict in numbers.verdicts.items():
        if verdict:
            say(f"{kind.capitalize()}: {verdict}.")
    if numbers.about is None:
        say(result.verdict)
    for warning in result.warnings:
        say(f"note  {warning}")
    arm = worth_trying(numbers, ENGINES)
    if arm is not None:
        say(
            f"Worth trying: only what helped its class, chosen on these very test pieces:  --engines {shlex.quote(arm)}"
        )
    say(f"-> {path}")


def finding_table(numbers: Benefit) -> Table:
    """Return the table of what each arm finds, whatever its class."""
    table = Table(title="Finding any defect, %", title_justify="left")
    table.add_column("")
    for head in ("pixel AP", "IoU", "found at 5", "found at 10", "alarms"):
        table.add_column(head, justify="right")
    for arm in numbers.arms:
        table.add_row(name_cell(_brief(arm)), *(_percent(arm.measures[key].mean) for key in (*FINDING, "clean_alarms")))
    return table


def naming_table(numbers: Benefit) -> Table:
    """Return the table of what each arm names, class by class."""
    table = Table(title="Naming its class: pixel AP / IoU, %", title_justify="left")
    table.add_column("")
    table.add_column("test pieces", justify="right")
    for arm in numbers.arms:
        table.add_column(name_cell(_brief(arm)), justify="right")
    for name in numbers.classes:
        count = numbers.pieces[name]
        pieces = f"{count}{' (few)' * (count < FEW_PIECES)}"
        table.add_row(name_cell(name), pieces, *(_both(arm.ap[name], arm.iou[name]) for arm in numbers.arms))
    table.add_section()
    table.add_row("mean", "", *(_both(*(arm.measures[key].mean for key in NAMING)) for arm in numbers.arms))
    return table


def _brief(arm: ArmScores) -> str:
    """Name an arm without the "real" that all but one begin with."""
    return arm.name.removeprefix("real ") or "real"


def _differences(numbers: Benefit) -> Table:
    """Show the differences to real alone, of measures that choose no threshold for a class."""
    shown = ("pixel_ap", "found_10", "ap")
    table = Table(title="Against real alone, points (95 % interval)", title_justify="left")
    table.add_column("")
    for name in shown:
        table.add_column(TITLES[name], justify="right")
    rows = {(row.arm, row.measure): row for row in numbers.differences if row.label is None and row.against == "real"}
    for arm in numbers.arms[1:]:
        table.add_row(name_cell(_brief(arm)), *(_signed(rows.get((arm.name, name))) for name in shown))
    return table


def _signed(row: Difference | None) -> str:
    if row is None:
        return "-"
    mean, low, high = ("-" if value is None else f"{100 * value:+.1f}" for value in (row.mean, row.low, row.high))
    return f"{mean} ({low} to {high})"


def _spreads(numbers: Benefit) -> Iterator[str]:
    """Say how far two seeds of one arm differ: nothing smaller can be told apart by one of them."""
    known = {
        name: [value for arm in numbers.arms if (value := arm.spread[name]) is not None]
        for name in ("pixel_ap", "found_10", "iou")
    }
    if all(known.values()):
        parts = [f"{TITLES[name]} {100 * sum(values) / len(values):.1f}" for name, values in known.items()]
        yield f"between seeds (standard deviation): {', '.join(parts)}"


def _both(first: float | None, second: float | None) -> str:
    return f"{_percent(first)} / {_percent(second)}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
