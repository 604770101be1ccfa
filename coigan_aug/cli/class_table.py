"""The table of what there is of each class, as import and inspect show it."""

from __future__ import annotations

from rich.table import Table

from coigan_aug.prepare.importing import ImportReport
from coigan_aug.prepare.inspecting import Inspection


def class_table(report: ImportReport | Inspection) -> Table:
    """Lay out images and objects of each class, and on which side of the split they are."""
    table = Table("class")
    for title in ("images", "objects", "median px", "train", "test", "train %"):
        table.add_column(title, justify="right")
    for row in report.classes:
        numbers = (row.images, row.objects, round(row.median_pixels), row.train, row.test)
        share = "" if row.train_share is None else f"{row.train_share:.1%}"
        table.add_row(row.name, *(f"{number:,}" for number in numbers), share)
    table.add_section()
    table.add_row(
        "all images", f"{report.images:,}", f"{report.objects:,}", "", f"{report.train:,}", f"{report.test:,}"
    )
    return table
