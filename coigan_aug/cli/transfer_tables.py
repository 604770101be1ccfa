"""What `coigan-aug evaluate transfer` prints: how near the images come, then what a segmenter finds on the other line."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.table import Table

from coigan_aug.cli.benefit_tables import finding_table, naming_table
from coigan_aug.cli.cells import name_cell
from coigan_aug.evaluation.numbers import TITLES, Benefit
from coigan_aug.evaluation.result import Result
from coigan_aug.evaluation.transfer import difference
from coigan_aug.evaluation.transfer_numbers import Transfer
from coigan_aug.progress import say

SHOWN = ("pixel_ap", "found_10", "ap", "iou")


def show_transfer(result: Result[Transfer], path: Path) -> None:
    """Print a transfer result's tables and its verdict on stderr."""
    console, numbers = Console(stderr=True), result.numbers
    console.print(_looks(numbers))
    if numbers.benefit is not None:
        console.print(finding_table(numbers.benefit))
        if not numbers.binary:
            console.print(naming_table(numbers.benefit))
        console.print(_differences(numbers.benefit, binary=numbers.binary))
    for warning in result.warnings:
        say(f"note  {warning}")
    say(result.verdict)
    draws = any(item.draws for item in numbers.engines if item.name == numbers.best)
    taker = (
        f"synthesize --on {shlex.quote(result.measured_on['to_folder'])}" if draws else "translate apply --engine auto"
    )
    say(f"best  {numbers.best}   ({taker} takes it)")
    say(f"-> {path}")


def _looks(numbers: Transfer) -> Table:
    floor = "-" if numbers.floor is None else f"{1000 * numbers.floor:.1f}"
    title = f"To the other line, KID x1000 in {numbers.features} (floor {floor}); defects before and after"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for head in ("KID", "edges moved px", "gap kept", "visible", "found", "before"):
        table.add_column(head, justify="right")
    for item in numbers.engines:
        error = "" if item.kid_error is None else f" ± {1000 * item.kid_error:.1f}"
        table.add_row(
            name_cell(item.name),
            "-" if item.kid is None else f"{1000 * item.kid:.1f}{error}",
            "-" if item.edges_moved is None else f"{item.edges_moved:.2f}",
            *(_percent(value) for value in (item.gap_kept, item.visible, item.found_after, item.found_before)),
        )
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _differences(numbers: Benefit, *, binary: bool) -> Table:
    shown = [name for name in SHOWN if not (binary and name in ("ap", "iou"))]
    table = Table(title="Against images as they are, points (95 % interval)", title_justify="left")
    table.add_column("")
    for name in shown:
        table.add_column(TITLES[name], justify="right")
    for arm in numbers.arms[1:]:
        cells = []
        for name in shown:
            row = difference(numbers, arm.name, name)
            values = [None] * 3 if row is None else [row.mean, row.low, row.high]
            mean, low, high = ("-" if value is None else f"{100 * value:+.1f}" for value in values)
            cells.append(f"{mean} ({low} to {high})")
        table.add_row(name_cell(arm.name), *cells)
    return table
