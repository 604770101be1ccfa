"""The columns of a run-length CSV: which one names the image, which the class, and which holds the runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from coigan_aug.errors import UsageError
from coigan_aug.imaging import SUFFIXES

ONLY_CLASS = "1"
"""The class of all masks where no column says one."""

_JOINED = ("imageidclassid", "imagelabel", "imageclass", "imageidlabel")
_IMAGES = ("imageid", "image", "filename", "imagename", "img", "imgid", "id")
_CLASSES = ("classid", "class", "label", "categoryid", "category", "classname", "celltype")
_CELLS = ("encodedpixels", "encodedpixel", "rle", "rlemask", "segmentation")
_DRAWN = "annotation"  # of cells under a microscope (Sartorius): beside cell_type alone it is known for runs
_BY_ROWS = (frozenset({"id", "class", "segmentation"}), frozenset({"id", _DRAWN, "celltype"}))
_SUFFIXED = re.compile(rf"(.*(?:{'|'.join(map(re.escape, SUFFIXES))}))_(.+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Columns:
    """Where things stand in a row.

    Args:
        names: the columns as the file has them.
        image: the position of the image's name.
        label: that of the class; None where it stands behind the image's name (`joined`), or nowhere.
        cell: that of the runs.
        joined: image and class are one cell, `0002.jpg_1`.
        by_rows: the columns are known for runs that go along rows.
    """

    names: tuple[str, ...]
    image: int
    label: int | None
    cell: int
    joined: bool
    by_rows: bool

    @property
    def objects(self) -> bool:
        """Whether each row is an object of its own: no column tells rows of one image apart."""
        return self.label is None and not self.joined

    @property
    def used(self) -> frozenset[int]:
        """The positions of all that is read."""
        return frozenset({self.image, self.cell} | ({self.label} if self.label is not None else set()))

    def of(self, row: Sequence[str]) -> tuple[str, str, str]:
        """Return image, class and cell of a row.

        >>> columns_from(["Image_Label", "EncodedPixels"]).of(["a_1.jpg_Big_Fish", "1 3"])
        ('a_1.jpg', 'Big_Fish', '1 3')
        """
        image, cell = row[self.image].strip(), row[self.cell].strip()
        if self.joined:
            return *_parted(image), cell
        return image, ONLY_CLASS if self.label is None else row[self.label].strip(), cell


def columns_from(names: Sequence[str]) -> Columns | None:
    """Bind columns by their names, whatever their case, spaces and underscores; None where they are not of this format."""
    at = {re.sub(r"[\s_-]", "", name.lower()): k for k, name in enumerate(names)}
    titles = tuple(name.strip() for name in names)
    cell = _first(at, _CELLS if "celltype" not in at else (_DRAWN, *_CELLS))
    if cell is None:
        return None
    joined = _first(at, _JOINED)
    if joined is not None:
        return Columns(titles, joined, None, cell, joined=True, by_rows=False)
    image = _first(at, _IMAGES)
    by_rows = any(known <= at.keys() for known in _BY_ROWS)
    return None if image is None else Columns(titles, image, _first(at, _CLASSES), cell, joined=False, by_rows=by_rows)


def parse_order(text: str | None) -> str | None:
    """Read the value of --rle-order.

    Raises:
        UsageError: it is neither rows nor columns.
    """
    if text not in (None, "rows", "columns"):
        raise UsageError(f"--rle-order {text}: runs go along rows or columns.", remedy="Write  --rle-order rows")
    return text


def _first(at: dict[str, int], names: Sequence[str]) -> int | None:
    return next((at[name] for name in names if name in at), None)


def _parted(text: str) -> tuple[str, str]:
    """Part an image's name from the class behind it: behind its suffix, else at the last underscore."""
    suffixed = _SUFFIXED.fullmatch(text)
    if suffixed is not None:
        return suffixed[1], suffixed[2]
    name, _, label = text.rpartition("_")
    return name, label
