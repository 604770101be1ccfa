"""A Dataset: a folder of records, read one at a time by position."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import UNKNOWN, Annotation, DefectClass, ImageRecord
from coigan_aug.annotations.void import on_masks
from coigan_aug.errors import DataError
from coigan_aug.files import parse_json, sha256
from coigan_aug.geometry import Box
from coigan_aug.imaging import MAX_PIXELS, Pixels, read_image, to_rgb
from coigan_aug.sealed import Damaged, read_sealed
from coigan_aug.store.index import checksum, load_checksums, load_index, rebuild_beside
from coigan_aug.store.noted import IMAGES, changed_since, load_noted
from coigan_aug.store.packed import unpack

FORMAT_VERSION = 1
MANIFEST = "dataset.json"
RECORDS = "records.jsonl"
INDEX = "records.idx"
CHECKSUMS = "records.crc"


class Dataset:
    """Images and their masks, read from a Dataset folder; `len`, `[i]` and iteration give `ImageRecord`.

    Reading a record is one positioned read of the file, so a Dataset may be shared between threads and
    forked processes, and is pickled as its folder's name.

    Every file is compared with its checksum as it is read: what was changed or damaged since is told, not used.

    Args:
        noted: compare images with what was noted of them when they were imported.

    Raises:
        DataError: the folder holds no complete Dataset, or one of another format version. Damaged: it was changed.
    """

    def __init__(self, folder: Path, *, noted: bool = True) -> None:
        self.folder = folder
        self.manifest: Mapping[str, Any] = _manifest(folder)
        try:
            self.binary = bool(self.manifest["binary"])
            self.classes = tuple(class_from(value) for value in self.manifest["classes"])
            self.image_root = (folder / self.manifest["image_root"]).resolve()
            count = operator.index(self.manifest["records"])
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise DataError(f"{folder / MANIFEST} is damaged ({error}).", remedy="Import the data again.") from error
        self._offsets = load_index(folder / INDEX, folder / RECORDS, count=count, binary=self.binary)
        self._checksums = load_checksums(folder / CHECKSUMS, count=count)
        self._file = os.open(folder / RECORDS, os.O_RDONLY)
        self._rebuilt = False
        if self._checksums is None:
            self._rebuild("a record")
        self._noted = load_noted(folder / IMAGES, count=count, remedy=accepting(folder)) if noted else None

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
        data = self._bytes(position)
        if self._checksums is None or checksum(data) != self._checksums[position]:
            self._rebuild(f"record {position}")
            data = self._bytes(position)
        try:
            return record_from(unpack(data)[0] if self.binary else parse_json(data), sound=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{self.folder / RECORDS}: record {position} is damaged ({error}).") from error

    def _bytes(self, position: int) -> bytes:
        start, end = int(self._offsets[position]), int(self._offsets[position + 1])
        return os.pread(self._file, end - start, start)

    def _rebuild(self, what: str) -> None:
        """Make index and checksums anew where the records themselves are as they were written; else say that they are not."""
        if self._rebuilt or sha256(self.folder / RECORDS) != self.manifest.get("sha256"):
            raise Damaged(
                f"{self.folder / RECORDS}: {what} is damaged, or was changed by hand.", remedy=accepting(self.folder)
            )
        self._rebuilt = True
        self._offsets, self._checksums = rebuild_beside(
            self.folder / INDEX, self.folder / CHECKSUMS, self.folder / RECORDS, binary=self.binary
        )

    def __iter__(self) -> Iterator[ImageRecord]:
        return (self[position] for position in range(len(self)))

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, in the order of the classes."""
        return tuple(defect_class.name for defect_class in self.classes)

    def indices(self, split: str) -> list[int]:
        """Return the positions of the records of one split ("train" or "test"), but for those of unknown state.

        An image that lost an annotation serves nothing, not even with the masks that it has left: a defect without a mask
        may lie beside any of them, so that no part of it is a true negative, a base or a fair test.
        """
        return [k for k, record in enumerate(self) if record.split == split and not record.unknown]

    def image_path(self, position: int) -> Path:
        """Return where the image of a record lies."""
        return self.image_root / self[position].file

    def change_of(self, position: int, *, content: bool = True) -> str:
        """Say how the file of an image differs from what it was at import; "" where it does not, or that is not known.

        Args:
            content: compare its bytes too, not only how many there are.
        """
        return changed_since(self._noted, position, self.image_path(position), content=content)

    def stored(self, position: int) -> Pixels:
        """Read an image as the file has it: uint8 [H, W] grey or [H, W, 3] RGB.

        Raises:
            DataError: the file is missing, damaged, not of the record's size, or another than at import.
        """
        record = self[position]
        pixels = read_image(self.image_root / record.file)
        if pixels.shape[:2] != (record.height, record.width):
            size = f"{pixels.shape[0]} x {pixels.shape[1]}"
            raise DataError(
                f"{record.file} is {size} pixels, its record says {record.height} x {record.width}.", remedy=_AGAIN
            )
        if change := self.change_of(position):
            raise DataError(
                f"{self.image_root / record.file} is not the image that was imported: {change}.",
                remedy=accepting(self.folder),
            )
        return pixels

    def image(self, position: int) -> Pixels:
        """Read an image: uint8 [H, W, 3] RGB.

        Raises:
            DataError: as `stored`.
        """
        return to_rgb(self.stored(position))

    def masks(self, position: int, region: Box | None = None) -> dict[str, rle.Mask]:
        """Return the union mask of each class in an image, or in a region of it: name -> uint8 [h, w] of 0 and 1.

        Absent classes have none.
        """
        return class_masks(self[position], region)


def accepting(folder: Path) -> str:
    """Return what to do about a changed file of a Dataset: the remedy of a message."""
    return f"If it was changed on purpose: coigan-aug inspect {folder} --accept-changes . Else put it back, or import again."


_AGAIN = "Put the old image back, or import the data again."


def _manifest(folder: Path) -> Mapping[str, Any]:
    path = folder / MANIFEST
    if not path.exists():
        raise DataError(f"{folder} holds no data set.", remedy="Make one with: coigan-aug import YOUR.csv")
    manifest = read_sealed(path, remedy=accepting(folder))
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(f"{path} is of format version {version}; this program reads {FORMAT_VERSION}.")
    return manifest


def class_masks(record: ImageRecord, region: Box | None = None) -> dict[str, rle.Mask]:
    """Return a record's union mask for each class present, in a region or the whole image: name -> uint8 [h, w] of 0 and 1."""
    labels = dict.fromkeys(annotation.label for annotation in record.annotations)
    unions = {label: rle.union([a.rle for a in record.annotations if a.label == label]) for label in labels}
    return {
        label: rle.decode(union) if region is None else rle.decode_box(union, region) for label, union in unions.items()
    }


def record_to(record: ImageRecord) -> dict[str, Any]:
    """Turn a record into JSON values; empty fields are left out."""
    annotations = [
        {"label": a.label, "counts": a.rle.counts} | ({"attributes": dict(a.attributes)} if a.attributes else {})
        for a in record.annotations
    ]
    value: dict[str, Any] = {"file": record.file, "size": [record.height, record.width], "annotations": annotations}
    state = UNKNOWN if record.unknown else ""
    void = record.void.counts if record.void is not None else ""
    optional = {
        "group": record.group,
        "split": record.split,
        "source": dict(record.source),
        "state": state,
        "void": void,
    }
    return value | {key: item for key, item in optional.items() if item}


def record_from(value: Mapping[str, Any], *, sound: bool = False) -> ImageRecord:
    """Turn JSON values back into a record; the inverse of `record_to`.

    Args:
        sound: this package made them of a sound record, so the runs of the masks need not be looked at again.

    Raises:
        ValueError, KeyError, TypeError: they are no record, the file's name leaves the image root, a mask's runs do not add
            up to the image, or void pixels lie on a mask.
    """
    height, width = (operator.index(side) for side in value["size"])
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"an image of {height} x {width} pixels")
    annotations = tuple(
        Annotation(
            label=_text(a["label"]),
            rle=_mask(height, width, a["counts"], sound=sound),
            attributes=a.get("attributes", {}),
        )
        for a in value["annotations"]
    )
    record = ImageRecord(
        file=_inner(value["file"]),
        height=height,
        width=width,
        annotations=annotations,
        group=_text(value.get("group", "")),
        split=_text(value.get("split", "")),
        source=value.get("source", {}),
        unknown={"": False, UNKNOWN: True}[value.get("state", "")],
        void=_mask(height, width, value["void"], sound=sound) if "void" in value else None,
    )
    if not sound and on_masks(record):
        raise ValueError("void pixels lie on its masks")
    return record


def _mask(height: int, width: int, counts: str, *, sound: bool) -> rle.Rle:
    mask = rle.Rle(height, width, _text(counts))
    if not sound:
        rle.runs(mask)
    return mask


def _inner(file: str) -> str:
    parts = _text(file).split("/")
    if ".." in parts or not parts[0] or "\0" in file:
        raise ValueError(f"the file name {file!r} leaves the image folder")
    return file


def _text(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} instead of text")
    value.encode()  # refuses half characters
    return value


def class_to(defect_class: DefectClass) -> dict[str, Any]:
    """Turn a class into JSON values."""
    return {"name": defect_class.name, "colour": list(defect_class.colour), "source_id": defect_class.source_id}


def class_from(value: Mapping[str, Any]) -> DefectClass:
    """Turn JSON values back into a class; the inverse of `class_to`.

    Raises:
        ValueError, KeyError, TypeError: they are no class.
    """
    red, green, blue = (operator.index(part) for part in value["colour"])
    return DefectClass(name=_text(value["name"]), colour=(red, green, blue), source_id=value["source_id"])
