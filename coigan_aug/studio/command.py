"""The command that draws the same pixels, with its masks as files in the workspace."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.compose.erase import TELEA
from coigan_aug.errors import UsageError
from coigan_aug.files import write_bytes
from coigan_aug.folders import Folders
from coigan_aug.imaging import write_image
from coigan_aug.sealed import sealed_line
from coigan_aug.stages.asks import DrawAsk, SynthesizeAsk
from coigan_aug.stages.varying import ENGINE
from coigan_aug.studio.keep import STUDIO
from coigan_aug.studio.model import Model
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.rows import PLAN, row_of

DRAWN = "drawn"


def command_of(workspace: Folders, model: Model, job: Job) -> str:
    """Return a `coigan-aug draw` that makes a job's picture, to be called where the studio was; write its masks first.

    An erased base is written too, since no file of the data set has its pixels. Where defects have latents of their own it is
    a `synthesize --plan`, whose line has them.

    Raises:
        UsageError: no command draws them.
    """
    key = hashlib.sha256(repr((model.run.name, job)).encode()).hexdigest()[:12]
    folder = workspace.root / STUDIO / DRAWN / key
    if any(defect.latent for defect in job.defects):
        return _planned(workspace, model, job, folder / PLAN, key)
    masks = []
    for number, defect in enumerate(job.defects, start=1):
        masks.append(folder / f"{number}-{_plain(model.names[defect.label])}.png")
        write_image(masks[-1], np.asarray(rle.decode(defect.rle)) * np.uint8(255))
    asked = DrawAsk(
        image=_image(model, job, folder),
        masks=masks,
        classes=[model.names[defect.label] for defect in job.defects],
        contrasts=[defect.contrast for defect in job.defects],
        truncation=None if job.truncation == 1 else job.truncation,
        style=dict(job.style) or None,
        seed=job.seed,
        run=model.run.name,
        out=f"drawn-{key}.png",
    )
    return workspace.command(asked.command())


def _planned(workspace: Folders, model: Model, job: Job, plan: Path, key: str) -> str:
    """Return a `synthesize --plan` that makes a job's picture; what it plans is written."""
    if job.erased and model.settings.data.erase != TELEA.name:
        raise UsageError(
            "No command draws these pixels: this base was erased by another way than synthesize erases by.",
            remedy="Keep the picture, or choose a defect-free image.",
        )
    write_bytes(plan, sealed_line(row_of(model.prepared, job)))
    asked = SynthesizeAsk(plan=plan, run=model.run.name, engine=ENGINE, screen=False, out=f"drawn-{key}")
    return workspace.command(asked.command())


def _image(model: Model, job: Job, folder: Path) -> Path:
    """Return a file with the base's pixels."""
    if not job.erased:
        return model.prepared.dataset.image_path(job.base)
    path = folder / "base.png"
    write_image(path, model.surface(job.base))
    return path


def _plain(name: str) -> str:
    """Return as much of a class's name as any file system takes."""
    return "".join(sign if sign.isalnum() and sign.isascii() else "-" for sign in name)[:40]
