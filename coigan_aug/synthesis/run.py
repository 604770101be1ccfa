"""synthesize: plan, draw, write; a killed one continues, and a finished one is complete by its card."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coigan_aug import __version__
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.annotations.rle import box
from coigan_aug.compose.erase import TELEA, Erasing
from coigan_aug.config import settings_to_dict
from coigan_aug.errors import Stopped, UsageError
from coigan_aug.files import folder_lock, read_json, write_json
from coigan_aug.formats.detect import IMAGE_FOLDERS, writer
from coigan_aug.imaging import Pixels, read_image, to_rgb, write_image
from coigan_aug.pictures import contact_sheet, mark, surroundings
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.settings import Settings
from coigan_aug.signals import stop_request
from coigan_aug.store.dataset import class_masks
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.bases import about_bases, read_base, source_of
from coigan_aug.synthesis.engines import Engine
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.plan import Job, PlannedDefect, base_of, make_plan, plan_hash

CARD = "card.json"
START = "synthesis.json"
PREVIEW_CELLS = 24
PROMISE = "Outside the masks grown by margin_px every byte is the base image's."
PROMISE_ERASED = "An erased base is the training image but for that image's own masks, grown by erased_margin_px."


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make: defects of each class, whole images or windows, in which format, by which command, drawn on what."""

    per_class: int
    windows: bool
    format: str
    command: str
    overwrite: bool = False
    bases: str = "clean"


@dataclass(frozen=True)
class Made:
    """What was made: number of images, defects of each class by name, the annotation file, the preview.

    `erased` of the images are drawn on training images whose defects were erased.
    """

    images: int
    defects: Mapping[str, int]
    annotations: Path
    preview: Path
    erased: int = 0


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that holds finished work, or files that are none of ours.

    Raises:
        UsageError: the message names the way out.
    """
    if overwrite or not out.exists():
        return
    if (out / CARD).exists():
        card = read_json(out / CARD)
        raise UsageError(
            f"{out} already holds {card['images']:,} images of {card['generator'].get('run', card['engine'])}.",
            remedy="--overwrite replaces them; or give another --out.",
        )
    if not (out / START).exists() and any(path.name != ".lock" for path in out.iterdir()):
        raise UsageError(f"{out} holds other files.", remedy="Give a new folder with --out.")


def synthesize(
    prepared: Prepared, engine: Engine, settings: Settings, request: Request, *, out: Path, records: Path,
    erasing: Erasing = TELEA, report: Report = silent,
) -> Made:  # fmt: skip
    """Make synthetic images below `out`, their annotations, a preview and a card; keep the records as a Dataset.

    A job's pixels depend on the engine and the job alone. Images that a killed run left are kept; the card comes last.

    Args:
        records: the folder of the Dataset that holds the records.
        erasing: how defects are erased from images to draw on, where the request asks for such.

    Raises:
        UsageError: `out` holds other work. Stopped: Ctrl-C or SIGTERM.
    """
    check_free(out, overwrite=request.overwrite)
    jobs = list(
        make_plan(prepared, settings, per_class=request.per_class, windows=request.windows, bases=request.bases)
    )
    with folder_lock(out), stop_request() as stop:
        _begin(out, engine, settings, jobs, request, erasing)
        folder = IMAGE_FOLDERS.get(request.format, "images")
        missing = [job for job in jobs if not (out / _file(job, folder)).exists()]
        done = len(jobs) - len(missing)
        report(done, len(jobs))
        for chunk in _chunks(missing, settings.synthesize.batch):
            for job, image in zip(
                chunk, engine.draw(chunk, [read_base(prepared, base_of(job), erasing) for job in chunk]), strict=True
            ):
                write_image(out / _file(job, folder), image)
            done += len(chunk)
            report(done, len(jobs))
            if stop.signal_number:
                message = f"Stopped; {done:,} of {len(jobs):,} images are in {out}."
                raise Stopped(message, signal_number=stop.signal_number, remedy="Continue with the same command.")
        return _finish(prepared, engine, settings, jobs, request, erasing, out=out, records=records)


def _begin(
    out: Path, engine: Engine, settings: Settings, jobs: Sequence[Job], request: Request, erasing: Erasing
) -> None:
    """Note what is being made. Images of the very same unfinished synthesis stay; others are removed or refused."""
    start = {
        "engine": engine.name,
        "generator": engine.about.get("sha256"),
        "plan": plan_hash(jobs),
        "erasing": [erasing.name, erasing.key],
        "format": request.format,
        "settings": _drawn_by(settings),
        "program": __version__,
    }
    same = (out / START).exists() and read_json(out / START) == start
    if (out / START).exists() and not same and not request.overwrite:
        raise UsageError(
            f"{out} holds an unfinished synthesis with other settings.",
            remedy="--overwrite replaces it; or give another --out.",
        )
    if not same:
        (out / CARD).unlink(missing_ok=True)
        for folder in {"images", *IMAGE_FOLDERS.values()}:
            shutil.rmtree(out / folder, ignore_errors=True)
    write_json(out / START, start)


def _file(job: Job, folder: str) -> str:
    return f"{folder}/synthetic_{job.number + 1:06d}.png"


def _chunks(jobs: Sequence[Job], size: int) -> Iterator[list[Job]]:
    rest = iter(jobs)
    while chunk := list(islice(rest, size)):
        yield chunk


def record_of(prepared: Prepared, job: Job, *, engine: str, folder: str = "images") -> ImageRecord:
    """Return the record of a job's image in a folder of the output; its masks are the planned ones."""
    annotations = tuple(
        Annotation(
            label=prepared.dataset.names[defect.label],
            rle=defect.rle,
            attributes={
                "synthetic": True,
                "engine": engine,
                "shape_of": prepared.dataset[prepared.objects[defect.shape_of].position].file,
            },
        )
        for defect in job.defects
    )
    return ImageRecord(
        file=_file(job, folder),
        height=job.region[3],
        width=job.region[2],
        annotations=annotations,
        split="train",
        source=source_of(prepared, base_of(job)),
    )


def _finish(
    prepared: Prepared,
    engine: Engine,
    settings: Settings,
    jobs: Sequence[Job],
    request: Request,
    erasing: Erasing,
    *,
    out: Path,
    records: Path,
) -> Made:
    """Write annotations, Dataset, preview and, last, the card."""
    classes, folder = prepared.dataset.classes, IMAGE_FOLDERS.get(request.format, "images")
    records_made = [record_of(prepared, job, engine=engine.name, folder=folder) for job in jobs]
    annotations = writer(request.format)(out, records_made, classes=classes)
    provenance = {"made_by": request.command, "engine": engine.name, **engine.about}
    write_dataset(records, records_made, classes=classes, image_root=out, provenance=provenance)
    write_image(out / "preview.png", _preview(prepared, jobs, records_made, out))
    counts = {
        item.name: sum(defect.label == k for job in jobs for defect in job.defects) for k, item in enumerate(classes)
    }
    bases = about_bases(prepared, [base_of(job) for job in jobs], request.bases, erasing)
    card = _card(prepared, engine, settings, jobs, request) | {"bases": bases, "defects": counts}
    write_json(out / CARD, card)
    (out / START).unlink()
    return Made(len(jobs), counts, annotations, out / "preview.png", erased=bases["erased"])


def _card(
    prepared: Prepared, engine: Engine, settings: Settings, jobs: Sequence[Job], request: Request
) -> dict[str, Any]:
    return {
        "images": len(jobs),
        "format": request.format,
        "command": request.command,
        "program": f"coigan-aug {__version__}",
        "engine": engine.name,
        "generator": dict(engine.about),
        "plan_sha256": plan_hash(jobs),
        "margin_px": margin_of(settings),
        "promise": PROMISE + (f" {PROMISE_ERASED}" if request.bases != "clean" else ""),
        "data": prepared.dataset.manifest["sha256"],
        "settings": _drawn_by(settings),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def _drawn_by(settings: Settings) -> dict[str, Any]:
    """Return the settings that pictures depend on; the batch is none of them."""
    values = {section: keys for section, keys in settings_to_dict(settings).items() if section in ("data", "model")}
    drawn = settings_to_dict(settings)["synthesize"]
    return values | {"synthesize": {key: value for key, value in drawn.items() if key != "batch"}}


def _preview(prepared: Prepared, jobs: Sequence[Job], records: Sequence[ImageRecord], out: Path) -> Pixels:
    """Show defects of each class by turns, close up: without and with the outline of the mask."""
    classes = prepared.dataset.classes
    each = max(PREVIEW_CELLS // len(classes), 2)
    rows = []
    for label in range(len(classes)):
        made = ((record, d) for job, record in zip(jobs, records, strict=True) for d in job.defects if d.label == label)
        pictures = [_close_up(out, record, defect, classes) for record, defect in islice(made, each)]
        rows += [[plain for plain, _ in pictures], [outlined for _, outlined in pictures]]
    return contact_sheet(rows, classes=classes, cell=192)


def _close_up(
    out: Path, record: ImageRecord, defect: PlannedDefect, classes: Sequence[DefectClass]
) -> tuple[Pixels, Pixels]:
    """Cut a defect out of its image with surroundings: once as it is, once with the masks outlined."""
    pixels = to_rgb(read_image(out / record.file))
    masks, empty = class_masks(record), np.zeros(pixels.shape[:2], np.uint8)
    outlined = mark(pixels, np.stack([masks.get(item.name, empty) for item in classes]), classes)
    rows, columns = surroundings(box(defect.rle), height=record.height, width=record.width)
    return pixels[rows, columns], outlined[rows, columns]
