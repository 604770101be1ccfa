"""Run lengths in a CSV, as Kaggle's Severstal and other competitions have them: 1-based "start length" pairs.

Layouts: ImageId, ClassId, EncodedPixels (only rows with defects), ImageId_ClassId, EncodedPixels (a row for each image
and class, the cell empty where there is none), and ImageId, EncodedPixels (each row an object). Columns are bound by their
names, of which several are known. Runs go along columns, unless the columns are known for rows or the options say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write
from coigan_aug.formats.format import Format
from coigan_aug.formats.image_folder import ImageFolder, NamedImages, open_images
from coigan_aug.formats.image_sizes import measure
from coigan_aug.formats.labels import label_id, label_order
from coigan_aug.formats.losses import Losses, add_class_ids, class_masks
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import ClassChoice, Problems, Source, make_classes, output_ids, place, whole_number
from coigan_aug.formats.tables.cells import CELLS, Target, check_length, read_cells, write_cell
from coigan_aug.formats.tables.columns import Columns
from coigan_aug.formats.tables.mask_file import MaskFile
from coigan_aug.formats.tables.names import FullNames, suffixed
from coigan_aug.formats.tables.rows import Row, columns_of, read_rows

_EMPTY = frozenset({"", "-1", "nan", "none", "null", "1 0"})
_NOTHING = frozenset({"", "nan", "none", "null"})
_SAMPLED = 2000
_BATCH, _HEAVY = 64, 1 << 22  # rows, or signs of their cells, that are read at once


@dataclass
class _Table:
    """What the CSV said: sizes of the images measured so far, and for each image the masks of its classes, in `file`:
    one each, but for tables that list objects.

    `labels` are the classes met; `names` says for a class as the CSV spells it what its name is. `others` is what
    further columns say of an image, but for those in `mixed`, which speak of single rows; `waiting` holds rows whose
    cells are not read yet: image, class, target and cell.
    """

    sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    masks: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    file: MaskFile = field(default_factory=MaskFile)
    labels: dict[str, None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    others: dict[str, dict[str, str]] = field(default_factory=dict)
    mixed: set[str] = field(default_factory=set)
    waiting: list[tuple[str, str, Target, str]] = field(default_factory=list)
    columns: Columns | None = None
    order: str | None = None

    @property
    def by_rows(self) -> bool:
        """Whether runs go along rows: the options say so, or else the columns are known for it."""
        return self.order == "rows" if self.order else self.columns is not None and self.columns.by_rows

    @property
    def runs(self) -> str:
        """In words, where runs go, if it is not along columns as ever."""
        if self.order:
            return f", runs along {self.order}"
        return ", runs along rows, as these columns are known for (--rle-order columns if not)" if self.by_rows else ""


def sniff(path: Path) -> str | None:
    """Describe the file if its first line has the columns of this format, else return None."""
    if not path.is_file() or path.suffix.lower() not in (".csv", ".txt", ".tsv"):
        return None
    columns = columns_of(path)
    return f"Severstal RLE CSV (columns {', '.join(columns.names)})" if columns else None


def read(reading: Reading) -> Source:
    """Open a CSV and its images; images without a row, or with empty cells, are defect-free.

    Every row is checked and turned into a compressed string here, which waits in a temporary file. Further columns
    are kept in `record.source`, unless the rows of an image differ in them. Names may lack their suffix.

    Raises:
        DataError: a column is missing, a row is malformed or does not fit its image, a class is unknown,
            an image is missing or broken; the last two unless an option says otherwise.
    """
    quiet = replace(reading, problems=Problems(lenient=reading.problems.lenient))
    folder, where = open_images(reading, suffixed(row.name for row in islice(read_rows(quiet), _SAMPLED)))
    images_named = FullNames(folder)
    named = NamedImages(reading, folder)
    table = _Table(columns=columns_of(reading.path), order=reading.options.rle_order)
    _read_masks(reading, table, named, images_named)
    for name in list(reading.problems.lost):
        with suppress(DataError):
            reading.problems.lose(images_named.of(name, at=reading.name))
    paths = named.finish()
    classes = _classes(table.labels, reading.options.classes)
    images = sorted(set(folder.images()) | set(paths.values()))
    beside = sorted(folder.masks - set(paths.values()))
    if beside:
        what = f"{len(beside):,} .png files lie beside images of the same name (first: {beside[0]})"
        reading.problems.add(what, file=f"{folder.root.name}/", done="taken for masks, left out")
    return Source(
        format="severstal",
        description=f"{sniff(reading.path) or 'RLE CSV'}{table.runs}. Images: {where}",
        classes=classes,
        image_root=folder.root,
        count=len(images),
        records=_records(reading, folder, images, table, classes=classes, named=paths),
    )


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/annotations.csv` in the layout ImageId, ClassId, EncodedPixels; the union mask of each class is a row.

    Names are those below `images/`, where the images are looked for first; as in the competition they carry no folder.
    Class ids are those of the source where all are whole numbers, else 1, 2, ...
    """
    losses, ids = losses or Losses(), output_ids(classes, least=0)
    add_class_ids(losses, classes, ids.values())
    _tell_names(losses, classes, ids)
    path = out / "annotations.csv"
    with atomic_write(path) as stream:
        stream.write(b"ImageId,ClassId,EncodedPixels\n")
        for record in records:
            losses.add_attributes(record)
            for label, mask in class_masks(record, losses):
                cell = write_cell(mask)
                if cell:
                    stream.write(f"{_quoted(record.file.removeprefix('images/'))},{ids[label]},{cell}\n".encode())
    return path


def _tell_names(losses: Losses, classes: Sequence[DefectClass], ids: Mapping[str, int]) -> None:
    """Count the names, which the CSV has no place for: lost where the classes have no ids of their own to go by."""
    named = [c for c in classes if c.name != str(ids[c.name])]
    known = [c.name for c in named if c.source_id == ids[c.name]]
    lost = [c.name for c in named if c.name not in known]
    losses.note("class names, which their ids stand for", first="".join(known[:1]), count=len(known))
    losses.add("class names, which are not written", first="".join(lost[:1]), count=len(lost))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"\r\n') else name


# Masks


def _read_masks(reading: Reading, table: _Table, named: NamedImages, full: FullNames) -> None:
    size = 0
    try:
        for row in read_rows(reading):
            with reading.problems.attempt(file=reading.name, row=row.number, done="row left out", lost=row.name):
                name = full.of(row.name, at=place(reading.name, row.number))
                _read_row(reading, table, row if name == row.name else row._replace(name=name), named)
            size += len(row.cell)
            if len(table.waiting) >= _BATCH or size > _HEAVY:
                _read_waiting(table)
                size = 0
    except DataError:
        _read_waiting(table)  # a mistake in an earlier row is the one to tell
        raise
    _read_waiting(table)


def _read_row(reading: Reading, table: _Table, row: Row, named: NamedImages) -> None:
    image = named.path(row.name, row.number)
    if image is None:
        return
    if image not in table.sizes:
        table.sizes[image] = measure(reading, named.folder, image, at=place(reading.name, row.number))
    size = table.sizes[image]
    if size is not None:
        if row.others:
            known = table.others.setdefault(image, {})
            table.mixed.update(name for name, value in row.others.items() if known.setdefault(name, value) != value)
        column = table.columns.names[table.columns.cell] if table.columns else CELLS
        _add_row(table, image, row, Target(reading, row.number, row.name, *size, table.by_rows, column))


def _add_row(table: _Table, image: str, row: Row, target: Target) -> None:
    """Check a row but for its cell, which waits to be read with others."""
    empty = row.cell.lower() in _EMPTY
    if empty and row.label.lower() in _NOTHING:
        return
    label = table.names.get(row.label)
    if label is None:
        label = table.names[row.label] = _label(row.label, target)
    table.labels[label] = None
    if not empty:
        check_length(row.cell, target)
        table.waiting.append((image, label, target, row.cell))


def _read_waiting(table: _Table) -> None:
    """Turn the rows that wait into compressed masks.

    A second row of an image and class joins the first, unless the table lists objects.
    """
    waiting = table.waiting
    table.waiting = []
    cells, targets = [cell for *_, cell in waiting], [target for _, _, target, _ in waiting]
    masks = read_cells(cells, targets)
    for (image, label, target, _), mask in zip(waiting, masks, strict=True):
        if mask is None:
            target.reading.problems.lose(image)
            continue
        places = table.masks.setdefault(image, {}).setdefault(label, [])
        parts = [mask]
        if places and not (table.columns is not None and table.columns.objects):
            reading, what = target.reading, f"{target.name} has class {label} twice"
            reading.problems.add(what, file=reading.name, row=target.number, done="masks joined")
            parts.append(rle.Rle(mask.height, mask.width, table.file.get(places.pop())))
        places.append(table.file.put((rle.union(parts) if len(parts) > 1 else mask).counts))


# Classes and records


def _label(text: str, target: Target) -> str:
    """Return the class name for a class id as the CSV has it."""
    number, choices = whole_number(text), target.reading.options.classes
    label = text if number is None else str(number)
    if label.lower() in _NOTHING:
        raise DataError(f"{target.place}  has pixels and no class.")
    if not choices:
        return label
    names = _chosen(choices)
    if label not in names:
        given, ids = ",".join(choice.name for choice in choices), list(names)
        counted = len(ids) > 1 and ids == [str(k + 1) for k in range(len(ids))]
        known = f"{ids[0]}-{ids[-1]}" if counted else ", ".join(ids)
        raise DataError(f"{target.place}  class {label} is not among the classes {known} given with --classes {given}")
    return names[label]


def _chosen(choices: Sequence[ClassChoice]) -> dict[str, str]:
    """Return class id -> name for --classes; entries without a value count from 1."""
    return {choice.value or str(k): choice.name for k, choice in enumerate(choices, start=1)}


def _classes(labels: Iterable[str], choices: Sequence[ClassChoice]) -> tuple[DefectClass, ...]:
    ids = _chosen(choices) if choices else {label: label for label in sorted(labels, key=label_order)}
    return make_classes(list(ids.values()), source_ids=[label_id(label) for label in ids])


def _records(
    reading: Reading,
    folder: ImageFolder,
    images: Sequence[str],
    table: _Table,
    *,
    classes: Sequence[DefectClass],
    named: dict[str, str],
) -> Iterator[ImageRecord]:
    names = {path: name for name, path in named.items()}
    for image in images:
        if image not in table.sizes:
            table.sizes[image] = measure(reading, folder, image)
        size = table.sizes.pop(image)
        if size is None:
            continue
        places = table.masks.pop(image, {})
        masks = [(c.name, rle.Rle(*size, table.file.get(at))) for c in classes for at in places.get(c.name, [])]
        annotations = tuple(Annotation(label=label, rle=mask) for label, mask in masks)
        name = names.get(image, image)
        others = {key: value for key, value in table.others.pop(image, {}).items() if key not in table.mixed}
        source = others | ({"name": name} if name != image else {})
        yield ImageRecord(file=image, height=size[0], width=size[1], annotations=annotations, source=source)


SEVERSTAL = Format(
    name="severstal",
    sniff=sniff,
    read=read,
    write=write,
    loses="class names (their ids stay), and which masks of one class in an image are objects of their own",
    nameless=True,
)
