"""Finishing: from the rows of what was made to annotations, records, plan, preview and, last, the card."""

from __future__ import annotations

import shutil
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.annotations.rle import Rle, box
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write, disk_errors, json_line, read_json, read_lines, sha256, write_json
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import CARD
from coigan_aug.imaging import Pixels, read_image, to_rgb, write_image
from coigan_aug.pictures import contact_sheet, mark, surroundings
from coigan_aug.store.dataset import Dataset, class_from, class_masks
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.beside import real_records
from coigan_aug.synthesis.parts import PARTS, START, rows_in_order
from coigan_aug.synthesis.rejected import REJECTED, THUMBNAILS
from coigan_aug.synthesis.rows import PLAN, Row, read_rows
from coigan_aug.synthesis.written import note_written

PREVIEW = "preview.png"
PREVIEW_CELLS = 24


@dataclass(frozen=True)
class Made:
    """What was made: number of images, defects of each class by name, the annotation file, the preview.

    `erased` of the images are drawn on training images whose defects were erased; `rejected` counts the tries that were
    replaced, by reason, `missing` the defects that no try gave, by class; `real` images stand beside.
    """

    images: int
    defects: Mapping[str, int]
    annotations: Path
    preview: Path
    erased: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    real: int = 0


@dataclass
class _Tally:
    """What is counted while the rows go by."""

    images: int = 0
    erased: int = 0
    defects: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    engines: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    rejected: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    missing: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    effective: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("f")))
    shown: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("f")))

    def add(self, row: Row) -> None:
        for made in row["made"]:
            self.images += 1
            self.erased += bool(made["erased"])
            for defect in made["defects"]:
                self.defects[defect["class"]] += 1
                self.engines[defect["class"]][defect["engine"]] += 1
                self.effective[defect["class"]].append(defect["effective_iou"])
                self.shown[defect["class"]].append(defect["shown"])
        for item in row["rejected"]:
            self.rejected[item["reason"]][item["label"]] += 1
        for label in row["missing"]:
            self.missing[label] += 1


def record_of(row: Row, *, erased_margin: int) -> ImageRecord:
    """Return the record of an image that was made; its masks are the planned ones."""
    source: dict[str, Any] = {"base": row["base"], "region": row["region"], "seed": row["seed"]}
    if row["erased"]:
        source |= {"erased": True, "erased_margin_px": erased_margin}
    return ImageRecord(
        file=row["file"],
        height=row["region"][3],
        width=row["region"][2],
        annotations=tuple(_annotation(row, defect) for defect in row["defects"]),
        split="train",
        source=source,
    )


def _annotation(row: Row, defect: Row) -> Annotation:
    about = {
        "synthetic": True,
        "engine": defect["engine"],
        "base": row["base"],
        "seed": row["seed"],
        "contrast": defect["contrast"],
        "shape": defect["shape"],
        "shape_of": defect.get("of", ""),
        "effective_iou": defect["effective_iou"],
    }
    return Annotation(label=defect["class"], rle=_mask(defect), attributes=about)


def _mask(defect: Row) -> Rle:
    height, width = defect["size"]
    return Rle(height, width, defect["counts"])


def finish(out: Path, *, records: Path, dataset: Dataset) -> Made:
    """Write everything that a finished synthesis has beside its images; all its shares are finished.

    The same bytes come out whatever the shares were. Memory does not grow with the number of images, but for a few
    bytes each.

    Args:
        records: the folder of the Dataset that holds the records.
        dataset: what was drawn from; its real images are put beside where that was asked for.
    """
    start = read_json(out / START)
    classes = [class_from(value) for value in start["classes"]]
    count, margin = int(start["shards"]), int(start["erased_margin_px"])
    tally = _write_rows(out, count)
    if tally.images == 0:
        raise DataError(
            f"No image passed the screen; {sum(sum(own.values()) for own in tally.rejected.values())} tries"
            f" were rejected: {', '.join(sorted(tally.rejected))}. Pictures of them are in {out / THUMBNAILS}/.",
            remedy="Train longer, or look at what would have been made: --no-screen --overwrite",
        )

    def made() -> Iterator[ImageRecord]:
        return (record_of(row, erased_margin=margin) for _, row in read_rows(out / PLAN))

    card = dict(start["card"])
    folder = format_named(card["format"]).image_folder
    beside = list(real_records(dataset, start["real"] or [], out, folder=folder))
    annotations = _write_annotations(out, card["format"], chain(made(), beside), classes, beside)
    provenance = {"made_by": card["command"], "engine": card["engine"], **card["generator"]}
    write_dataset(records, made(), classes=classes, image_root=out, provenance=provenance)
    write_image(out / PREVIEW, _preview(out, made, classes))
    counts = {item.name: tally.defects[item.name] for item in classes}
    card |= {"images": tally.images, "defects": counts, "plan_sha256": sha256(out / PLAN)}
    card["engines"] = {name: dict(own) for name, own in sorted(tally.engines.items())}
    card["bases"] = start["card"]["bases"] | {
        "erased": tally.erased,
        "erased_share": round(tally.erased / max(tally.images, 1), 4),
    }
    card["screening"] = start["card"]["screening"] | _screening(tally)
    if start["real"] is not None:
        card["real"] = {
            "images": len(beside),
            "synthetic_share": round(tally.images / max(tally.images + _defective(beside), 1), 4),
        }
    write_json(out / CARD, card)
    (out / START).unlink()
    shutil.rmtree(out / PARTS, ignore_errors=True)
    rejected = {reason: sum(own.values()) for reason, own in tally.rejected.items()}
    return Made(
        tally.images, counts, annotations, out / PREVIEW, tally.erased, rejected, dict(tally.missing), len(beside)
    )


def _write_annotations(
    out: Path, form: str, records: Iterator[ImageRecord], classes: Sequence[DefectClass], beside: Sequence[ImageRecord]
) -> Path:
    """Write the annotations, and the list of the set's files: they are made aside, and seen before they are put in place."""
    new = out / PARTS / "annotations"
    shutil.rmtree(new, ignore_errors=True)
    path = format_named(form).write(new, records, classes=classes)
    labels = sorted(file.relative_to(new).as_posix() for file in new.rglob("*") if file.is_file())
    drawn = (row["file"] for row in chain(read_lines(out / PLAN), read_lines(out / REJECTED)) if row["file"])
    note_written(out, chain(drawn, (record.file for record in beside), labels))
    with disk_errors(out):
        for name in labels:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).replace(out / name)
    return out / path.relative_to(new)


def _defective(records: Sequence[ImageRecord]) -> int:
    return sum(bool(record.annotations) for record in records)


def _write_rows(out: Path, count: int) -> _Tally:
    """Write the plan as it was made and what was rejected, in the order of numbers, and count."""
    tally = _Tally()
    with atomic_write(out / PLAN) as plan, atomic_write(out / REJECTED) as rejected:
        for row in rows_in_order(out, count):
            tally.add(row)
            plan.writelines(json_line(made) for made in row["made"])
            rejected.writelines(json_line(item) for item in row["rejected"])
    return tally


def _screening(tally: _Tally) -> dict[str, Any]:
    effective = {
        name: {
            "n": len(values),
            "median": round(float(np.median(values)), 4),
            "p05": round(float(np.quantile(values, 0.05)), 4),
            "shown": round(float(np.median(tally.shown[name])), 4),
        }
        for name, values in sorted(tally.effective.items())
    }
    return {
        "rejected": {reason: dict(sorted(own.items())) for reason, own in sorted(tally.rejected.items())},
        "missing": dict(sorted(tally.missing.items())),
        "effective": effective,
    }


def _preview(out: Path, made: Callable[[], Iterator[ImageRecord]], classes: Sequence[DefectClass]) -> Pixels:
    """Show defects of each class by turns, close up: without and with the outline of the mask."""
    each = max(PREVIEW_CELLS // len(classes), 2)
    chosen: dict[str, list[tuple[ImageRecord, Annotation]]] = {item.name: [] for item in classes}
    for record in made():
        for annotation in record.annotations:
            if len(chosen[annotation.label]) < each:
                chosen[annotation.label].append((record, annotation))
        if all(len(own) == each for own in chosen.values()):
            break
    rows = []
    for own in chosen.values():
        pictures = [_close_up(out, record, annotation, classes) for record, annotation in own]
        if pictures:
            rows += [[plain for plain, _ in pictures], [outlined for _, outlined in pictures]]
    return contact_sheet(rows, classes=classes, cell=192)


def _close_up(
    out: Path, record: ImageRecord, annotation: Annotation, classes: Sequence[DefectClass]
) -> tuple[Pixels, Pixels]:
    """Cut a defect out of its image with surroundings: once as it is, once with the masks outlined."""
    pixels = to_rgb(read_image(out / record.file))
    masks, empty = class_masks(record), np.zeros(pixels.shape[:2], np.uint8)
    outlined = mark(pixels, np.stack([masks.get(item.name, empty) for item in classes]), classes)
    rows, columns = surroundings(box(annotation.rle), height=record.height, width=record.width)
    return pixels[rows, columns], outlined[rows, columns]
