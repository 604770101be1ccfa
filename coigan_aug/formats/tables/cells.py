"""The cells of a run-length CSV: "start length" pairs, 1-based, along columns or rows, checked against their image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations import rle
from coigan_aug.annotations.batches import from_intervals_many
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import place

CELLS = "EncodedPixels"
_LARGEST = 1 << 61
_SLACK = 1_000_000  # signs: white space, and what costs no memory to tell of


class Target(NamedTuple):
    """Where a row's runs go: its place in the CSV, the image's name and size in pixels.

    `by_rows` says that they go along rows and not along columns; `column` is the name of the cell's column.
    """

    reading: Reading
    number: int
    name: str
    height: int
    width: int
    by_rows: bool = False
    column: str = CELLS

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the mask whose runs go along columns: that of the image, or that turned over."""
        return (self.width, self.height) if self.by_rows else (self.height, self.width)

    @property
    def place(self) -> str:
        return place(self.reading.name, self.number)

    def note(self, what: str, *, done: str) -> None:
        """Note a problem of the row's runs."""
        self.reading.problems.add(what, file=self.reading.name, row=self.number, column=self.column, done=done)


def read_cells(cells: Sequence[str], targets: Sequence[Target]) -> list[rle.Rle | None]:
    """Turn cells into masks, all that hold nothing odd at once; None where nothing of one is left.

    Raises:
        DataError: one is not pairs of whole numbers, or leaves the image and is not to be cut; the first such,
            and none where errors are collected.
    """
    masks = _plain_masks(cells, targets)
    for k, (cell, target) in enumerate(zip(cells, targets, strict=True)):
        if masks[k] is None:
            reading = target.reading
            with reading.problems.attempt(
                file=reading.name, row=target.number, done="row left out", column=target.column
            ):
                numbers = _numbers(cell, target)
                masks[k] = _mask(numbers[0::2] - 1, numbers[1::2], target)
    return [_turned(mask) if mask and target.by_rows else mask for mask, target in zip(masks, targets, strict=True)]


def check_length(cell: str, target: Target) -> None:
    """Refuse a cell that is longer than any mask of its image could be, before it is taken apart.

    Raises:
        DataError: it is.
    """
    pixels = target.height * target.width
    most = _SLACK + (pixels + 1) * (len(str(pixels)) + 2)
    if len(cell) > most:
        what = f"{target.place}  {target.column} holds {len(cell):,} signs, more than a mask of {target.name} can need"
        raise DataError(f"{what} ({target.height} x {target.width} px).", remedy="Is a line end missing?")


def _turned(mask: rle.Rle) -> rle.Rle:
    """Turn a mask over its diagonal: rows become columns."""
    return rle.encode(np.ascontiguousarray(rle.decode(mask).T))


def _plain_masks(cells: Sequence[str], targets: Sequence[Target]) -> list[rle.Rle | None]:
    """Turn cells into masks; None for those that hold oddities, or all of them where the cells can't be told apart."""
    text = " ".join(cells)
    length = np.array([cell.count(" ") + 1 for cell in cells])
    if not cells or not text.isascii() or text.encode().translate(None, b"0123456789 ") or (length % 2).any():
        return [None] * len(cells)
    numbers = np.minimum(np.fromstring(text, dtype=np.int64, sep=" "), _LARGEST)
    if len(numbers) != int(length.sum()):
        return [None] * len(cells)
    count = length // 2
    starts, ends = numbers[0::2] - 1, numbers[0::2] - 1 + numbers[1::2]
    plain = _are_plain(starts, ends, count, targets)
    kept = np.repeat(plain, count)
    sizes = [target.sides for target, is_plain in zip(targets, plain.tolist(), strict=True) if is_plain]
    masks = iter(from_intervals_many(sizes, starts[kept], ends[kept], count[plain]))
    return [next(masks) if is_plain else None for is_plain in plain.tolist()]


def _are_plain(starts: rle.Runs, ends: rle.Runs, count: rle.Runs, targets: Sequence[Target]) -> NDArray[np.bool_]:
    """Tell which rows have their runs in order, apart, none of them empty, and inside the image."""
    last = np.cumsum(count) - 1
    begins = last + 1 - count
    before = np.empty_like(ends)
    before[1:] = ends[:-1]
    before[begins] = -1
    good = (starts > before) & (ends > starts)
    pixels = np.array([target.height * target.width for target in targets])
    return np.asarray(np.logical_and.reduceat(good, begins) & (ends[last] <= pixels))


def _numbers(cell: str, target: Target) -> rle.Runs:
    """Parse a cell into its numbers; those too large for any image become 2^61."""
    if cell.encode().translate(None, b"0123456789 \t"):
        wrong = next((part for part in cell.split() if not (part.isascii() and part.isdigit())), cell)
        raise DataError(f"{target.place}  {target.column} holds {wrong[:40]!r}, which is not a whole number.")
    numbers = np.minimum(np.fromstring(cell, dtype=np.int64, sep=" "), _LARGEST)
    if len(numbers) % 2:
        what = f"{target.place}  {target.column} holds {len(numbers)} numbers; they must be pairs of start and length."
        raise DataError(what, remedy="Is the cell cut off? Spreadsheets cut cells at 32,767 characters.")
    return numbers


def _mask(starts: rle.Runs, lengths: rle.Runs, target: Target) -> rle.Rle | None:
    """Make a mask of runs, which may be out of order, overlap, be empty, or leave the image."""
    pixels = target.height * target.width
    ends = starts + lengths
    outside = np.flatnonzero((starts < 0) | (ends > pixels))
    if len(outside):
        k = int(outside[0])
        what = _outside(int(starts[k]), int(lengths[k]), target)
        if not target.reading.options.clip_rle:
            raise DataError(f"{target.place}  {what}", remedy="--clip-rle cuts it")
        target.note(what.rstrip("."), done="cut")
        starts, ends = np.clip(starts, 0, pixels), np.clip(ends, 0, pixels)
    _note_order(starts, ends, target)
    kept = ends > starts
    return rle.from_intervals(*target.sides, starts[kept], ends[kept]) if kept.any() else None


def _outside(start: int, length: int, target: Target) -> str:
    if start < 0:
        return f"RLE run 0+{length} of {target.name} begins before the first pixel, which is 1. Was it counted from 0?"
    size = f"{target.height} x {target.width} = {target.height * target.width} px"
    return f"RLE run {start + 1}+{length} ends outside {target.name} ({size}). Was the mask made for another size?"


def _note_order(starts: rle.Runs, ends: rle.Runs, target: Target) -> None:
    empty = int((ends <= starts).sum())
    if empty:
        target.note(f"{empty} runs of {target.name} have no pixels", done="dropped")
    if (starts[1:] < starts[:-1]).any():
        target.note(f"the runs of {target.name} are out of order", done="sorted")
    order = np.argsort(starts, kind="stable")
    if (starts[order][1:] < np.maximum.accumulate(ends[order])[:-1]).any():
        target.note(f"runs of {target.name} overlap", done="joined")


def write_cell(mask: rle.Rle) -> str:
    """Write a mask as "start length" pairs: 1-based, column-major, ascending; "" for an empty mask.

    >>> write_cell(rle.encode(np.array([[0, 1], [1, 1]])))
    '2 3'
    """
    starts, ends = rle.intervals(mask)
    numbers = np.stack([starts + 1, ends - starts], axis=1).ravel()
    return msgspec.json.encode(numbers.tolist())[1:-1].decode().replace(",", " ")  # 20 times faster than str
