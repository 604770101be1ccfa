"""The stage synthesize: find the generator, choose the engine, plan, draw, screen, write the set and its page."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coigan_aug.asking import leave_out
from coigan_aug.checkpoint import GeneratorFile, load_generator
from coigan_aug.compose.erase import TELEA
from coigan_aug.config import detail_settings, load_settings, settings_file
from coigan_aug.eraser.erasing import erasing_of
from coigan_aug.errors import UsageError, meant
from coigan_aug.evaluation.choosing import choose_engines
from coigan_aug.evaluation.result import list_results
from coigan_aug.files import atomic_write
from coigan_aug.folders import Folders
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import CARD
from coigan_aug.log import detail
from coigan_aug.places.kept import kept_places
from coigan_aug.places.roi import open_roi
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import SILENT, Talk
from coigan_aug.report.preview import write_preview
from coigan_aug.sealed import sealed_line
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import shape_source
from coigan_aug.stages.amounts import tasks_of
from coigan_aug.stages.asks import MergeAsk, SynthesizeAsk
from coigan_aug.stages.onto import check_on, drawn_from, settled
from coigan_aug.stages.taking import take_run
from coigan_aug.stages.varying import check_vary, chosen, objects_named, siblings_of
from coigan_aug.store.accepting import accept
from coigan_aug.store.card import Card, read_card
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import check_kind, settle_kind
from coigan_aug.synthesis.counting import parse_counts, parse_together
from coigan_aug.synthesis.engines import (
    COPYING,
    ENGINES,
    UNTRAINED,
    Engine,
    check_latent,
    gan_engine,
    mixed_engine,
    untrained_engine,
)
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.merging import merge as merge_shares
from coigan_aug.synthesis.parts import ALONE, Shard, parse_shard
from coigan_aug.synthesis.plan import Planner, make_planner
from coigan_aug.synthesis.rejected import read_rejected
from coigan_aug.synthesis.rows import PLAN, row_of
from coigan_aug.synthesis.run import Request, check_free
from coigan_aug.synthesis.run import synthesize as make_set
from coigan_aug.synthesis.screen import Screen, screen_of
from coigan_aug.synthesis.siblings import Siblings
from coigan_aug.synthesis.style import Directions, parse_style, read_directions, shift_of
from coigan_aug.synthesis.tasks import Tasks, counted_labels
from coigan_aug.training.device import choose_device
from coigan_aug.training.place import find_place
from coigan_aug.training.run import Run, usual_run

SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
_OF_MACHINE = ("--shard", "--gpus", "--device", "--workspace")  # no picture depends on them


@dataclass(frozen=True, kw_only=True)
class PlanSummary:
    """What a plan holds: images and defects of each class, images by number of defects, how many on erased bases."""

    path: Path
    images: int
    defects: Mapping[str, int]
    together: Mapping[int, int]
    erased: int
    windows: bool
    bases: str


@dataclass(frozen=True, kw_only=True)
class Synthesized:
    """What a synthesis made in `out`.

    `made` and `page` (preview.html) are None where other shares are still missing, `shard` says which was made; `run`
    names the run that drew. `plan` is there for a dry run, which makes nothing else. `card` is what card.json says.
    """

    out: Path
    records: Path
    run: str | None = None
    made: Made | None = None
    page: Path | None = None
    card: Card | None = None
    shard: Shard = ALONE
    plan: PlanSummary | None = None


def synthesize(
    workspace: Folders, ask: SynthesizeAsk, *, talk: Talk = SILENT, command: str = "", settings: Settings | None = None,
    prepared: Prepared | None = None, records: Path | None = None, quick_screen: bool = False,
) -> Synthesized | None:  # fmt: skip
    """Make synthetic images in `ask.out`, their annotations, plan, preview and card; keep the records as a Dataset.

    Alone, as a share, or as one of several processes. What a stopped synthesis has made stays; the same request goes on.

    Args:
        command: the command line that the card names; the request's own where none is given.
        settings: those to draw with; by default the run's, with what `ask` overrides.
        prepared: the workspace's data set as these settings prepare it, where the caller has it already.
        records: folder of the Dataset; by default below the workspace's `synthetic`.
        quick_screen: judge by pixels alone, without the segmenter that would have to be trained first.

    Returns:
        None where several processes were started (`gpus`), which have said what they made.

    Raises:
        UsageError: options exclude each other; `ask.out` holds other work. DataError: there is no run; nothing passed the
        screen. Stopped: Ctrl-C or SIGTERM.
    """
    command = command or ask.command()
    _check(ask)
    place = find_place(os.environ)
    device = choose_device(ask.device, gpus=ask.gpus, place=place)
    if place is None and ask.shard is None and ask.gpus is not None and ask.gpus > 1:
        from coigan_aug.training.launch import start_several  # loads torch's launcher, which others do without

        again = "Continue with the same command."
        start_several(command, root=workspace.root, quiet=talk.quiet, count=ask.gpus, again=again)
        return None
    shard = parse_shard(ask.shard) if ask.shard else Shard(place.rank + 1, place.world) if place else ALONE
    accept(None, workspace, talk, asked=ask.accept_changes)
    check_free(Path(ask.out), overwrite=ask.overwrite, append=ask.append)
    dataset, out = prepared.dataset if prepared else drawn_from(workspace, ask), Path(ask.out)
    ask = settled(workspace, ask, dataset, talk)
    if ask.per_class is not None:
        parse_counts(ask.per_class, dataset.names)  # a name that there is not is told before any work
    run = _run(workspace, ask, talk)
    generator = load_generator(run.generator) if run else None
    settings = settings or _settings(ask, generator)
    known = _directions(ask, run, generator)
    detail(f"generator: {run.generator if run else 'none'}")
    detail_settings(settings)
    if device.type == "cpu":
        torch.set_num_threads(1)
    if prepared is None:
        with talk.steps() as begin:
            prepared = prepare(dataset, settings.data, cache_root=workspace.cache, progress=begin)
    bases = settle_kind(ask.bases, prepared, windows=ask.windows)
    if bases != ask.bases and bases == "erased":
        talk.say("No training image is free of defects: drawn on is what has its own defects erased (--bases erased).")
    request = Request(
        format=dataset.manifest["provenance"]["format"] if ask.format == "source" else ask.format,
        command=leave_out(command, options=_OF_MACHINE, alone=("--quiet", "--verbose", "--json")), bases=bases,
        overwrite=ask.overwrite, append=ask.append, shard=shard, suffix=SUFFIXES[ask.image_format],
        with_real=ask.with_real, line=None if ask.on is None else str(ask.on),
    )  # fmt: skip
    varied = objects_named(prepared, ask.vary) if ask.vary else None
    tasks = tasks_of(ask, prepared, settings, varied, talk)
    counts = counted_labels(tasks, prepared.classes)
    drawing = "gan" if ask.vary else ask.engine
    engine = _engine(workspace, prepared, settings, run, generator, device, drawing, known, talk)
    siblings = None
    if varied is not None and generator is not None:
        varied = chosen(prepared, varied, counts, seed=settings.synthesize.seed)
        siblings = siblings_of(
            workspace, prepared, generator, settings, varied, spread=ask.spread, device=device, talk=talk
        )  # fmt: skip
    planner = _planner(ask, prepared, settings, workspace, counts, device, engine, bases, siblings, talk)
    records = records or workspace.records_of(out)
    name = run.name if run else None
    if ask.dry_run:
        return Synthesized(out=out, records=records, run=name, plan=_write_plan(planner, tasks, out, bases))
    drawn = {engine.of(label) for label, count in enumerate(counts) if count}
    screen = Screen(settings, margin_of(settings)) if quick_screen else screen_of(
        prepared, settings, on=ask.screen, copies=not drawn <= set(COPYING), cache_root=workspace.cache, device=device,
        talk=talk,
    )  # fmt: skip
    erasing = TELEA if bases == "clean" and ask.plan is None else erasing_of(
        prepared, settings, cache_root=workspace.cache, scale=settings.data.scale, device=device, talk=talk
    )  # fmt: skip
    with talk.step("synthesize") as report:
        made = make_set(
            planner, engine, screen, tasks, request, out=out, records=records, erasing=erasing, report=report
        )
    with talk.step("drawing the page"):
        return _finished(workspace, out, records, made, real=dataset, run=name, shard=shard)


def merge(workspace: Folders, ask: MergeAsk) -> Synthesized:
    """Put shares of one synthesis together to one set in `ask.out`.

    Raises:
        UsageError: a folder is no such share. DataError: they are of different syntheses, or shares are missing.
    """
    out = Path(ask.out)
    records, folders = workspace.records_of(out), [Path(folder) for folder in ask.folders]
    real = Dataset(workspace.dataset)
    made = merge_shares(folders, out, records=records, dataset=real)
    return _finished(workspace, out, records, made, real=real, run=None, shard=ALONE)


def _finished(
    workspace: Folders, out: Path, records: Path, made: Made | None, *, real: Dataset, run: str | None, shard: Shard
) -> Synthesized:
    """Write the preview page of a set that is whole."""
    if made is None:
        return Synthesized(out=out, records=records, run=run, shard=shard)
    card = read_card(out / CARD)
    page = write_preview(
        out, workspace=workspace, real=real, synthetic=Dataset(records), card=card, rejected=read_rejected(out)
    )
    return Synthesized(out=out, records=records, run=run, made=made, page=page, card=card, shard=shard)


def _check(ask: SynthesizeAsk) -> None:
    """Refuse options that are none or that exclude each other, before any work."""
    if ask.format != "source":
        format_named(ask.format)
    if ask.engine not in (*ENGINES, "auto"):
        raise UsageError(
            f"There is no engine {ask.engine!r}.{meant(ask.engine, ENGINES)}",
            remedy=f"Engines: auto, {', '.join(ENGINES)}.",
        )
    if ask.image_format not in SUFFIXES:
        raise UsageError(f"There is no image format {ask.image_format!r}.", remedy="--image-format png or jpeg.")
    check_kind(ask.bases)
    ways = [ask.per_class is not None, ask.balance, ask.plan is not None]
    if sum(ways) != 1:
        raise UsageError(
            "What is to be made?" if not any(ways) else "--per-class, --balance and --plan exclude each other.",
            remedy="Give one of  --per-class 500 ,  --per-class crack=800,fray=200 ,  --balance  or  --plan FILE .",
        )
    check_vary(ask)
    check_on(ask)
    parse_style(ask.style)
    for option, value in (("--truncation", ask.truncation), ("--style", ask.style)):
        if value is not None and (ask.plan is not None or ask.engine in UNTRAINED):
            other = "--plan: its lines say it themselves" if ask.plan else f"--engine {ask.engine}, which has no latent"
            raise UsageError(f"{option} does not go with {other}.", remedy=f"Leave {option} out.")
    if ask.plan is not None and ask.append:
        raise UsageError("--plan numbers its images itself; it can't be added to a set.", remedy="Give a new --out.")


def _run(workspace: Folders, ask: SynthesizeAsk, talk: Talk) -> Run | None:
    """Return the run to draw with or, for an engine that needs none, to take the settings from; None where there is none."""
    if ask.engine in UNTRAINED and ask.run is None and usual_run(workspace.runs) is None:
        talk.say("No trained run: windows and scale are those of the settings.")
        return None
    return take_run(workspace, ask.run, talk)


def _directions(ask: SynthesizeAsk, run: Run | None, generator: GeneratorFile | None) -> Directions | None:
    """Return what was measured of the run's styles, and see that it can be drawn with as is asked."""
    if run is None or generator is None:
        return None
    for option, value in (("--truncation", ask.truncation), ("--vary", ask.vary), ("--style", ask.style)):
        if value is not None:
            check_latent(generator, option, run=run.name)
    known = read_directions(run.folder, generator)
    shift_of(parse_style(ask.style), known, run=run.name)
    return known


def _settings(ask: SynthesizeAsk, generator: GeneratorFile | None) -> Settings:
    """Return the settings of the generator, but for the sections that say what and how much is drawn."""
    flags: dict[str, Any] = {} if ask.seed is None else {"synthesize.seed": ask.seed}
    if ask.shapes is not None:
        flags["synthesize.shapes"] = [kind.strip() for kind in ask.shapes.split(",")]
    if ask.masks is not None:
        flags["synthesize.masks"] = ask.masks
    if ask.truncation is not None:
        flags["synthesize.truncation"] = ask.truncation
    if ask.vary is not None and ask.shapes is None:
        flags["synthesize.shapes"] = ["warped"]  # with the very mask most look like copies of the object
    if ask.vary is not None and ask.defects_per_image is None:
        flags["synthesize.defects"] = [0.0, 1.0]  # each sibling alone, with a latent of its own
    if ask.defects_per_image is not None:
        flags["synthesize.defects"] = parse_together(ask.defects_per_image)
    settings = load_settings(file=settings_file(ask.config), overrides=ask.overrides, flags=flags)
    if generator is None:
        return settings
    return dataclasses.replace(generator.settings, synthesize=settings.synthesize, evaluate=settings.evaluate)


def _engine(
    workspace: Folders, prepared: Prepared, settings: Settings, run: Run | None, generator: GeneratorFile | None,
    device: torch.device, name: str, directions: Directions | None, talk: Talk,
) -> Engine:  # fmt: skip
    """Return the engine of that name; for "auto" that of each class by what was measured of the generator."""
    if name in UNTRAINED:
        return untrained_engine(name, prepared, settings)
    assert run is not None
    assert generator is not None
    gan = gan_engine(prepared, generator, run=run.name, device=device, directions=directions)
    if name == "gan":
        return gan
    names = prepared.dataset.names
    choice = choose_engines(
        list_results(workspace.results), dataset=prepared.dataset.manifest["sha256"], generator=generator.sha256,
        names=names, engines=ENGINES,
    )  # fmt: skip
    if choice is None:
        talk.say("engine  gan (nothing is measured of this run yet: coigan-aug evaluate benefit)")
        return gan
    talk.say(f"engine  by {choice.result}:")
    for line in choice.lines:
        talk.say(f"        {line}")
    if 0 < len(choice.helped) < len(names):
        alone = ",".join(f"{label}=500" for label in choice.helped)
        talk.say(f"        only what is helped:  --per-class {alone}")
    engines = {"gan": gan} | {e: untrained_engine(e, prepared, settings) for e in UNTRAINED}
    return mixed_engine({names.index(label): engine for label, engine in choice.engines.items()}, engines)


def _planner(
    ask: SynthesizeAsk, prepared: Prepared, settings: Settings, workspace: Folders, counts: Sequence[int],
    device: torch.device, engine: Engine, bases: str, siblings: Siblings | None, talk: Talk,
) -> Planner:  # fmt: skip
    """Measure shapes and places on the training images, and say what was seen of them."""
    with talk.step("look at the shapes") as report:
        kinds = settings.synthesize.shapes
        source = shape_source(prepared, settings.data, kinds, root=workspace.cache, device=device, report=report)
    with talk.step("look for parts and places") as report:
        places = kept_places(prepared, root=workspace.cache, report=report)
    talk.say(places.parts.says(prepared.dataset.names))
    roi = open_roi(Path(ask.roi), prepared.dataset) if ask.roi else None
    planner = make_planner(
        prepared, settings, counts, source=source, places=places, windows=ask.windows, bases=bases, roi=roi,
        own_places=engine.own_places(prepared.classes), siblings=siblings, style=parse_style(ask.style),
    )  # fmt: skip
    if ask.on is not None:  # clean windows of the images with defects are not the other line's
        others = [base for base in planner.bases if base.position not in prepared.by_record]
        planner = dataclasses.replace(planner, bases=others)
    if roi is not None and not roi.single:
        talk.say(f"ROI: masks for {roi.count(prepared.positions):,} of {len(prepared.positions):,} training images")
    return planner


def _write_plan(planner: Planner, tasks: Tasks, out: Path, bases: str) -> PlanSummary:
    """Write the plan's first tries to `out/plan.jsonl` and count them."""
    names, together, defects, images, erased = planner.prepared.dataset.names, Counter[int](), Counter[str](), 0, 0
    with atomic_write(out / PLAN) as stream:
        for task in tasks:
            for job in task.first(planner):
                stream.write(sealed_line(row_of(planner.prepared, job)))
                together[len(job.defects)] += 1
                defects.update(names[defect.label] for defect in job.defects)
                images, erased = images + 1, erased + job.erased
    by_class = {name: defects[name] for name in names if defects[name]}
    return PlanSummary(
        path=out / PLAN, images=images, defects=by_class, together=dict(sorted(together.items())), erased=erased,
        windows=planner.windows, bases=bases,
    )  # fmt: skip
