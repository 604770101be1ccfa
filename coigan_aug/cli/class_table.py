"""The tables of what there is of each class, as import and inspect show them; they fit 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from coigan_aug.cli.cells import name_cell
from coigan_aug.data.counting import VoidCount
from coigan_aug.data.importing import ImportReport
from coigan_aug.data.inspecting import Inspection
from coigan_aug.data.statistics import QUANTILES

_SHOWN = 3
_LOW, _MIDDLE, _HIGH = (QUANTILES.index(share) for share in (0.05, 0.5, 0.95))


def class_table(report: ImportReport | Inspection) -> Table:
    """Lay out images and objects of each class, and on which side of the split they are, where there is one."""
    split = bool(report.train or report.test)
    table = _table("images", "objects", "median px", *(("train", "test", "train %") if split else ()))
    for row in report.classes:
        numbers = (row.images, row.objects, round(row.median_pixels), row.train, row.test)
        share = "" if row.train_share is None else f"{row.train_share:.1%}"
        cells = [f"{number:,}" for number in numbers]
        table.add_row(name_cell(row.name), *([*cells, share] if split else cells[:3]))
    table.add_section()
    sides = (f"{report.train:,}", f"{report.test:,}") if split else ()
    table.add_row("all images", f"{report.images:,}", f"{report.objects:,}", "", *sides)
    return table


def unknown_lines(files: Sequence[str]) -> Iterator[str]:
    """Say which images are of unknown state, and what that means."""
    if not files:
        return
    first = ", ".join(files[:_SHOWN]) + (" ..." if len(files) > _SHOWN else "")
    are = "images are" if len(files) > 1 else "image is"
    yield f"{len(files):,} {are} unknown: an annotation could not be used, or a mask is missing ({first})"
    yield "  Nothing is drawn on them, learned from them or measured on them. --unknown-as clean takes them as they are."


def void_lines(void: VoidCount) -> Iterator[str]:
    """Say how much is void, and what that means."""
    if void.images:
        have = "images have" if void.images > 1 else "image has"
        share = f"{void.pixels:,} px, {void.pixels / void.of:.1%} of {'their' if void.images > 1 else 'its'} pixels"
        yield f"{void.images:,} {have} void pixels (255; {share}): neither defect nor clean surface"


def shape_table(report: Inspection) -> Table:
    """Lay out how large and how long the objects of each class are, how many an image has, and their share of pixels."""
    table = _table("area px, 5 to 95 %", "width / height", "an image", "most", "of all px")
    for row in report.statistics:
        cells = [""] * 5
        if row.areas:
            areas = f"{row.areas[_LOW]:,.0f} to {row.areas[_HIGH]:,.0f}"
            aspects = f"{row.aspects[_LOW]:.2f} to {row.aspects[_HIGH]:.1f}"
            frequency = f"{row.mean_per_image:.1f}", f"{row.per_image[-1]:,.0f}"
            cells = [areas, aspects, *frequency, f"{row.pixel_share:.2%}"]
        table.add_row(name_cell(row.name), *cells)
    return table


def _table(*titles: str) -> Table:
    table = Table()
    table.add_column("class", overflow="fold", max_width=20)
    for title in titles:
        table.add_column(title, justify="right", overflow="fold")
    return table
