"""The whole job on an embedded default: strips, import, a small model, synthetic images in COCO, in a workspace of its own."""

from __future__ import annotations

import dataclasses
import shlex
from importlib import resources
from pathlib import Path

from msgspec import structs

from coigan_aug.checkpoint import load_generator
from coigan_aug.config import load_settings, settings_to_yaml
from coigan_aug.demo.ask import DemoAsk, workspace_in
from coigan_aug.demo.strips import CLASSES, write_strips
from coigan_aug.errors import UsageError
from coigan_aug.files import write_bytes
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.sealed import write_sealed
from coigan_aug.stages.asks import ImportAsk, ReportAsk, SynthesizeAsk, TrainAsk
from coigan_aug.stages.import_data import import_data
from coigan_aug.stages.report import report
from coigan_aug.stages.synthesize import Synthesized, synthesize
from coigan_aug.stages.train import count_of, train
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.run import Machine, Run, RunEnd, find_run, start_of

MODEL = "steel.safetensors"
BUNDLED = "000-steel"
IMAGES = 5_000
# The light comes from above, so neither windows nor shapes are mirrored or turned.
SETTINGS = (
    "data.scale=1.0", "data.flip=false", "data.augment=0.3", "data.rotate=0", "data.scale_range=[0.85,1.15]",
    "train.start=none", "train.learning_rate=5e-4", "train.discriminator_learning_rate=5e-4", "log.samples_every=2000",
    "log.checkpoint_every=2000", "synthesize.shapes=[warped]",
)  # fmt: skip


def run_demo(ask: DemoAsk, *, talk: Talk = SILENT, command: str = "") -> Synthesized:
    """Make the demo in a folder of its own; one that an earlier demo made is made anew.

    Its workspace, `coigan/` in that folder, is a whole one: every command works there.

    Raises:
        UsageError: the folder holds something else.
    """
    out, command = Path(ask.out), command or ask.command()
    if out.exists() and any(out.iterdir()) and not (out / "strips.csv").exists():
        raise UsageError(f"{out} holds other files.", remedy="Give a new folder with --out.")
    workspace, csv = Folders(workspace_in(out)), write_strips(out)
    with talk.step("import"):
        names = ",".join(CLASSES)
        imported = import_data(workspace, ImportAsk(source=csv, classes=names, overwrite=True), command=command)
    talk.say(f"Made {imported.images} steel strips with {len(imported.classes)} defect classes -> {csv}")
    counts, wrong = f"{imported.images} images, {imported.objects} defects", f"{len(imported.problems)} problems"
    talk.say(f"import      {counts}, {len(imported.classes)} classes, {wrong}")
    run = _train(workspace, ask, talk, command) if ask.train else place_model(workspace, command=command)
    settings = load_settings(recipe="tiny", overrides=SETTINGS)
    drawn = dataclasses.replace(load_generator(run.generator).settings, synthesize=settings.synthesize)
    asked = SynthesizeAsk(
        out=out / "coco", per_class=ask.per_class, engine="gan", run=run.name, overwrite=True, device="cpu"
    )
    with talk.step("synthesize"):
        made = synthesize(workspace, asked, command=command, settings=drawn, quick_screen=True)
    assert made is not None
    assert made.made is not None  # alone, and whole
    name = f"run {run.name}" if ask.train else "the bundled model"
    talk.say(f"synthesize  {made.made.images} images, {sum(made.made.defects.values())} defects, drawn with {name}")
    page = report(workspace, ReportAsk(out=out / "report.html"), command=command).path
    talk.say(f"-> {made.made.annotations}  {made.page}  {page}  (look at them)")
    more = f"coigan-aug synthesize --per-class 20 --out {shlex.quote(str(out / 'more'))}"
    talk.say(f"Next: {workspace.command(more)}")
    if not ask.train:
        talk.say("      coigan-aug demo --train     (the same with a model trained here, about 8 minutes on one core)")
    talk.say("      coigan-aug import YOUR.csv   (your own data)")
    return made


def place_model(workspace: Folders, *, command: str) -> Run:
    """Put the bundled model into the workspace as a run, trained on the strips of `train` as they are imported there."""
    run = Run(workspace.runs / BUNDLED)
    data = (resources.files("coigan_aug.demo") / MODEL).read_bytes()
    write_bytes(run.generator, data)
    generator, dataset = load_generator(run.generator), Dataset(workspace.dataset)
    write_bytes(run.folder / "config.yaml", settings_to_yaml(generator.settings).encode())
    machine = Machine(device="cpu", bfloat16=False, threads=1, processes=1)
    start = structs.replace(
        start_of(generator.settings, dataset), machine=machine, command=command, recipe="tiny", bundled=True
    )
    write_sealed(run.folder / "start.json", start)
    write_sealed(run.folder / "run.json", RunEnd(images=generator.images, generator=run.generator.name))
    return run


def _train(workspace: Folders, ask: DemoAsk, talk: Talk, command: str) -> Run:
    images = count_of(ask.images_seen) or IMAGES
    settings = load_settings(recipe="tiny", overrides=[*SETTINGS, f"train.images={images}"])
    trained = train(workspace, TrainAsk(recipe="tiny", device="cpu"), talk=talk, command=command, settings=settings)
    assert trained is not None
    assert trained.run is not None
    return find_run(workspace.runs, trained.run.name)
