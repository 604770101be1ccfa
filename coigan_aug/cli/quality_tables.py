"""The tables that coigan-aug evaluate quality prints."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from coigan_aug.cli.cells import name_cell
from coigan_aug.evaluation.numbers import Comparison, Crisp, Quality, SeamRatios, Space


def space_table(space: Space) -> Table:
    """Show how far synthetic pictures are from test ones, beside how far train ones are."""
    comparable = "as papers measure" if space.comparable else "not comparable with papers"
    table = _table(f"synthetic against test, beside train against test (floor); {space.features}, {comparable}")
    for title in ("synth / test", "KID x1000", "floor", "FID", "floor", "precision", "recall"):
        table.add_column(title, justify="right")
    for name, pairs in {"whole images": space.images, "objects": space.objects, **space.classes}.items():
        if pairs:
            made, floor = pairs.synthetic_test, pairs.floor
            fids = [_number(pair.fid, ".0f") for pair in (made, floor)]
            shares = [_number(share, ".2f") for share in (made.precision, made.recall)]
            counts = f"{made.n_first:,} / {made.n_second:,}"
            table.add_row(
                name_cell(name), counts, _kid(made), _kid(floor), *fids, *shares, end_section=name == "objects"
            )
    return table


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=0, collapse_padding=True
    )
    table.add_column("", no_wrap=True)
    return table


def _kid(pair: Comparison) -> str:
    if pair.kid is None:
        return "-"
    return f"{1000 * pair.kid:.1f} ± {'?' if pair.kid_error is None else format(1000 * pair.kid_error, '.1f')}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def inside_table(numbers: Quality) -> Table:
    """Show how varied the insides of the masks are, whether they are copies, and the seams."""
    table = _table("inside the masks, and at the margin's edge (1.00: as varied, no seam, found as often as real ones)")
    for title in ("diversity", "near copies", "test's", "own shape's", "by chance", "seam", "seam 95 %", "found"):
        table.add_column(title, justify="right")

    seams = numbers.seams.classes if numbers.seams else {}
    for name, inside in numbers.inside.items():
        copies, seam, agreed = inside.copies, seams.get(name, SeamRatios()), (numbers.agreement or {}).get(name)
        shares = (copies.share, copies.floor, copies.from_shape_source, copies.by_chance)
        ratios = (seam.median, seam.p95, agreed.ratio if agreed else None)
        cells = [*(_number(share, ".0%") for share in shares), *(_number(ratio, ".2f") for ratio in ratios)]
        table.add_row(name_cell(name), _number(inside.diversity.ratio, ".2f"), *cells)
    return table


def crispness_table(crispness: Mapping[str, Crisp]) -> Table:
    """Show how crisp the drawn objects are, and held-out real ones."""
    table = _table("crispness, over that of the real training objects (1.00: as crisp; test's: of real ones as well)")
    for title in ("objects", "grain inside", "test's", "edge", "test's"):
        table.add_column(title, justify="right")
    for name, crisp in crispness.items():
        ratios = (crisp.grain, crisp.test_grain, crisp.edge, crisp.test_edge)
        table.add_row(name_cell(name), f"{crisp.synthetic.n:,}", *(_number(ratio, ".2f") for ratio in ratios))
    return table
