"""Pictures for people: outlines over images, contact sheets."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.masks import outline
from coigan_aug.annotations.records import DefectClass
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels

CELL, EDGE = 192, 3  # side of a contact sheet's squares, and how far from their edges pictures end, px
LINE = 24  # height of headings and of the class key, px


def mark(image: Pixels, masks: NDArray[np.uint8], classes: Sequence[DefectClass], *, width: int = 1) -> Pixels:
    """Draw the outlines, `width` px, of masks [K, H, W] over an image [H, W, 3] in the classes' colours."""
    out = image.copy()
    for mask, item in zip(masks, classes, strict=True):
        out[outline(mask, width=width) != 0] = item.colour
    return out


def contact_sheet(
    rows: Sequence[Sequence[Pixels]],
    *,
    headings: Sequence[str] = (),
    classes: Sequence[DefectClass] = (),
    cell: int = CELL,
) -> Pixels:
    """Lay pictures of any size out in rows of `cell` px squares, enlarged without smoothing, under headings and a class key."""
    drawn = [np.concatenate([_fit(picture, cell) for picture in row], axis=1) for row in rows]
    width = max(line.shape[1] for line in drawn)
    padded = [np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0)), constant_values=24) for line in drawn]
    return np.concatenate([_heading(headings, classes, width, cell), *padded])


def cell_of(side: int) -> int:
    """Return the side of a contact sheet's squares in which pictures of a side are shown twice as large, 192 px at most."""
    return min(CELL, 2 * side + 2 * EDGE)


def cut_sheet(sheet: Pixels, columns: int) -> list[list[Pixels]]:
    """Take the pictures out of a contact sheet of `columns` pictures a row; none where the sheet has another layout."""
    cell, rest = divmod(sheet.shape[1], columns)
    if rest or cell <= 2 * LINE:
        return []
    rows, top = divmod(sheet.shape[0], cell)
    if top not in (0, LINE, 2 * LINE):
        return []
    corners = [[(top + row * cell, column * cell) for column in range(columns)] for row in range(rows)]
    inner = slice(EDGE, cell - EDGE)
    return [[sheet[y : y + cell, x : x + cell][inner, inner] for y, x in line] for line in corners]


def surroundings(box: Box, *, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of a close-up of a box in an image of height x width.

    A square of half as much again as the box, 64 px at least, or what the image has of it.
    """
    side, shape = max(64, box.longer * 3 // 2), (height, width)
    return box.around(side, side).shifted_into(shape).clip(shape).slices


def _fit(picture: Pixels, cell: int) -> Pixels:
    height, width = picture.shape[:2]
    factor = (cell - 2 * EDGE) / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    small = cv2.resize(picture, size, interpolation=kind)
    out = np.full((cell, cell, 3), 24, np.uint8)
    top, left = (cell - size[1]) // 2, (cell - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out


def _heading(headings: Sequence[str], classes: Sequence[DefectClass], width: int, cell: int) -> Pixels:
    bar = np.full((LINE * bool(headings) + LINE * bool(classes), width, 3), 24, np.uint8)
    widest = max((_length(text) for text in headings), default=1)
    size = min(0.5, 0.5 * (cell - 12) / widest)
    for k, text in enumerate(headings):
        _write(bar, text, k * cell + 6, 17, (235, 235, 235), size=size)
    left = 6
    for item in classes:
        left = _write(bar, item.name, left, bar.shape[0] - 7, item.colour) + 16
    return bar


def _write(bar: Pixels, text: str, left: int, base: int, colour: tuple[int, int, int], *, size: float = 0.5) -> int:
    cv2.putText(bar, _plain(text), (left, base), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
    return left + _length(text)


def _length(text: str) -> int:
    return int(cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0])


def _plain(text: str) -> str:
    return text.encode("ascii", "replace").decode()
