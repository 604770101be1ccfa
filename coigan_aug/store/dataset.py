"""A Dataset: a folder of records, read one at a time by position."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pbjson

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.files import read_json
from coigan_aug.imaging import Pixels, read_rgb
from coigan_aug.store.index import load_index

FORMAT_VERSION = 1
MANIFEST = "dataset.json"
RECORDS = "records.jsonl"
INDEX = "records.idx"


class Dataset:
    """Images and their masks, read from a Dataset folder; `len`, `[i]` and iteration give `ImageRecord`.

    Reading a record is one positioned read of the file, so a Dataset may be shared between threads and
    forked processes, and is pickled as its folder's name.

    Raises:
        DataError: the folder holds no complete Dataset, or one of another format version.
    """

    def __init__(self, folder: Path) -> None:
        manifest = folder / MANIFEST
        if not manifest.exists():
            raise DataError(f"{folder} holds no data set.", remedy="Make one with: coigan-aug import YOUR.csv")
        self.folder = folder
        self.manifest: Mapping[str, Any] = read_json(manifest)
        if self.manifest.get("format_version") != FORMAT_VERSION:
            found = self.manifest.get("format_version")
            raise DataError(f"{manifest} is of format version {found}; this program reads {FORMAT_VERSION}.")
        self.binary = bool(self.manifest["binary"])
        self.classes = tuple(class_from(value) for value in self.manifest["classes"])
        self.image_root = (folder / self.manifest["image_root"]).resolve()
        self._offsets = load_index(folder / INDEX, folder / RECORDS, count=self.manifest["records"], binary=self.binary)
        self._file = os.open(folder / RECORDS, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def __getstate__(self) -> Path:
        return self.folder

    def __setstate__(self, folder: Path) -> None:
        self.__init__(folder)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, position: int) -> ImageRecord:
        if not 0 <= position < len(self):
            raise IndexError(f"record {position} of {len(self)}")
        start, end = int(self._offsets[position]), int(self._offsets[position + 1])
        data = os.pread(self._file, end - start, start)
        try:
            return record_from(pbjson.loads(data) if self.binary else json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.folder / RECORDS}: record {position} is damaged ({error}).") from error

    def __iter__(self) -> Iterator[ImageRecord]:
        return (self[position] for position in range(len(self)))

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, in the order of the classes."""
        return tuple(defect_class.name for defect_class in self.classes)

    def indices(self, split: str) -> list[int]:
        """Return the positions of the records of one split ("train" or "test")."""
        return [position for position, record in enumerate(self) if record.split == split]

    def image_path(self, position: int) -> Path:
        """Return where the image of a record lies."""
        return self.image_root / self[position].file

    def image(self, position: int) -> Pixels:
        """Read an image: uint8 [H, W, 3] RGB.

        Raises:
            DataError: the file is missing, damaged, or not of the record's size.
        """
        record = self[position]
        pixels = read_rgb(self.image_root / record.file)
        if pixels.shape[:2] != (record.height, record.width):
            found = f"{pixels.shape[0]} x {pixels.shape[1]}"
            raise DataError(f"{record.file} is {found} pixels, its record says {record.height} x {record.width}.")
        return pixels

    def masks(self, position: int) -> dict[str, rle.Mask]:
        """Return the union mask of each class in an image: name -> uint8 [H, W] of 0 and 1; absent classes have none."""
        return class_masks(self[position])


def class_masks(record: ImageRecord) -> dict[str, rle.Mask]:
    """Return a record's union mask for each class present: name -> uint8 [H, W] of 0 and 1."""
    labels = dict.fromkeys(annotation.label for annotation in record.annotations)
    return {label: rle.decode(rle.union([a.rle for a in record.annotations if a.label == label])) for label in labels}


def record_to(record: ImageRecord) -> dict[str, Any]:
    """Turn a record into JSON values; empty fields are left out."""
    annotations = [
        {"label": a.label, "counts": a.rle.counts} | ({"attributes": dict(a.attributes)} if a.attributes else {})
        for a in record.annotations
    ]
    value: dict[str, Any] = {"file": record.file, "size": [record.height, record.width], "annotations": annotations}
    optional = {"group": record.group, "split": record.split, "source": dict(record.source)}
    return value | {key: found for key, found in optional.items() if found}


def record_from(value: Mapping[str, Any]) -> ImageRecord:
    """Turn JSON values back into a record; the inverse of `record_to`."""
    height, width = value["size"]
    annotations = tuple(
        Annotation(label=a["label"], rle=rle.Rle(height, width, a["counts"]), attributes=a.get("attributes", {}))
        for a in value["annotations"]
    )
    return ImageRecord(
        file=value["file"],
        height=height,
        width=width,
        annotations=annotations,
        group=value.get("group", ""),
        split=value.get("split", ""),
        source=value.get("source", {}),
    )


def class_to(defect_class: DefectClass) -> dict[str, Any]:
    """Turn a class into JSON values."""
    return {"name": defect_class.name, "colour": list(defect_class.colour), "source_id": defect_class.source_id}


def class_from(value: Mapping[str, Any]) -> DefectClass:
    """Turn JSON values back into a class; the inverse of `class_to`."""
    red, green, blue = value["colour"]
    return DefectClass(name=value["name"], colour=(red, green, blue), source_id=value["source_id"])
