"""The objects of a data set, looked for once at each working scale and kept beside its decoded cache; disposable."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from coigan_aug.annotations.rle import Rle
from coigan_aug.errors import DataError, ResourceError
from coigan_aug.files import json_line
from coigan_aug.geometry import Box
from coigan_aug.log import note_kept
from coigan_aug.prepare.objects import DefectObject, objects_of_all, scaled_size
from coigan_aug.progress import Report, silently
from coigan_aug.sealed import Damaged, name_of, read_made, write_made
from coigan_aug.store.dataset import Dataset

_VERSION = 1  # what is counted up where objects come out otherwise than before


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of objects was made of.

    `data` is the checksum of the Dataset's records; objects know their class by its position in `classes`.
    """

    version: int
    data: str
    classes: tuple[str, ...]
    scale: float


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The objects of a record: its image's height and width, and of each class, mask, scaled mask ("": the same), its box."""

    height: int
    width: int
    objects: list[tuple[int, str, str, tuple[int, int, int, int]]]


def kept_objects(
    dataset: Dataset, *, scale: float, root: Path, progress: Callable[[str], Report] = silently
) -> list[list[DefectObject]]:
    """Return the objects of every record of a Dataset at a scale, as `objects_of` does, kept in a file below `root`.

    A file that is damaged, or made of other records, is made anew.
    """
    made = Made(version=_VERSION, data=dataset.manifest["sha256"], classes=dataset.names, scale=scale)
    path = root / f"objects-{name_of(made)}.jsonl"
    with contextlib.suppress(DataError, OSError):
        objects = _read(path, made, scale)
        note_kept("objects", path, kept=True)
        return objects
    note_kept("objects", path, kept=False)
    report, count = progress("finding objects"), len(dataset)
    objects = []
    for own in objects_of_all(enumerate(dataset), names=dataset.names, scale=scale):
        report(len(objects), count)
        objects.append(own)
    rows = zip(dataset, objects, strict=True)
    with contextlib.suppress(ResourceError):  # what can't be kept is looked for again
        write_made(path, made, b"".join(json_line(_row(record.height, record.width, own)) for record, own in rows))
    report(count, count)
    return objects


def _row(height: int, width: int, objects: list[DefectObject]) -> Row:
    rows = [(o.label, o.full.counts, "" if o.scaled is o.full else o.scaled.counts, tuple(o.box)) for o in objects]
    return Row(height, width, rows)  # type: ignore[arg-type]


def _read(path: Path, made: Made, scale: float) -> list[list[DefectObject]]:
    """Read a file of objects.

    Raises:
        Damaged: it is not as it was written, or was made of something else. OSError: it is not there.
    """
    try:
        rows = msgspec.json.Decoder(Row).decode_lines(read_made(path, made))
    except msgspec.MsgspecError as error:
        raise Damaged(f"{path} is damaged ({error}).") from error
    return [_objects(position, row, scale) for position, row in enumerate(rows)]


def _objects(position: int, row: Row, scale: float) -> list[DefectObject]:
    size, small = (row.height, row.width), scaled_size(row.height, row.width, scale)
    objects = []
    for label, full, scaled, box in row.objects:
        whole = Rle(*size, full)
        objects.append(DefectObject(position, label, whole, Rle(*small, scaled) if scaled else whole, Box(*box)))
    return objects
