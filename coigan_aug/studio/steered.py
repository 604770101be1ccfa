"""Latents in the studio: siblings of a training object, and what lies between two variants; styles along kept directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from coigan_aug import rng as streams
from coigan_aug.annotations import rle
from coigan_aug.compose.erase import TELEA
from coigan_aug.compose.noise import draw_latent
from coigan_aug.folders import Folders
from coigan_aug.progress import silent
from coigan_aug.stages.varying import sources_of
from coigan_aug.studio.model import Model
from coigan_aug.studio.shapes import object_of
from coigan_aug.studio.wire import Painted
from coigan_aug.synthesis.engines import check_latent
from coigan_aug.synthesis.gan import merge_boxes
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.latents import Latent, between, packed, varied
from coigan_aug.synthesis.projecting import Projection
from coigan_aug.synthesis.rows import name_of

Find = Callable[[int], Projection]


def find_source(workspace: Folders, model: Model, number: int) -> Projection:
    """Return the latent that redraws a training object; found now, or taken from the workspace's cache.

    Raises:
        UsageError: there is no such object, or the run has no latent.
    """
    check_latent(model.generator, "Siblings", run=model.run.name)
    object_of(model, number)
    root = workspace.cache
    return sources_of(model.prepared, model.generator, [number], erasing=TELEA, root=root, report=silent)[number]


def say_source(model: Model, number: int, source: Projection) -> dict[str, Any]:
    """Say what was found of a training object: its name, its class, its box; how near latents come, grey levels."""
    file, own = name_of(model.prepared, number)
    item = object_of(model, number)
    return {
        "id": number, "name": f"{file}:{own}", "class": model.names[item.label], "random": round(source.random, 1),
        "best": round(source.best, 1), "projected": round(source.projected, 1),
    }  # fmt: skip


def steered(model: Model, job: Job, asked: Painted, find: Find, *, seed: int) -> Job:
    """Return a job as it is drawn with a seed: its style, and latents of their own where siblings or a mixture are asked for.

    Raises:
        UsageError: as `find_source`.
    """
    job = replace(job, seed=seed, style=tuple(sorted((name, v) for name, v in asked.style.items() if v)))
    if asked.siblings is None and asked.between is None:
        return job
    check_latent(model.generator, "A mixture of variants", run=model.run.name)
    source = None if asked.siblings is None else find(asked.siblings.of)
    boxes = [rle.box(defect.rle) for defect in job.defects]
    rectangles = merge_boxes(boxes, reach=model.margin + 1)
    defects = []
    for defect, own in zip(job.defects, boxes, strict=True):
        number = next(k for k, rectangle in enumerate(rectangles) if own.within(rectangle))

        def latent(variant: int, number: int = number) -> Latent:
            if source is None or asked.siblings is None:
                return draw_latent(streams.generator(variant, "latent", number), model.settings.model, mixing=0.0)
            rng = streams.generator(variant, "siblings", number)
            return varied(source.latent, rng, spread=asked.siblings.spread)

        found = latent(seed)
        if asked.between is not None:
            found = between(found, latent(asked.between.seed), asked.between.share)
        of = None if asked.siblings is None else asked.siblings.of
        defects.append(replace(defect, latent=packed(found), projected_from=of))
    return replace(job, defects=tuple(defects))
