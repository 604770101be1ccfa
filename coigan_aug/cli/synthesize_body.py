"""What `coigan-aug synthesize` does once torch is loaded: find the generator, plan, draw, say what was made."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coigan_aug.checkpoint import GeneratorFile, load_generator
from coigan_aug.cli.erasing import erasing_of
from coigan_aug.cli.screening import screen_of
from coigan_aug.cli.workspace import AGAIN, Workspace
from coigan_aug.compose.erase import TELEA, Erasing
from coigan_aug.config import load_settings
from coigan_aug.errors import UsageError
from coigan_aug.evaluation.choosing import choose_engines
from coigan_aug.evaluation.result import list_results
from coigan_aug.files import atomic_write, json_line
from coigan_aug.formats.detect import writer
from coigan_aug.formats.names import CARD
from coigan_aug.places.density import measure_places
from coigan_aug.places.roi import open_roi
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import progress, say
from coigan_aug.report.preview import write_preview
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import shape_source
from coigan_aug.store.card import read_card
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import check_kind
from coigan_aug.synthesis.beside import most_synthetic
from coigan_aug.synthesis.counting import balancing, parse_counts, parse_together, together_of
from coigan_aug.synthesis.engines import COPYING, ENGINES, Engine, copying_engine, gan_engine, mixed_engine
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.parts import Shard, before_log, numbers_of, parse_shard
from coigan_aug.synthesis.plan import Planner, make_planner
from coigan_aug.synthesis.rejected import read_rejected
from coigan_aug.synthesis.rows import PLAN, reader_of, row_of
from coigan_aug.synthesis.run import Request, check_free, synthesize
from coigan_aug.synthesis.tasks import Counted, Given, Tasks, capped, check_given, counted_labels
from coigan_aug.training.device import choose_device
from coigan_aug.training.place import find_place
from coigan_aug.training.run import Run, find_run, list_runs

SUFFIXES = {"png": ".png", "jpeg": ".jpg"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The options of `coigan-aug synthesize`, as given."""

    out: Path
    per_class: str | None = None
    balance: bool = False
    plan: Path | None = None
    defects_per_image: str | None = None
    engine: str = "auto"
    shapes: str | None = None
    format: str = "coco"
    image_format: str = "png"
    windows: bool = False
    bases: str = "clean"
    roi: Path | None = None
    screen: bool = True
    with_real: bool = False
    append: bool = False
    overwrite: bool = False
    gpus: int | None = None
    shard: str | None = None
    dry_run: bool = False


def synthesize_here(
    workspace: Workspace, wanted: Wanted, *, run_name: str | None, flags: Mapping[str, Any], device_name: str | None,
    overrides: Sequence[str], config: Path | None, as_json: bool, quiet: bool, command: str,
) -> None:  # fmt: skip
    """Synthesize from a workspace, as the options of `coigan-aug synthesize` say: alone, or as one of several processes."""
    _check(wanted)
    shard, device = _share(wanted, device_name)
    dataset = Dataset(workspace.dataset)
    request = _request(wanted, dataset, shard, command)
    if wanted.shapes is not None:
        flags = {**flags, "synthesize.shapes": [kind.strip() for kind in wanted.shapes.split(",")]}
    if wanted.defects_per_image is not None:
        flags = {**flags, "synthesize.defects": parse_together(wanted.defects_per_image)}
    run = _run(workspace, run_name, wanted.engine, quiet=quiet)
    generator = load_generator(run.generator) if run else None
    made = load_settings(file=config, overrides=overrides, flags=flags)
    settings = made
    if generator is not None:
        settings = dataclasses.replace(generator.settings, synthesize=made.synthesize, evaluate=made.evaluate)
    if device.type == "cpu":
        torch.set_num_threads(1)
    with progress("reading images", quiet=quiet) as report:
        prepared = prepare(dataset, settings.data, cache_root=workspace.cache, report=report)
    tasks = _tasks(wanted, prepared, settings, quiet=quiet)
    counts = counted_labels(tasks, prepared.classes)
    engine = _engine(workspace, prepared, settings, run, generator, device, wanted.engine, quiet=quiet)
    own_places = engine.own_places(prepared.classes)
    planner = _planner(wanted, prepared, settings, workspace, counts, device, own_places=own_places, quiet=quiet)
    if wanted.dry_run:
        _show_plan(planner, tasks, wanted.out, bases=wanted.bases, as_json=as_json, quiet=quiet)
        return
    drawn = {engine.of(label) for label, count in enumerate(counts) if count}
    screen = screen_of(
        prepared,
        settings,
        on=wanted.screen,
        copies="gan" in drawn,
        cache_root=workspace.cache,
        device=device,
        quiet=quiet,
    )
    erasing = _erasing(wanted, prepared, settings, workspace, device, quiet=quiet)

    with progress("synthesize", quiet=quiet) as report:
        result = synthesize(
            planner, engine, screen, tasks, request, out=wanted.out, records=workspace.synthetic / wanted.out.resolve().name,
            erasing=erasing, report=report,
        )  # fmt: skip
    show_made(result, wanted.out, workspace, shard=shard, as_json=as_json, quiet=quiet)


def _share(wanted: Wanted, device_name: str | None) -> tuple[Shard, torch.device]:
    """Return which share this process makes, and on what; with several GPUs asked for, start a process for each and end."""
    place = find_place(os.environ)
    device = choose_device(device_name, gpus=wanted.gpus, place=place)
    if wanted.shard is not None:
        return parse_shard(wanted.shard), device
    if place is not None:
        return Shard(place.rank + 1, place.world), device
    if wanted.gpus is not None and wanted.gpus > 1:
        from coigan_aug.training.launch import launch  # loads the launcher of torch, which others do without

        words, again = [sys.executable, "-c", AGAIN, *sys.argv[1:]], "Continue with the same command."
        raise SystemExit(launch(words, count=wanted.gpus, again=again))
    return Shard(), device


def _request(wanted: Wanted, dataset: Dataset, shard: Shard, command: str) -> Request:
    """Say how it is written, having seen that there is room for it."""
    form = dataset.manifest["provenance"]["format"] if wanted.format == "source" else wanted.format
    check_free(wanted.out, overwrite=wanted.overwrite, append=wanted.append)
    return Request(
        format=form, command=command, bases=wanted.bases, overwrite=wanted.overwrite, append=wanted.append, shard=shard,
        suffix=SUFFIXES[wanted.image_format], with_real=wanted.with_real,
    )  # fmt: skip


def _check(wanted: Wanted) -> None:
    """Refuse options that are none or that exclude each other, before any work."""
    if wanted.format != "source":
        writer(wanted.format)
    if wanted.engine not in (*ENGINES, "auto"):
        raise UsageError(f"There is no engine {wanted.engine!r}.", remedy=f"Engines: auto, {', '.join(ENGINES)}.")
    if wanted.image_format not in SUFFIXES:
        raise UsageError(f"There is no image format {wanted.image_format!r}.", remedy="--image-format png or jpeg.")
    check_kind(wanted.bases)
    ways = [wanted.per_class is not None, wanted.balance, wanted.plan is not None]
    if sum(ways) != 1:
        raise UsageError(
            "What is to be made?" if not any(ways) else "--per-class, --balance and --plan exclude each other.",
            remedy="Give one of  --per-class 500 ,  --per-class crack=800,fray=200 ,  --balance  or  --plan FILE .",
        )
    if wanted.plan is not None and wanted.append:
        raise UsageError("--plan numbers its images itself; it can't be added to a set.", remedy="Give a new --out.")


def _tasks(wanted: Wanted, prepared: Prepared, settings: Settings, *, quiet: bool) -> Tasks:
    """Return what is to be made, and say where that is less than was asked for."""
    if wanted.plan is not None:
        given = Given(wanted.plan, reader_of(prepared))
        check_given(given)
        return given
    names, seed = prepared.dataset.names, settings.synthesize.seed
    counts = balancing(prepared) if wanted.balance else parse_counts(wanted.per_class or "", names)
    together, first = together_of(prepared, settings.synthesize), _first_number(wanted)
    tasks = Counted(counts, together, seed, first)
    if not wanted.with_real:
        return tasks
    share = settings.synthesize.synthetic_share
    most = most_synthetic(len(prepared.by_record), share=share)
    fewer = capped(counts, together, seed=seed, first=first, most=most)
    if fewer.counts != counts:
        lost = ", ".join(
            f"{new:,} of {old:,} {name}" for name, new, old in zip(names, fewer.counts, counts, strict=True) if old
        )
        say(
            f"At most {share:.0%} of the images with defects may be synthetic ({most:,} beside {len(prepared.by_record):,} real"
            f" ones): {lost}. More: --set synthesize.synthetic_share=0.5",
            quiet=quiet,
        )
    return fewer


def _planner(
    wanted: Wanted, prepared: Prepared, settings: Settings, workspace: Workspace, counts: Sequence[int],
    device: torch.device, *, own_places: frozenset[int], quiet: bool,
) -> Planner:  # fmt: skip
    """Measure shapes and places on the training images, and say what was seen of them."""
    with progress("train the shapes", quiet=quiet) as report:
        kinds = settings.synthesize.shapes
        source = shape_source(prepared, settings.data, kinds, root=workspace.cache, device=device, report=report)
    with progress("look for the parts", quiet=quiet) as report:
        places = measure_places(prepared, report=report)
    say(places.parts.says(prepared.dataset.names), quiet=quiet)
    roi = open_roi(wanted.roi, prepared.dataset) if wanted.roi else None
    planner = make_planner(
        prepared, settings, counts, source=source, places=places, windows=wanted.windows, bases=wanted.bases, roi=roi,
        own_places=own_places,
    )  # fmt: skip
    if roi is not None and not roi.single:
        say(
            f"ROI: masks for {roi.count(prepared.positions):,} of {len(prepared.positions):,} training images",
            quiet=quiet,
        )
    return planner


def _first_number(wanted: Wanted) -> int:
    """Return the number that the next image gets: 1, or where a set is added to, one more than its last."""
    if not wanted.append:
        return 1
    before = before_log(wanted.out)
    return max(numbers_of(before if before.exists() else wanted.out / PLAN), default=0) + 1


def _run(workspace: Workspace, name: str | None, engine: str, *, quiet: bool) -> Run | None:
    """Return the run to draw with or, for an engine that needs none, to take the settings from; None where there is none."""
    if engine in COPYING and name is None and not any(r.generator.exists() for r in list_runs(workspace.runs)):
        say("No trained run: windows and scale are those of the settings.", quiet=quiet)
        return None
    return find_run(workspace.runs, name)


def _engine(
    workspace: Workspace, prepared: Prepared, settings: Settings, run: Run | None, generator: GeneratorFile | None,
    device: torch.device, name: str, *, quiet: bool,
) -> Engine:  # fmt: skip
    if name in COPYING:
        return copying_engine(name, prepared, settings)
    assert run is not None
    assert generator is not None
    gan = gan_engine(prepared, generator, run=run.name, device=device)
    if name == "gan":
        return gan
    names = prepared.dataset.names
    choice = choose_engines(
        list_results(workspace.results), dataset=prepared.dataset.manifest["sha256"], generator=generator.sha256,
        names=names, engines=ENGINES,
    )  # fmt: skip
    if choice is None:
        say("engine  gan (nothing is measured of this run yet: coigan-aug evaluate benefit)", quiet=quiet)
        return gan
    say(f"engine  by {choice.result}:", quiet=quiet)
    for line in choice.lines:
        say(f"        {line}", quiet=quiet)
    engines = {"gan": gan} | {e: copying_engine(e, prepared, settings) for e in COPYING}
    return mixed_engine({names.index(label): engine for label, engine in choice.engines.items()}, engines)


def _erasing(
    wanted: Wanted, prepared: Prepared, settings: Settings, workspace: Workspace, device: torch.device, *, quiet: bool
) -> Erasing:
    if wanted.bases == "clean" and wanted.plan is None:
        return TELEA
    return erasing_of(
        prepared, settings, cache_root=workspace.cache, scale=settings.data.scale, device=device, quiet=quiet
    )


def _show_plan(planner: Planner, tasks: Tasks, out: Path, *, bases: str, as_json: bool, quiet: bool) -> None:
    """Write the plan's first tries to `out/plan.jsonl` and say what they are."""
    names, several, counts, images, erased = planner.prepared.dataset.names, Counter[int](), Counter[str](), 0, 0
    with atomic_write(out / PLAN) as stream:
        for task in tasks:
            for job in task.first(planner):
                stream.write(json_line(row_of(planner.prepared, job)))
                several[len(job.defects)] += 1
                counts.update(names[defect.label] for defect in job.defects)
                images, erased = images + 1, erased + job.erased
    made = ", ".join(f"{counts[name]:,} {name}" for name in names if counts[name])
    say(f"plan    {images:,} {'windows' if planner.windows else 'images'}: {made}", quiet=quiet)
    say("        " + ", ".join(f"{number:,} with {count}" for count, number in sorted(several.items())), quiet=quiet)
    if bases != "clean":
        say(f"        {_on_erased(erased, images)}", quiet=quiet)
    say(f"-> {out / PLAN}   Make it, edited or not: coigan-aug synthesize --plan {out / PLAN} --out {out}", quiet=quiet)
    if as_json:
        print(json.dumps({"images": images, "defects": dict(counts), "plan": str(out / PLAN)}))


def _on_erased(erased: int, images: int) -> str:
    return (
        f"{erased:,} of {images:,} images ({erased / max(images, 1):.0%}) on training images whose defects are erased"
    )


def show_made(made: Made | None, out: Path, workspace: Workspace, *, shard: Shard, as_json: bool, quiet: bool) -> None:
    """Write the preview page and say what was made, or that other shares are still missing."""
    if made is None:
        say(f"Share {shard.index} of {shard.count} is made; the last of the others finishes {out}.", quiet=quiet)
        if as_json:
            print(json.dumps({"shard": [shard.index, shard.count], "complete": False}))
        return
    card, records = read_card(out / CARD), Dataset(workspace.synthetic / out.resolve().name)
    page = write_preview(
        out,
        real=Dataset(workspace.dataset),
        synthetic=records,
        card=card,
        rejected=read_rejected(out),
        command=card.command or "",
    )
    counts = ", ".join(f"{count:,} {name}" for name, count in made.defects.items())
    say(f"{made.images:,} images: {counts}", quiet=quiet)
    if made.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(made.rejected.items()))
        say(f"{sum(made.rejected.values()):,} rejected and replaced ({reasons})", quiet=quiet)
    if made.missing:
        lost = ", ".join(f"{count:,} {name}" for name, count in sorted(made.missing.items()))
        say(
            f"Missing, because no try passed: {lost}. See {out}/rejected.jsonl; --no-screen makes them all.",
            quiet=quiet,
        )
    if made.erased:
        say(_on_erased(made.erased, made.images), quiet=quiet)
    if made.real and card.real:
        share = card.real.synthetic_share
        say(f"{made.real:,} real images beside; {share:.0%} of the images with defects are synthetic", quiet=quiet)
    for name, effective in card.effective.items():
        overlap = f"{effective.median:.2f} (median IoU); {effective.shown:.0%} of the mask changed"
        say(f"{name}: what really changed overlaps the mask by {overlap}", quiet=quiet)
    say(f"{made.annotations}  {page}  {out}/card.json", quiet=quiet)
    say("Next: coigan-aug evaluate benefit", quiet=quiet)
    if as_json:
        files = {"annotations": str(made.annotations), "preview": str(made.preview), "page": str(page)}
        about = {"rejected": dict(made.rejected), "missing": dict(made.missing), "real": made.real}
        numbers = {"images": made.images, "defects": dict(made.defects), "on_erased": made.erased}
        print(json.dumps(numbers | about | files))
