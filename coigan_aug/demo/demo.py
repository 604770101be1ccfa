"""The whole job on an embedded default: strips, import, a small model, synthetic images in COCO."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path

import torch

from coigan_aug.checkpoint import GeneratorFile, load_generator
from coigan_aug.config import load_settings
from coigan_aug.data.importing import import_dataset
from coigan_aug.demo.strips import CLASSES, write_strips
from coigan_aug.errors import UsageError
from coigan_aug.files import folder_lock
from coigan_aug.formats.source import ReadOptions, parse_classes
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import progress, say
from coigan_aug.report.writing import write_report
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import gan_engine
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.run import Request, synthesize_counts
from coigan_aug.synthesis.screen import Screen
from coigan_aug.training.loop import measure_speed, train
from coigan_aug.training.run import Machine, begin_run, resolve, unfinished_run

MODEL = "steel.safetensors"
IMAGES = 5_000
# The light comes from above, so neither windows nor shapes are mirrored or turned.
SETTINGS = (
    "data.scale=1.0", "data.flip=false", "data.augment=0.3", "data.rotate=0", "data.scale_range=[0.85,1.15]",
    "train.learning_rate=5e-4", "train.discriminator_learning_rate=5e-4", "log.samples_every=2000",
    "log.checkpoint_every=2000", "synthesize.shapes=[warped]",
)  # fmt: skip


def run_demo(out: Path, *, train_here: bool, images: int | None, per_class: int, quiet: bool, command: str) -> Made:
    """Make the demo in a folder of its own; one that an earlier demo made is made anew.

    Raises:
        UsageError: the folder holds something else.
    """
    if out.exists() and any(out.iterdir()) and not (out / "strips.csv").exists():
        raise UsageError(f"{out} holds other files.", remedy="Give a new folder with --out.")
    csv = write_strips(out)
    with progress("import", quiet=quiet) as report:
        imported = import_dataset(
            csv, out / "coigan" / "dataset", options=ReadOptions(classes=parse_classes(",".join(CLASSES))),
            overwrite=True, command=command, progress=lambda title: report,
        )  # fmt: skip
    say(f"Made {imported.images} steel strips with {len(imported.classes)} defect classes -> {csv}", quiet=quiet)
    found, wrong = f"{imported.images} images, {imported.objects} defects", f"{len(imported.problems)} problems"
    say(f"import      {found}, {len(imported.classes)} classes, {wrong}", quiet=quiet)
    dataset = Dataset(out / "coigan" / "dataset")
    overrides = [*SETTINGS, f"train.images={images or IMAGES}"]
    settings = load_settings(recipe="tiny", overrides=overrides)
    cache = out / "coigan" / "cache"
    if train_here:
        prepared = prepare(dataset, settings.data, cache_root=cache)
        generator, name = _train(prepared, resolve(settings, prepared), out, quiet=quiet, command=command)
    else:
        generator, name = _bundled(), "the bundled demo model"
        prepared = prepare(dataset, generator.settings.data, cache_root=cache)
    request = Request(format="coco", command=command, overwrite=True)
    torch.set_num_threads(1)
    with progress("synthesize", quiet=quiet) as report:
        drawn = dataclasses.replace(generator.settings, synthesize=settings.synthesize)
        engine = gan_engine(prepared, generator, run=name, device=torch.device("cpu"))
        screen = Screen(drawn, margin_of(drawn))  # without a segmenter, which would have to be trained first
        made = synthesize_counts(
            prepared, engine, screen, drawn, [per_class] * prepared.classes, request, windows=False, out=out / "coco",
            records=out / "coigan" / "synthetic" / "coco", cache_root=cache, report=report,
        )  # fmt: skip
    say(f"synthesize  {made.images} images, {sum(made.defects.values())} defects, drawn with {name}", quiet=quiet)
    own = out / "coigan"
    report_file = write_report(
        out / "report.html", dataset=own / "dataset", runs=own / "runs", synthetic=own / "synthetic",
        results=own / "results", command=command,
    ).path  # fmt: skip
    say(f"-> {made.annotations}  {made.preview}  {report_file}  (look at them)", quiet=quiet)
    if not train_here:
        say("Next: coigan-aug demo --train     (the same with a model trained here, about 8 minutes)", quiet=quiet)
    say("      coigan-aug import YOUR.csv   (your own data)", quiet=quiet)
    return made


def _bundled() -> GeneratorFile:
    with resources.as_file(resources.files("coigan_aug.demo") / MODEL) as path:
        return load_generator(path)


def _train(
    prepared: Prepared, settings: Settings, out: Path, *, quiet: bool, command: str
) -> tuple[GeneratorFile, str]:
    runs, device = out / "coigan" / "runs", torch.device("cpu")
    run = unfinished_run(runs, settings=settings, dataset=prepared.dataset)
    speed = measure_speed(prepared, settings, device)
    if run is None:
        machine = Machine(device="cpu", bfloat16=speed.bfloat16, threads=speed.threads)
        run = begin_run(
            runs, recipe="tiny", settings=settings, dataset=prepared.dataset, machine=machine, command=command
        )
    with folder_lock(run.folder), progress("train", quiet=quiet) as report:
        train(prepared, settings, run, device=device, speed=speed, report=report)
    return load_generator(run.generator), f"run {run.name}"
