"""Keeping: a picture goes into a set of the studio's, which is one as `synthesize` makes them, an image at a time."""

from __future__ import annotations

import dataclasses
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from msgspec import structs

from coigan_aug import __version__
from coigan_aug.compose.erase import TELEA
from coigan_aug.errors import UsageError
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import CARD
from coigan_aug.imaging import Pixels, write_image
from coigan_aug.sealed import write_sealed
from coigan_aug.store.card import Card, Earlier, PlacesUsed, Screening, read_card
from coigan_aug.store.dataset import MANIFEST, Dataset, class_to
from coigan_aug.studio.model import Model
from coigan_aug.synthesis.bases import bases_used, erased_margin
from coigan_aug.synthesis.change import Change
from coigan_aug.synthesis.finishing import Made, finish
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.parts import ALONE, PARTS, START, Start, numbers_of, open_log, read_start
from coigan_aug.synthesis.rows import PLAN, LogRow, made_row
from coigan_aug.synthesis.run import PROMISE, PROMISE_ERASED, check_free, drawn_by, keep_before
from coigan_aug.synthesis.void import made_void

STUDIO = "studio"
"""Folder of a workspace that holds what the studio writes, the records of its sets aside."""
FORMAT = "coco"
USUAL = "painted"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A picture that was kept: the set's folder, the picture's file in it, where the records lie, images in all."""

    out: Path
    file: str
    records: Path
    images: int


def set_folder(workspace: Folders, name: str) -> Path:
    """Return where the images of a set of the studio's lie.

    Raises:
        UsageError: it is no name for a folder, or another set of the workspace has it.
    """
    name = name or USUAL
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a set.", remedy="Letters, digits, - and _, at most 40, a letter or digit first."
        )
    out = workspace.root / STUDIO / name
    records = workspace.records_of(out)
    if (records / MANIFEST).exists() and Dataset(records, noted=False).image_root != out.resolve():
        raise UsageError(f"The workspace has a set {name} from elsewhere.", remedy="Give another name.")
    return out


def keep(
    workspace: Folders, model: Model, job: Job, image: Pixels, changes: Sequence[Change], *, name: str, command: str
) -> Kept:
    """Add a picture to a set: the image, its record with the masks as painted, a line of the plan.

    What is there before stays as it is. A kept picture that was being written at a kill is finished by the next one.

    Args:
        command: what the card says that the set was made by.

    Raises:
        UsageError: as `set_folder`, or the folder holds other work.
    """
    out = set_folder(workspace, name)
    with folder_lock(out, wait=True):
        check_free(out, overwrite=False, append=True)
        begun = read_start(out)
        if begun is not None:
            _finish(workspace, model, out, begun)
        shutil.rmtree(out / PARTS, ignore_errors=True)
        number = max(numbers_of(out / PLAN), default=0) + 1
        job = dataclasses.replace(job, number=number)
        file = f"{format_named(FORMAT).image_folder}/{job.name}.png"
        start = _start(model, job, out, command)
        engines = [model.engine.name] * len(job.defects)
        void = made_void(model.prepared, job, engines, margin=model.margin)
        with open_log(out, ALONE) as log:
            log.add(
                LogRow(
                    number=number,
                    made=(made_row(model.prepared, job, file=file, engines=engines, changes=changes, void=void),),
                )
            )
            log.end()
        write_image(out / file, image)
        write_sealed(out / START, start)
        (out / CARD).unlink(missing_ok=True)
        made = _finish(workspace, model, out, start)
    return Kept(out=out, file=file, records=workspace.records_of(out), images=made.images)


def _finish(workspace: Folders, model: Model, out: Path, start: Start) -> Made:
    return finish(out, start, records=workspace.records_of(out), dataset=model.prepared.dataset)


def _start(model: Model, job: Job, out: Path, command: str) -> Start:
    """Return what the set will say of itself; where there is one already, its rows are put beside."""
    prepared = model.prepared
    start = Start(
        identity={"made by": STUDIO, "number": job.number},
        card=_card(model, job, command),
        classes=[class_to(item) for item in prepared.dataset.classes],
        shards=1,
        erased_margin_px=erased_margin(prepared.scale),
    )
    if not (out / CARD).exists():
        return start
    before = read_card(out / CARD)
    keep_before(out, start, form=FORMAT)
    earlier = before.earlier or ()
    same = (before.command, before.generator) == (start.card.command, start.card.generator)
    if not same:
        images = before.images - sum(item.images for item in earlier)
        earlier = (*earlier, Earlier(command=before.command, images=images, engine=before.engine))
    both = before.bases.kind == "both"
    card = structs.replace(start.card, bases=before.bases if both else start.card.bases)
    return structs.replace(start, card=structs.replace(card, earlier=earlier) if earlier else card)


def _card(model: Model, job: Job, command: str) -> Card:
    prepared = model.prepared
    promise = [PROMISE.format(margin=model.margin)]
    promise += [PROMISE_ERASED.format(erased=erased_margin(prepared.scale))] if job.erased else []
    return Card(
        format=FORMAT,
        command=command,
        program=f"coigan-aug {__version__}",
        engine=model.engine.name,
        generator=model.engine.about,
        plan_sha256="",
        margin_px=model.margin,
        promise=" ".join(promise),
        bases=bases_used(prepared, "both" if job.erased else "clean", TELEA),
        places=PlacesUsed(),
        screening=Screening(on=False),
        data=prepared.dataset.manifest["sha256"],
        settings=drawn_by(model.settings),
        versions={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    )
