"""Writing a COCO file: run lengths, or polygons for a named reader."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from coigan_aug.annotations import rle
from coigan_aug.annotations.batches import extents, of_records
from coigan_aug.annotations.corners import trace_corners_many, trace_turns_many
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import UsageError
from coigan_aug.files import atomic_write
from coigan_aug.formats.coco.checking import Written, check_written
from coigan_aug.formats.losses import Losses, add_class_ids
from coigan_aug.formats.source import output_ids
from coigan_aug.geometry import Box

OWN = frozenset({"segmentation", "image_id", "category_id", "bbox", "area"})
READERS = ("pycocotools", "cv2")
_Item = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Style:
    """How annotations are written: category ids by class name, and the options of `write`."""

    categories: Mapping[str, int]
    polygons: str | None
    crowd: bool
    own_ids: bool


def write(
    out: Path,
    records: Iterable[ImageRecord],
    *,
    classes: Sequence[DefectClass],
    losses: Losses | None = None,
    polygons: str | None = None,
    crowd: bool = False,
    image_ids: bool = False,
    mask_ids: bool = False,
    notes: bool = False,
) -> Path:
    """Write `out/annotations.json`: compressed run lengths with iscrowd 0, area and box of the mask, ids from 1.

    What else is known of an annotation (its attributes) is written beside, under its own name, as `read` found it.
    Category ids are those of the source where all are whole numbers, else 1, 2, ... Masks without pixels are left out.
    Memory does not grow with the number of records, but while pycocotools sees the file (`check_written`, up to 64 MiB).

    Args:
        polygons: write outlines for this reader instead of run lengths: pixel corners for "pycocotools", contour centres
            for "cv2" (cv2.fillPoly). Each gets the mask back pixel by pixel; masks with holes are cut into pieces without.
        crowd: write iscrowd 1, as some tools expect of run lengths. Most trainers leave such annotations out.
        image_ids: write the ids of the source; the caller has seen that each image has one, a whole number of its own.
        mask_ids: the same of the annotations' ids, which begin at 1.
        notes: write what else is known of an image (its source's plain values, its side of the split) beside it.

    Raises:
        UsageError: polygons for an unknown reader, or with `crowd`.
        RuntimeError: the file is not what was written, which is a bug of this package.
    """
    _check(polygons, crowd)
    losses, categories = losses or Losses(), output_ids(classes, least=0)
    add_class_ids(losses, classes, categories.values())
    style = _Style(categories=categories, polygons=polygons, crowd=crowd, own_ids=mask_ids)
    path, count, number, pixels = out / "annotations.json", 0, 0, 0
    with atomic_write(path) as stream, tempfile.TemporaryFile(dir=out) as images:
        stream.write(b'{"categories": ' + _json([{"id": categories[c.name], "name": c.name} for c in classes]))
        stream.write(b',\n"annotations": [')
        measure = functools.partial(_measured, polygons=polygons)
        for count, (record, measured) in enumerate(of_records(records, measure), start=1):
            image_id = record.source["id"] if image_ids else count
            image = {"id": image_id, "file_name": record.file, "height": record.height, "width": record.width}
            line = _json((_notes(record) if notes else {}) | image)
            images.write((b",\n" if count > 1 else b"") + line)
            for annotation, ((area, box), segmentation) in zip(record.annotations, measured, strict=True):
                _count_losses(annotation, area, style, losses=losses, file=record.file)
                if area:
                    number, pixels = number + 1, pixels + area
                    about = {"image_id": image_id, "segmentation": segmentation, "area": area, "bbox": box}
                    line = _json(_written(annotation, number, about, style))
                    stream.write((b",\n" if number > 1 else b"\n") + line)
        stream.write(b'\n],\n"images": [\n')
        images.seek(0)
        shutil.copyfileobj(images, stream)
        stream.write(b"\n]}\n")
    written = Written(images=count, annotations=number, categories=len(classes), pixels=pixels)
    check_written(path, written, filled=polygons != "cv2")
    return path


def _check(polygons: str | None, crowd: bool) -> None:
    if polygons is not None and polygons not in READERS:
        what = f"There are no polygons for {polygons!r}."
        raise UsageError(what, remedy="Name the reader that they are for: --polygons pycocotools, or cv2")
    if polygons is not None and crowd:
        raise UsageError("--crowd is for run lengths, not for --polygons.", remedy="Leave one of them out.")


def _count_losses(annotation: Annotation, area: int, style: _Style, *, losses: Losses, file: str) -> None:
    losses.add("masks without pixels, which are left out", first=file, count=not area)
    if annotation.attributes.get("iscrowd") and not style.crowd:
        losses.add("crowd marks (iscrowd 1), which are written as 0", first=file)
    if not OWN.isdisjoint(annotation.attributes):
        losses.add("masks with attributes named like fields of COCO, which are not written", first=file)


def _notes(record: ImageRecord) -> _Item:
    plain = {
        key: value for key, value in record.source.items() if isinstance(value, (str, int, float)) and key != "name"
    }
    return ({"split": record.split} if record.split else {}) | plain


def _measured(masks: Sequence[rle.Rle], *, polygons: str | None) -> Iterable[tuple[tuple[int, Box], Any]]:
    """Return the area and box of masks, and what is written as their segmentation."""
    if polygons is None:
        return zip(extents(masks), ({"size": [m.height, m.width], "counts": m.counts} for m in masks), strict=True)
    traced = trace_corners_many(masks) if polygons == "pycocotools" else trace_turns_many(masks)
    return zip(extents(masks), ([points.ravel().tolist() for points in outlines] for outlines in traced), strict=True)


def _written(annotation: Annotation, number: int, about: _Item, style: _Style) -> _Item:
    beside = {key: value for key, value in annotation.attributes.items() if key not in OWN | {"id", "iscrowd"}}
    ids = {"id": annotation.attributes["id"] if style.own_ids else number, "image_id": about["image_id"]}
    return ids | {"category_id": style.categories[annotation.label]} | about | {"iscrowd": int(style.crowd)} | beside


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (OverflowError, TypeError):  # whole numbers of more than 64 bits
        return json.dumps(value, ensure_ascii=False).encode()
