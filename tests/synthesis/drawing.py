"""What the tests of synthesis share: plans as lists, and sets drawn without a segmenter."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from coigan_aug.places.density import measure_places
from coigan_aug.places.roi import Roi
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import shape_source
from coigan_aug.synthesis.counting import together_of
from coigan_aug.synthesis.engines import Engine
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.parts import ALONE, Shard
from coigan_aug.synthesis.plan import Planner, make_planner, plan_all
from coigan_aug.synthesis.run import Request, synthesize
from coigan_aug.synthesis.screen import Screen
from coigan_aug.synthesis.siblings import Siblings
from coigan_aug.synthesis.tasks import Counted


def planner_of(
    prepared: Prepared, settings: Settings, counts: Sequence[int], *, windows: bool = False, bases: str = "clean",
    roi: Roi | None = None, own_places: frozenset[int] = frozenset(), siblings: Siblings | None = None,
) -> Planner:  # fmt: skip
    """Return a planner of shapes that need no training."""
    source = shape_source(
        prepared, settings.data, settings.synthesize.shapes, root=Path("nowhere"), device=torch.device("cpu")
    )
    return make_planner(
        prepared,
        settings,
        counts,
        source=source,
        places=measure_places(prepared),
        windows=windows,
        bases=bases,
        roi=roi,
        own_places=own_places,
        siblings=siblings,
    )


def planned(
    prepared: Prepared, settings: Settings, *, per_class: int = 5, windows: bool = False, bases: str = "clean"
) -> list[Job]:
    """Return the first tries at so many defects of each class."""
    counts = [per_class] * prepared.classes
    planner = planner_of(prepared, settings, counts, windows=windows, bases=bases)
    return list(plan_all(planner, counts, together_of(prepared, settings.synthesize)))


def made_set(
    prepared: Prepared, engine: Engine, settings: Settings, out: Path, *, per_class: int = 5, windows: bool = False,
    bases: str = "clean", form: str = "coco", overwrite: bool = False, append: bool = False, first: int = 1,
    shard: Shard = ALONE, screen: bool = False, suffix: str = ".png", report: Report = silent,
    siblings: Siblings | None = None, counts: tuple[int, ...] | None = None,
) -> Made | None:  # fmt: skip
    """Make so many defects of each class; unless asked, whatever comes is kept."""
    counts = counts or (per_class,) * prepared.classes
    own_places = engine.own_places(prepared.classes)
    planner = planner_of(
        prepared, settings, counts, windows=windows, bases=bases, own_places=own_places, siblings=siblings
    )
    request = Request(
        format=form, command="coigan-aug synthesize", bases=bases, overwrite=overwrite, append=append, shard=shard,
        suffix=suffix,
    )  # fmt: skip
    tasks = Counted(counts, together_of(prepared, settings.synthesize), settings.synthesize.seed, first)
    judged = Screen(settings, margin_of(settings), on=screen)
    return synthesize(
        planner, engine, judged, tasks, request, out=out, records=out.parent / f"{out.name}-records", report=report
    )


def with_synthesis(settings: Settings, **changes: object) -> Settings:
    """Return settings with other values in their section `synthesize`."""
    return dataclasses.replace(settings, synthesize=dataclasses.replace(settings.synthesize, **changes))  # type: ignore[arg-type]
