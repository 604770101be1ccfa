"""Pictures out of the images: real and synthetic defects close up, and the samples of a training over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.components import split_components
from coigan_aug.annotations.masks import resize
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.annotations.rle import Mask
from coigan_aug.errors import DataError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, read_rgb, to_rgb
from coigan_aug.pictures import cut_sheet, mark, surroundings
from coigan_aug.prepare.objects import LARGE, DefectObject
from coigan_aug.report.figure import colour
from coigan_aug.report.inventory import Inventory, shown_classes
from coigan_aug.report.notes import Notes
from coigan_aug.report.results import CLASSES
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.samples import COLUMNS

SIDE = 160
TIMES = 5
ROWS = 6
EXAMPLES = 4


@dataclass(frozen=True)
class CloseUp:
    """A defect with its surroundings, uint8 [h, w, 3]: as it is, and with the masks outlined; the file it is from."""

    file: str
    plain: Pixels
    outlined: Pixels


def close_ups(dataset: Dataset, objects: Sequence[DefectObject], *, count: int, side: int = SIDE) -> list[CloseUp]:
    """Show `count` of the objects, of different groups where there are as many, spread evenly over their sizes.

    So nobody picks the handsome ones, and no piece is shown twice; one alone is of the middle size. Pictures have at most
    `side` px.

    Raises:
        DataError: an image is missing or damaged.
    """
    by_size = sorted(objects, key=lambda item: (item.box.width * item.box.height, item.position, item.box))
    groups = [dataset[item.position].group or dataset[item.position].file for item in by_size]
    first = [item for k, item in enumerate(by_size) if groups.index(groups[k]) == k]
    pool = first if len(first) >= count else by_size
    steps = np.linspace(0, len(pool) - 1, count + 2)[1:-1].round().astype(int).tolist()
    chosen = [pool[k] for k in (steps if len(pool) > count else range(len(pool)))]
    shown: dict[int, CloseUp] = {}
    for position in dict.fromkeys(item.position for item in chosen):  # an image is read once for all of its defects
        image, record = dataset.stored(position), dataset[position]
        for k, item in enumerate(chosen):
            if item.position == position:
                place = surroundings(item.box, height=record.height, width=record.width)
                shown[k] = _cut(dataset, position, image, place, side)
    return [shown[k] for k in range(len(chosen))]


def whole_image(dataset: Dataset, position: int, *, side: int = SIDE) -> CloseUp:
    """Show all of an image, its longer side at most `side` px.

    Raises:
        DataError: it is missing or damaged.
    """
    record = dataset[position]
    return _cut(dataset, position, dataset.stored(position), (slice(0, record.height), slice(0, record.width)), side)


def _cut(dataset: Dataset, position: int, image: Pixels, place: tuple[slice, slice], side: int) -> CloseUp:
    """Show a place of an image as stored, [H, W(, 3)]; outlines are drawn after resizing: thin lines would fade."""
    file, rows, columns = dataset[position].file, *place
    region = Box(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    small = to_rgb(fit(image[place], side))
    if not dataset.names:
        return CloseUp(file, small, small)
    if region.height * region.width > LARGE:
        marked = _coarse(dataset[position], dataset.names, small)
        return CloseUp(file, small, mark(small, marked, dataset.classes, width=2))
    masks, empty = dataset.masks(position, region), np.zeros((region.height, region.width), np.uint8)
    of_classes = [masks.get(name, empty) for name in dataset.names]
    if max(region.height, region.width) > side:
        height, width = small.shape[:2]
        stacked = np.stack([resize(mask, height=height, width=width) for mask in of_classes])
    else:
        stacked = np.stack([fit(mask, side) for mask in of_classes])
    line = 1 if (region.height, region.width) == small.shape[:2] else 2
    return CloseUp(file, small, mark(small, stacked, dataset.classes, width=line))


def _coarse(record: ImageRecord, names: Sequence[str], small: Pixels) -> Mask:
    """Mark in a small picture [h, w, 3] of a whole image where its masks are, however small: uint8 [K, h, w]."""
    height, width = small.shape[:2]
    marked = np.zeros((len(names), height, width), np.uint8)
    for annotation in record.annotations:
        for part in split_components(annotation.rle) if annotation.label in names else ():
            box = rle.box(part)
            top, left = box.top * height // record.height, box.left * width // record.width
            bottom, right = -(-box.bottom * height // record.height), -(-box.right * width // record.width)
            marked[names.index(annotation.label), top:bottom, left:right] = 1
    return marked


def fit(picture: Pixels, side: int) -> Pixels:
    """Bring a picture's longer side to at most `side` px, or, where it is shorter, up to it in whole steps, unsmoothed."""
    height, width = picture.shape[:2]
    longer = max(height, width)
    if longer > side:
        size = (max(round(width * side / longer), 1), max(round(height * side / longer), 1))
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    times = side // longer
    return picture.repeat(times, axis=0).repeat(times, axis=1)


@dataclass(frozen=True)
class Evolution:
    """Samples over time: `times` in samples seen; rows of pictures, at most twice as large as the windows are.

    `free` shows defects drawn on clean windows, `paired` real ones erased and drawn again.
    """

    times: tuple[int, ...]
    free: tuple[tuple[Pixels, ...], ...]
    paired: tuple[tuple[Pixels, ...], ...]


def evolution(paths: Sequence[Path], *, window: int) -> Evolution | None:
    """Read the sample sheets of a training: the first, some between, the last; None where there are none.

    Args:
        window: the side of the training windows, px.

    Raises:
        DataError: a sheet is damaged.
    """
    chosen = [paths[k] for k in sorted({round(k) for k in np.linspace(0, len(paths) - 1, TIMES)})] if paths else []
    sheets = {int(path.stem): cut_sheet(read_rgb(path), len(COLUMNS)) for path in chosen}
    whole = {images: rows[:ROWS] for images, rows in sheets.items() if rows}
    if not whole:
        return None
    last = list(whole.values())[-1]
    return Evolution(
        tuple(whole),
        _over_time(last, list(whole.values()), window, before="masks", drawn="drawn"),
        _over_time(last, list(whole.values()), window, before="erased", drawn="drawn again", after="real"),
    )


def _over_time(
    last: list[list[Pixels]], sheets: list[list[list[Pixels]]], window: int, *, before: str, drawn: str, after: str = ""
) -> tuple[tuple[Pixels, ...], ...]:
    """Return for each sample the picture before, what was drawn at each time, and the picture after."""
    rows = range(min(len(sheet) for sheet in sheets))
    columns = [[row[COLUMNS.index(before)] for row in last]]
    columns += [[row[COLUMNS.index(drawn)] for row in sheet] for sheet in sheets]
    columns += [[row[COLUMNS.index(after)] for row in last]] if after else []
    return tuple(tuple(_twice(column[k], window) for column in columns) for k in rows)


def _twice(picture: Pixels, window: int) -> Pixels:
    """Bring a picture of a sheet, which was enlarged without smoothing, back to the window's size, and to twice that.

    Where the window is larger than the picture, the picture stays as it is.
    """
    side = max(picture.shape[:2])
    if window >= side:
        return fit(picture, SIDE)
    firsts = -(-np.arange(window) * side // window)  # the first of the enlarged pixels of each one
    small = picture[firsts[firsts < picture.shape[0]]][:, firsts[firsts < picture.shape[1]]]
    return fit(small, max(min(2 * window, SIDE), window))


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A class: real and synthetic defects close up, with the number there are of each."""

    name: str
    colour: str
    real: tuple[CloseUp, ...]
    synthetic: tuple[CloseUp, ...]
    real_count: int
    synthetic_count: int


def beside(
    dataset: Dataset, inventory: Inventory, drawn: Dataset, *, notes: Notes, made: Sequence[DefectObject],
    count: int = EXAMPLES, side: int = SIDE,
) -> Iterator[Beside]:  # fmt: skip
    """Show `count` training objects of each class that was drawn and as many synthetic ones.

    Images that can't be read become notes.

    Args:
        inventory: of the data set.
        drawn: the synthetic set; `made` are its objects at full size.
        side: the longer side of a picture, px at most.
    """
    train = set(dataset.indices("train"))
    for row in shown_classes(inventory, most=CLASSES).classes:
        real = [item for item in row.objects if item.position in train]
        name = row.item.name
        label = drawn.names.index(name) if name in drawn.names else -1
        synthetic = [item for item in made if item.label == label]
        if synthetic:
            yield Beside(
                name=name,
                colour=colour(row.item),
                real=_close_ups(dataset, real, count, side, notes),
                synthetic=_close_ups(drawn, synthetic, count, side, notes),
                real_count=len(real),
                synthetic_count=len(synthetic),
            )
    if len(inventory.classes) > CLASSES:
        notes.add("beside", f"The {CLASSES} classes with most objects of {len(inventory.classes)} are shown.")


def _close_ups(
    dataset: Dataset, objects: Sequence[DefectObject], count: int, side: int, notes: Notes
) -> tuple[CloseUp, ...]:
    try:
        return tuple(close_ups(dataset, objects, count=count, side=side))
    except DataError as error:
        notes.add("beside", f"Some pictures can't be shown: {error.message}")
        return ()
