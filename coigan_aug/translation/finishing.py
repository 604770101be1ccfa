"""Finishing: from the rows of what was translated to annotations, records, preview and, last, the card."""

from __future__ import annotations

import contextlib
import platform
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET

from coigan_aug import __version__
from coigan_aug import rng as streams
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.annotations.rle import box
from coigan_aug.errors import DataError
from coigan_aug.files import atomic_write, disk_errors, inside
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import CARD
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, read_rgb, write_image
from coigan_aug.pictures import contact_sheet, mark
from coigan_aug.sealed import read_lines, sealed_line, write_sealed
from coigan_aug.store.card import Card, Screening, Translated
from coigan_aug.store.dataset import Dataset, class_masks
from coigan_aug.store.noted import note_images
from coigan_aug.store.origin import Origin, origin_of, shape_said, shape_source
from coigan_aug.store.writer import write_dataset
from coigan_aug.translation.applying import LOG, START, Work, read_rows
from coigan_aug.translation.judging import LEAST_FOUND, LEAST_GAP, LEAST_KEPT, TranslatedRow

PREVIEW = "preview.png"
SHOWN = 8
CLOSE = 224
"""px of a close-up's side, at least."""
PROMISE = "Every mask is that of the image that was translated, bit for bit."
WRITTEN = ".written"
"""A line of JSON for each file of the annotations, so that a new set replaces these and no others."""
_NEW = ".annotations"


@dataclass(frozen=True, kw_only=True)
class Set:
    """How a translated set is written: its format, the command that made it, and where the records are kept as a Dataset.

    `source` and `target` are the folders of what was translated and of whose look it has; `unknown` counts the images of
    unknown state, which are left out.
    """

    format: str
    command: str
    records: Path
    source: str
    target: str
    unknown: int = 0


def record_of(dataset: Dataset, row: TranslatedRow, work: Work) -> ImageRecord:
    """Return the record of a translated image: the masks as they were, and where it comes from."""
    assert row.file is not UNSET
    record = dataset[row.position]
    origin = origin_of(record) or Origin(base=record.file, region=Box.of((record.height, record.width)))
    about = {"translated_from": record.file, "engine": work.engine.name, "reference": row.reference}
    return replace(
        record,
        file=row.file,
        annotations=tuple(_annotation(item, record.file) for item in record.annotations),
        source=origin.as_source(seed=work.seed) | about,
    )


def _annotation(annotation: Annotation, file: str) -> Annotation:
    """Say of a real defect that it is a copy of one, so that nobody takes it for another real one."""
    if shape_source(annotation) is not None:
        return annotation
    return replace(annotation, attributes={**annotation.attributes, **shape_said(file)})


def finish(work: Work, rows: Sequence[TranslatedRow], made: Set) -> Card:
    """Write everything that a translated set has beside its images; the same bytes come whatever the threads and kills were.

    Raises:
        DataError: no image passed.
    """
    dataset, out = work.dataset, work.out
    kept = [row for row in rows if row.file is not UNSET]
    if not kept:
        remedy = "Look at what would have been made: --no-screen --overwrite"
        raise DataError("No image passed the screen: in each a defect was lost.", remedy=remedy)
    with atomic_write(out / LOG) as log:
        log.writelines(sealed_line(row) for row in rows)
    about = {"made_by": made.command, "translated_from": made.source, "to": made.target}
    kept_records = keep_records(work, rows, made.records, about=about)
    annotations = _write_annotations(out, made.format, kept_records)
    write_image(out / PREVIEW, before_and_after(dataset, kept_records, kept, seed=work.seed))
    void = sum(record.void is not None for record in kept_records)
    card = _card(
        work, rows, made, annotations.relative_to(out).as_posix(), void=0 if format_named(made.format).void else void
    )
    write_sealed(out / CARD, card)
    (out / START).unlink(missing_ok=True)
    return card


def keep_records(work: Work, rows: Sequence[TranslatedRow], folder: Path, *, about: Mapping[str, Any] = {}) -> Dataset:
    """Keep the records of images that were translated as a Dataset; `about` is said of it beside its engine."""
    kept = [row for row in rows if row.file is not UNSET]
    records = (record_of(work.dataset, row, work) for row in kept)
    noted = note_images(work.out / row.file for row in kept if row.file is not UNSET)
    about = {**about, **work.engine.about()}
    return write_dataset(
        folder, records, classes=work.dataset.classes, image_root=work.out, provenance=about, noted=noted
    )


def _card(work: Work, rows: Sequence[TranslatedRow], made: Set, annotations: str, *, void: int) -> Card:
    kept = [row for row in rows if row.file is not UNSET]
    objects = [item for row in kept for item in row.objects]
    counts = Counter(item.label for item in objects)
    rejected: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in (finding for row in rows for finding in row.rejected):
        rejected[finding.reason][finding.label] += 1
    missing = Counter(
        item.label for row in rows if row.file is UNSET for item in work.dataset[row.position].annotations
    )
    limits: dict[str, Any] = {"least_gap": LEAST_GAP, "least_gap_kept": LEAST_KEPT}
    if work.judge.hard:
        limits["least_found_kept"] = LEAST_FOUND
    name = work.engine.name
    return Card(
        images=len(kept),
        format=made.format,
        command=made.command,
        program=f"coigan-aug {__version__}",
        engine=name,
        engines={label: {name: count} for label, count in sorted(counts.items())},
        defects={label: counts[label] for label in work.dataset.names},
        promise=PROMISE,
        screening=Screening(
            on=work.judge.on,
            attempts=work.attempts,
            limits=limits,
            rejected={reason: dict(sorted(count.items())) for reason, count in sorted(rejected.items())},
            missing=dict(sorted(missing.items())),
        ),
        data=work.dataset.manifest["sha256"],
        versions={"python": platform.python_version(), "numpy": np.__version__},
        translated=Translated(
            source=made.source,
            to=made.target,
            about=dict(work.engine.about()),
            seed=work.seed,
            annotations=annotations,
            left_out=len(rows) - len(kept),
            unknown=made.unknown,
            void_lost=void,
            **measured(kept),
        ),
    )


def measured(rows: Sequence[TranslatedRow]) -> dict[str, Any]:
    """Return what was measured of the defects of some rows: medians and shares, as `Translated` names them."""
    objects = [item for row in rows for item in row.objects]
    moved = [item.moved for item in objects if item.moved is not None]
    gaps = [item.gap for item in objects if item.gap is not None and item.gap[0] >= LEAST_GAP]
    found = [item.found for item in objects if item.found is not None]
    ratios = [after / before for before, after in gaps]
    return {
        "objects": len(objects),
        "edges_moved": round(float(np.median(moved)), 4) if moved else None,
        "edges_moved_p95": round(float(np.quantile(moved, 0.95)), 4) if moved else None,
        "gap_kept": round(float(np.median(ratios)), 4) if ratios else None,
        "visible": round(float(np.mean([ratio >= LEAST_KEPT for ratio in ratios])), 4) if ratios else None,
        "found_before": _share([before for before, _ in found]),
        "found_after": _share([after for _, after in found]),
    }


def _share(found: Sequence[float]) -> float | None:
    return round(float(np.mean([share >= LEAST_FOUND for share in found])), 4) if found else None


def before_and_after(dataset: Dataset, made: Dataset, rows: Sequence[TranslatedRow], *, seed: int) -> Pixels:
    """Show eight random images with a defect close up: before, before with masks outlined, after, after outlined."""
    shown = [k for k, row in enumerate(rows) if dataset[row.position].annotations] or list(range(len(rows)))
    chosen = streams.generator(seed, "translate.preview").permutation(len(shown))[:SHOWN]
    lines: list[list[Pixels]] = [[], [], [], []]
    for k in sorted(shown[int(place)] for place in chosen):
        record = made[k]
        region = _close_up(record)
        masks = class_masks(record, region)
        empty = np.zeros((region.height, region.width), np.uint8)
        stack = np.stack([masks.get(item.name, empty) for item in dataset.classes])
        for place, pixels in enumerate((dataset.image(rows[k].position), read_rgb(made.image_path(k)))):
            cut = np.ascontiguousarray(pixels[region.slices])
            lines[2 * place].append(cut)
            lines[2 * place + 1].append(mark(cut, stack, dataset.classes))
    return contact_sheet(lines, classes=dataset.classes, cell=192)


def _close_up(record: ImageRecord) -> Box:
    shape = (record.height, record.width)
    if not record.annotations:
        return Box.of(shape)
    own = box(record.annotations[0].rle)
    side = max(CLOSE, own.longer * 3 // 2)
    return own.around(side, side).shifted_into(shape).clip(shape)


def _write_annotations(out: Path, form: str, records: Dataset) -> Path:
    """Write the annotations aside, list them, and put them in place."""
    new = out / _NEW
    shutil.rmtree(new, ignore_errors=True)
    path = format_named(form).write(new, iter(records), classes=records.classes)
    names = sorted(file.relative_to(new).as_posix() for file in new.rglob("*") if file.is_file())
    with atomic_write(out / WRITTEN) as stream:
        stream.writelines(sealed_line({"file": name}) for name in names)
    with disk_errors(out):
        for name in names:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).replace(out / name)
    shutil.rmtree(new, ignore_errors=True)
    return out / path.relative_to(new)


def remove_set(out: Path, files: Mapping[int, str]) -> None:
    """Remove the files of a set, finished or begun, and the folders that are empty then; other files stay.

    Args:
        files: those that the set that comes will have: a killed run may have written one more than it noted.
    """
    listed = [str(line["file"]) for line in read_lines(out / WRITTEN)]
    images = [row.file for row in read_rows(out) if row.file is not UNSET]
    folders: set[Path] = set()
    (out / CARD).unlink(missing_ok=True)
    for name in (*listed, *images, *files.values(), WRITTEN, PREVIEW, START, LOG):
        path = inside(out, name)
        path.unlink(missing_ok=True)
        folders.update(folder for folder in path.parents if folder.is_relative_to(out) and folder != out)
    shutil.rmtree(out / _NEW, ignore_errors=True)
    for folder in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
