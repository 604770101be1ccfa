"""coigan-aug evaluate quality, and the tables that it prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coigan_aug.cli.options import Here, command
from coigan_aug.progress import say
from coigan_aug.stages.asks import QualityAsk

if TYPE_CHECKING:
    from rich.table import Table

    from coigan_aug.evaluation.result import Result


def evaluate_quality(ask: QualityAsk, here: Here) -> None:
    """Measure how far synthetic images are from real ones, beside how far real train and test images are apart.

    Example: coigan-aug evaluate quality
    """
    from coigan_aug.evaluation.result import to_json
    from coigan_aug.stages.evaluate_quality import evaluate_quality as stage

    result = stage(here.workspace, ask, talk=here.talk, command=here.command)
    if not here.talk.quiet:
        show(result)
    if here.as_json:
        print(json.dumps(to_json(result), ensure_ascii=False))


evaluate_quality_command = command(QualityAsk, evaluate_quality)


def show(result: Result) -> None:
    """Print what was measured, on stderr."""
    from rich.console import Console

    from coigan_aug.evaluation.result import RESULT

    console = Console(stderr=True)
    tables = [] if result.kind == "thesis" else _tables(result.numbers)
    for table in tables:
        console.print(table)
    for text in result.warnings:
        say(f"! {text}")
    say(result.verdict)
    say("   ".join(str(result.folder / name) for name in (RESULT, *(name for _, name in result.pictures))))
    say("Next: coigan-aug evaluate benefit")


def _tables(numbers: Mapping[str, Any]) -> list[Table]:
    return [_space_table(space) for space in numbers["spaces"]] + [_inside_table(numbers)]


def _space_table(space: Mapping[str, Any]) -> Table:
    """Show how far synthetic pictures are from test ones, beside how far train ones are."""
    comparable = "as papers measure" if space["comparable"] else "not comparable with papers"
    table = _table(f"synthetic against test, beside train against test (floor); {space['features']}, {comparable}")
    for title in ("synth / test", "KID x1000", "floor", "FID", "floor", "precision", "recall"):
        table.add_column(title, justify="right")
    rows = {"whole images": space["images"], "objects": space["objects"]} | space["classes"]
    for name, pairs in rows.items():
        if pairs:
            table.add_row(name, *_cells(pairs["synthetic_test"], pairs["floor"]), end_section=name == "objects")
    return table


def _table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=0, collapse_padding=True
    )
    table.add_column("", no_wrap=True)
    return table


def _cells(made: Mapping[str, Any], floor: Mapping[str, Any]) -> list[str]:
    counts = f"{made['n_first']:,} / {made['n_second']:,}"
    fids = [_number(pair["fid"], ".0f") for pair in (made, floor)]
    return [counts, _kid(made), _kid(floor), *fids, *(_number(made[key], ".2f") for key in ("precision", "recall"))]


def _kid(pair: Mapping[str, Any]) -> str:
    if pair["kid"] is None:
        return "-"
    return f"{1000 * pair['kid']:.1f} ± {'?' if pair['kid_error'] is None else format(1000 * pair['kid_error'], '.1f')}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _inside_table(numbers: Mapping[str, Any]) -> Table:
    """Show how varied the insides of the masks are, whether they are copies, and the seams."""
    table = _table("inside the masks, and at the margin's edge (1.00: as varied, no seam, found as often as real ones)")
    for title in (
        "diversity",
        "near copies",
        "test's",
        "own shape's",
        "by chance",
        "seam",
        "seam 95 %",
        "found",
    ):
        table.add_column(title, justify="right")
    seams = numbers["seams"]["classes"] if numbers["seams"] else {}
    for name, own in numbers["inside"].items():
        copies, seam = own["copies"], seams.get(name, {"median": None, "p95": None})
        shares = [_number(copies[key], ".0%") for key in ("share", "floor", "from_shape_source", "by_chance")]
        ratios = [_number(seam[key], ".2f") for key in ("median", "p95")]
        found = (numbers["agreement"] or {}).get(name, {"ratio": None})["ratio"]
        table.add_row(name, _number(own["diversity"]["ratio"], ".2f"), *shares, *ratios, _number(found, ".2f"))
    return table
