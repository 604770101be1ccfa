"""Finishing: from the rows of what was made to annotations, records, plan, preview and, last, the card."""

from __future__ import annotations

import shutil
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from msgspec import UNSET, structs

from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.annotations.rle import Rle, box
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write, disk_errors, sha256
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import CARD
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, read_image, to_rgb, write_image
from coigan_aug.pictures import contact_sheet, mark, surroundings
from coigan_aug.sealed import sealed_line, write_sealed
from coigan_aug.store.card import Beside, Card, Effective, Screening
from coigan_aug.store.dataset import Dataset, class_from, class_masks
from coigan_aug.store.noted import note_images
from coigan_aug.store.origin import Origin, shape_said
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.parts import PARTS, START, Start, rows_in_order
from coigan_aug.synthesis.rejected import REJECTED, THUMBNAILS, each_rejected
from coigan_aug.synthesis.rows import PLAN, LogRow, MadeDefect, MadeRow, read_made
from coigan_aug.synthesis.written import note_written, real_records

PREVIEW = "preview.png"
PREVIEW_CELLS = 24


@dataclass(frozen=True)
class Made:
    """What was made: number of images, defects of each class by name, the annotation file, the preview.

    `erased` of the images are drawn on training images whose defects were erased; `rejected` counts the tries that were
    replaced, by reason, `missing` the defects that no try gave, by class; `real` images stand beside. `void` counts the
    images with void pixels, where the format of the annotations can't hold these.
    """

    images: int
    defects: Mapping[str, int]
    annotations: Path
    preview: Path
    erased: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    real: int = 0
    void: int = 0


@dataclass
class _Tally:
    """What is counted while the rows go by."""

    images: int = 0
    erased: int = 0
    void: int = 0
    defects: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    engines: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    rejected: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    missing: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    effective: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("f")))
    shown: dict[str, array[float]] = field(default_factory=lambda: defaultdict(lambda: array("f")))

    def add(self, row: LogRow) -> None:
        for image in row.made:
            self.images += 1
            self.erased += image.erased
            self.void += image.void is not UNSET
            for defect in image.defects:
                self.defects[defect.label] += 1
                self.engines[defect.label][defect.engine] += 1
                self.effective[defect.label].append(defect.effective_iou)
                self.shown[defect.label].append(defect.shown)
        for item in row.rejected:
            self.rejected[item.reason][item.label] += 1
        for label in row.missing:
            self.missing[label] += 1


def record_of(row: MadeRow, *, erased_margin: int) -> ImageRecord:
    """Return the record of an image that was made; its masks are the planned ones, or what really changed."""
    origin = Origin(base=row.base, region=Box(*row.region), erased_margin=erased_margin if row.erased else None)
    return ImageRecord(
        file=row.file,
        height=row.region[3],
        width=row.region[2],
        annotations=tuple(_annotation(row, defect) for defect in row.defects),
        split="train",
        source=origin.as_source(seed=row.seed),
        void=None if row.void is UNSET else Rle(row.region[3], row.region[2], row.void),
    )


def _annotation(row: MadeRow, defect: MadeDefect) -> Annotation:
    about = {
        "synthetic": True,
        "engine": defect.engine,
        "base": row.base,
        "seed": row.seed,
        "contrast": defect.contrast,
        "shape": defect.shape,
        **shape_said(defect.of or None),
        "effective_iou": defect.effective_iou,
    }
    if defect.projected_from is not UNSET:
        about["projected_from"] = "{}:{}".format(*defect.projected_from)
    counts = defect.counts if defect.labelled is UNSET else defect.labelled
    return Annotation(label=defect.label, rle=Rle(*defect.size, counts), attributes=about)


def finish(out: Path, start: Start, *, records: Path, dataset: Dataset) -> Made:
    """Write everything that a finished synthesis has beside its images; all its shares are finished.

    The same bytes come out whatever the shares were. Memory does not grow with the number of images, but for a few
    bytes each.

    Args:
        records: the folder of the Dataset that holds the records.
        dataset: what was drawn from; its real images are put beside where that was asked for.
    """
    classes = [class_from(value) for value in start.classes]
    tally = _write_rows(out, start.shards)
    rejected = {reason: sum(counts.values()) for reason, counts in tally.rejected.items()}
    if tally.images == 0:
        raise DataError(
            f"No image passed the screen; {sum(rejected.values())} tries"
            f" were rejected: {', '.join(sorted(rejected))}. Pictures of them are in {out / THUMBNAILS}/.",
            remedy="Train longer, or look at what would have been made: --no-screen --overwrite",
        )

    def made() -> Iterator[ImageRecord]:
        return (record_of(row, erased_margin=start.erased_margin_px) for row in read_made(out))

    card = start.card
    form = card.format or ""
    beside = list(real_records(dataset, start.real or [], out, folder=format_named(form).image_folder))
    annotations = _write_annotations(out, form, chain(made(), beside), classes, beside)
    provenance = {"made_by": card.command, "engine": card.engine, **msgspec.to_builtins(card.generator)}
    noted = note_images(out / row.file for row in read_made(out))
    write_dataset(records, made(), classes=classes, image_root=out, provenance=provenance, noted=noted)
    write_image(out / PREVIEW, _preview(out, made, classes))
    counts = {item.name: tally.defects[item.name] for item in classes}
    write_sealed(out / CARD, _finished(card, tally, counts, None if start.real is None else beside, sha256(out / PLAN)))
    (out / START).unlink()
    shutil.rmtree(out / PARTS, ignore_errors=True)
    void = tally.void + sum(record.void is not None for record in beside)
    return Made(
        tally.images, counts, annotations, out / PREVIEW, tally.erased, rejected, dict(tally.missing), len(beside),
        0 if format_named(form).void else void,
    )  # fmt: skip


def _finished(card: Card, tally: _Tally, counts: dict[str, int], real: Sequence[ImageRecord] | None, plan: str) -> Card:
    """Say on the card what came out.

    Args:
        real: the images beside, where such were asked for.
        plan: the checksum of the plan.
    """
    defective = sum(bool(record.annotations) for record in real or ())
    share = round(tally.images / max(tally.images + defective, 1), 4)
    erased_share = round(tally.erased / max(tally.images, 1), 4)
    return structs.replace(
        card,
        images=tally.images,
        engines={name: dict(engines) for name, engines in sorted(tally.engines.items())},
        defects=counts,
        plan_sha256=plan,
        bases=structs.replace(card.bases, erased=tally.erased, erased_share=erased_share),
        screening=structs.replace(
            card.screening or Screening(),
            rejected={reason: dict(sorted(counts.items())) for reason, counts in sorted(tally.rejected.items())},
            missing=dict(sorted(tally.missing.items())),
            effective={name: _effective(values, tally.shown[name]) for name, values in sorted(tally.effective.items())},
        ),
        real=UNSET if real is None else Beside(images=len(real), synthetic_share=share),
    )


def _effective(overlaps: array[float], shown: array[float]) -> Effective:
    return Effective(
        n=len(overlaps),
        median=round(float(np.median(overlaps)), 4),
        p05=round(float(np.quantile(overlaps, 0.05)), 4),
        shown=round(float(np.median(shown)), 4),
    )


def _write_annotations(
    out: Path, form: str, records: Iterator[ImageRecord], classes: Sequence[DefectClass], beside: Sequence[ImageRecord]
) -> Path:
    """Write the annotations, and the list of the set's files: they are made aside, and seen before they are put in place."""
    new = out / PARTS / "annotations"
    shutil.rmtree(new, ignore_errors=True)
    path = format_named(form).write(new, records, classes=classes)
    labels = sorted(file.relative_to(new).as_posix() for file in new.rglob("*") if file.is_file())
    drawn = (row.file for row in read_made(out))
    thumbnails = (item.file for item in each_rejected(out) if item.file)
    note_written(out, chain(drawn, thumbnails, (record.file for record in beside), labels))
    with disk_errors(out):
        for name in labels:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).replace(out / name)
    return out / path.relative_to(new)


def _write_rows(out: Path, count: int) -> _Tally:
    """Write the plan as it was made and what was rejected, in the order of numbers, and count."""
    tally = _Tally()
    with atomic_write(out / PLAN) as plan, atomic_write(out / REJECTED) as rejected:
        for row in rows_in_order(out, count):
            tally.add(row)
            plan.writelines(sealed_line(image) for image in row.made)
            rejected.writelines(sealed_line(item) for item in row.rejected)
    return tally


def _preview(out: Path, made: Callable[[], Iterator[ImageRecord]], classes: Sequence[DefectClass]) -> Pixels:
    """Show defects of each class by turns, close up: without and with the outline of the mask."""
    each = max(PREVIEW_CELLS // len(classes), 2)
    chosen: dict[str, list[tuple[ImageRecord, Annotation]]] = {item.name: [] for item in classes}
    for record in made():
        for annotation in record.annotations:
            if len(chosen[annotation.label]) < each:
                chosen[annotation.label].append((record, annotation))
        if all(len(defects) == each for defects in chosen.values()):
            break
    rows = []
    for defects in chosen.values():
        pictures = [_close_up(out, record, annotation, classes) for record, annotation in defects]
        if pictures:
            rows += [[plain for plain, _ in pictures], [outlined for _, outlined in pictures]]
    return contact_sheet(rows, classes=classes, cell=192)


def _close_up(
    out: Path, record: ImageRecord, annotation: Annotation, classes: Sequence[DefectClass]
) -> tuple[Pixels, Pixels]:
    """Cut a defect out of its image with surroundings: once as it is, once with the masks outlined."""
    rows, columns = surroundings(box(annotation.rle), height=record.height, width=record.width)
    shown = Box(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    region = shown.grow(1).clip((record.height, record.width))  # an outline lies beside its mask
    pixels = to_rgb(read_image(out / record.file)[region.slices])
    masks = class_masks(record, region)
    empty = np.zeros(pixels.shape[:2], np.uint8)
    outlined = mark(pixels, np.stack([masks.get(item.name, empty) for item in classes]), classes)
    inner = shown.seen_from(region).slices
    return pixels[inner], outlined[inner]
