"""Writing a Dataset: records as they come, the index and the checksums, and the manifest last."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.annotations.void import on_masks
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write, json_line, sha256, write_bytes
from coigan_aug.sealed import write_sealed
from coigan_aug.store.dataset import (
    CHECKSUMS,
    FORMAT_VERSION,
    INDEX,
    MANIFEST,
    RECORDS,
    Dataset,
    class_to,
    record_to,
)
from coigan_aug.store.index import checksum, write_checksums, write_index
from coigan_aug.store.noted import IMAGES
from coigan_aug.store.packed import pack

_DEEPEST = 50


def write_dataset(
    folder: Path,
    records: Iterable[ImageRecord],
    *,
    classes: Sequence[DefectClass],
    image_root: Path,
    provenance: Mapping[str, Any],
    binary: bool = False,
    noted: bytes = b"",
) -> Dataset:
    """Write records as a Dataset and open it; an existing one in the folder is replaced.

    The manifest goes first when replacing and comes last when writing, so a killed write leaves no
    Dataset rather than a wrong one. Memory does not grow with the number of records (12 bytes each).

    Args:
        image_root: the folder that the records' files are relative to; stored relative to `folder` where it can be.
        provenance: what it was made from, as JSON values.
        binary: store packed binary JSON instead of text.
        noted: what `note_images` says of the records' images, in their order; nothing: they are not compared later.

    Raises:
        DataError: a record can't be stored, or the runs of one of its masks do not add up to its image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    offsets, checksums, annotations = array("q", [0]), array("I"), 0
    with atomic_write(folder / RECORDS) as stream:
        for record in records:
            data = _encoded(record, binary=binary)
            stream.write(data)
            offsets.append(offsets[-1] + len(data))
            checksums.append(checksum(data))
            annotations += len(record.annotations)
    write_index(folder / INDEX, offsets)
    write_checksums(folder / CHECKSUMS, checksums)
    (folder / IMAGES).unlink(missing_ok=True)
    if noted:
        write_bytes(folder / IMAGES, noted)
    manifest = {
        "format_version": FORMAT_VERSION,
        "binary": binary,
        "records": len(offsets) - 1,
        "annotations": annotations,
        "classes": [class_to(defect_class) for defect_class in classes],
        "image_root": os.path.relpath(image_root.resolve(), folder.resolve()),
        "sha256": sha256(folder / RECORDS),
        "provenance": dict(provenance),
    }
    write_sealed(folder / MANIFEST, manifest)
    return Dataset(folder)


def _encoded(record: ImageRecord, *, binary: bool) -> bytes:
    try:
        for annotation in record.annotations:
            rle.runs(annotation.rle)  # here, once: a record that has its checksum is read without
            _check(annotation.attributes, _DEEPEST)
        if record.void is not None:
            rle.runs(record.void)
        if on_masks(record):
            raise ValueError("void pixels lie on its masks")
        return pack(record_to(record)) if binary else json_line(record_to(record))
    except ValueError as error:  # a lone surrogate or a key that is too long, too
        raise DataError(f"{record.file}: what is said of it can't be stored ({error}).") from error


def _check(value: Any, levels: int) -> None:
    """Refuse values that would not be read back: deeper than anything a person said, or not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    if levels < 1:
        raise ValueError(f"it is nested over {_DEEPEST} levels deep")
    for part in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        _check(part, levels - 1)
