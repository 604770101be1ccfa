"""What `coigan-aug synthesize` does once torch is loaded: find the generator, draw, say what was made."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from coigan_aug.checkpoint import load_generator
from coigan_aug.cli.erasing import erasing_of
from coigan_aug.cli.workspace import Workspace
from coigan_aug.compose.erase import TELEA
from coigan_aug.config import load_settings
from coigan_aug.errors import UsageError
from coigan_aug.formats.detect import writer
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import progress, say
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import check_kind
from coigan_aug.synthesis.engines import ENGINES, copying_engine, gan_engine
from coigan_aug.synthesis.plan import make_plan
from coigan_aug.synthesis.run import Made, Request, check_free, synthesize
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import Run, find_run, list_runs


def synthesize_here(
    workspace: Workspace, *, out: Path, per_class: int, engine_name: str, run_name: str | None, format_name: str, windows: bool,
    bases: str, flags: Mapping[str, Any], device_name: str | None, overwrite: bool, dry_run: bool, overrides: Sequence[str],
    config: Path | None, as_json: bool, quiet: bool, command: str,
) -> None:  # fmt: skip
    """Synthesize from a workspace, as the options of `coigan-aug synthesize` say."""
    dataset = Dataset(workspace.dataset)
    form = dataset.manifest["provenance"]["format"] if format_name == "source" else format_name
    writer(form)
    check_free(out, overwrite=overwrite)
    if engine_name not in ENGINES:
        raise UsageError(f"There is no engine {engine_name!r}.", remedy=f"Engines: {', '.join(ENGINES)}.")
    check_kind(bases)
    run = _run(workspace, run_name, engine_name, quiet=quiet)
    generator = load_generator(run.generator) if run else None
    made = load_settings(file=config, overrides=overrides, flags=flags)
    settings = dataclasses.replace(generator.settings, synthesize=made.synthesize) if generator else made
    device = choose_device(device_name, gpus=None)
    if device.type == "cpu":
        torch.set_num_threads(1)
    with progress("reading images", quiet=quiet) as report:
        prepared = prepare(dataset, settings.data, cache_root=workspace.cache, report=report)
    if dry_run:
        _show_plan(prepared, settings, per_class=per_class, windows=windows, bases=bases, quiet=quiet)
        return
    if engine_name == "gan":
        assert run is not None and generator is not None
        engine = gan_engine(prepared, generator, run=run.name, seed=settings.synthesize.seed, device=device)
    else:
        engine = copying_engine(engine_name, prepared, settings)
    request = Request(
        per_class=per_class, windows=windows, format=form, command=command, overwrite=overwrite, bases=bases
    )
    erasing = TELEA
    if bases != "clean":
        erasing = erasing_of(
            prepared, settings, cache_root=workspace.cache, scale=settings.data.scale, device=device, quiet=quiet
        )
    with progress("synthesize", quiet=quiet) as report:
        result = synthesize(
            prepared, engine, settings, request, out=out, records=workspace.synthetic / out.resolve().name,
            erasing=erasing, report=report,
        )  # fmt: skip
    _show(result, out, as_json=as_json, quiet=quiet)


def _run(workspace: Workspace, name: str | None, engine: str, *, quiet: bool) -> Run | None:
    """Return the run to draw with or, for an engine that needs none, to take the settings from; None where there is none."""
    if engine != "gan" and name is None and not any(run.generator.exists() for run in list_runs(workspace.runs)):
        say("No trained run: windows and scale are those of the settings.", quiet=quiet)
        return None
    return find_run(workspace.runs, name)


def _show_plan(
    prepared: Prepared, settings: Settings, *, per_class: int, windows: bool, bases: str, quiet: bool
) -> None:
    jobs = list(make_plan(prepared, settings, per_class=per_class, windows=windows, bases=bases))
    several = Counter(len(job.defects) for job in jobs)
    say(f"plan    {len(jobs):,} {'windows' if windows else 'images'}, {per_class:,} defects of each class", quiet=quiet)
    say("        " + ", ".join(f"{images:,} with {count}" for count, images in sorted(several.items())), quiet=quiet)
    if bases != "clean":
        say(f"        {_on_erased(sum(job.erased for job in jobs), len(jobs))}", quiet=quiet)


def _on_erased(erased: int, images: int) -> str:
    return (
        f"{erased:,} of {images:,} images ({erased / max(images, 1):.0%}) on training images whose defects are erased"
    )


def _show(made: Made, out: Path, *, as_json: bool, quiet: bool) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in made.defects.items())
    say(f"{made.images:,} images: {counts}", quiet=quiet)
    if made.erased:
        say(_on_erased(made.erased, made.images), quiet=quiet)
    say(f"{out}/images/  {made.annotations}  {made.preview}  {out}/card.json", quiet=quiet)
    if as_json:
        files = {"annotations": str(made.annotations), "preview": str(made.preview)}
        print(json.dumps({"images": made.images, "defects": dict(made.defects), "on_erased": made.erased, **files}))
