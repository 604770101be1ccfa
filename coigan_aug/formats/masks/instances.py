"""Mask images, a file for each instance: masks/<class>/<image's path>_<number>.png. Reading is that of mask folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.files import write_bytes
from coigan_aug.formats.format import Format
from coigan_aug.formats.losses import Losses, note_class_ids
from coigan_aug.formats.masks.class_folders import make_folders
from coigan_aug.formats.masks.folder import mask_stem, read
from coigan_aug.formats.source import claim
from coigan_aug.imaging import encode_image


def write(
    out: Path, records: Iterable[ImageRecord], *, classes: Sequence[DefectClass], losses: Losses | None = None
) -> Path:
    """Write `out/masks/<class>/<image's path>_<number>.png`, 0 and 255, a file for each mask; return `out/masks`.

    Numbers count from 1 in each image and class. An image whose own name is that of another with such a number would
    get the mask when it is read: those masks are a loss.

    Raises:
        DataError: two images differ in their suffix only.
    """
    losses = losses or Losses()
    note_class_ids(losses, classes)
    folders = make_folders(out / "masks", [defect_class.name for defect_class in classes])
    images: dict[str, str] = {}
    written: set[str] = set()
    for record in records:
        claim(mask_stem(record.file), record.file, images)
        losses.add_attributes(record)
        written.update(_write_masks(out, record, folders, losses))
    confused = sorted(written.intersection(images))
    what = "masks are named as another image, which a reader gives them to"
    losses.add(what, first=images[confused[0]] if confused else "", count=len(confused))
    return out / "masks"


def _write_masks(out: Path, record: ImageRecord, folders: Mapping[str, str], losses: Losses) -> list[str]:
    """Write the masks of an image and return their names, without class folder and suffix."""
    numbers: Counter[str] = Counter()
    names = []
    for annotation in record.annotations:
        area = rle.area(annotation.rle)
        losses.add("masks without pixels, which are left out", first=record.file, count=not area)
        if area:
            numbers[annotation.label] += 1
            names.append(f"{mask_stem(record.file)}_{numbers[annotation.label]}")
            pixels = encode_image(rle.decode(annotation.rle) * 255, suffix=".png")
            write_bytes(out / "masks" / folders[annotation.label] / f"{names[-1]}.png", pixels)
    return names


MASK_INSTANCES = Format(
    name="mask-instances",
    sniff=lambda path: None,  # these folders are told as mask folders, which reads them
    read=read,
    write=write,
    loses="the classes' ids",
    nameless=True,
)
