"""Measure synthesis: its wall time against the network's alone, sameness of all files, the promise, and memory.

    python examples/bench_synthesis.py speed [--recipes tiny default] [--images 24] [--device cpu]
    python examples/bench_synthesis.py same [--workspace coigan] [--per-class 400] [--out bench]
    python examples/bench_synthesis.py memory [--workspace coigan] [--few 20 --many 1000]

`speed` draws with untrained generators of the recipes on the demo's steel strips: windows of 256 px and whole strips of
256 x 1600. First the network alone on the very same patches, then the whole of it (plan, read, draw, blend, encode, write),
then the network alone again; one run, one machine. `same` draws a workspace's newest run by a batch of 1 without threads,
a batch of 8 with two, four shares in four commands, and one command that is killed three times; then compares every file,
and checks over all images that nothing changed beyond the margin, that the written masks are the planned ones, and that
none is empty. `memory` draws few and many and says the peak of each.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.checkpoint import GeneratorFile, load_generator, save_generator
from coigan_aug.compose.erase import TELEA
from coigan_aug.config import load_settings
from coigan_aug.data.importing import import_dataset
from coigan_aug.demo.strips import CLASSES, write_strips
from coigan_aug.formats.source import ReadOptions, parse_classes
from coigan_aug.imaging import read_image
from coigan_aug.models.build import build_generator
from coigan_aug.places.density import measure_places
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import shape_source
from coigan_aug.store.card import read_card
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import read_base
from coigan_aug.synthesis.counting import Together
from coigan_aug.synthesis.engines import gan_engine
from coigan_aug.synthesis.gan import cut_patches, draw_patches
from coigan_aug.synthesis.job import Job, base_of
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.plan import Planner, make_planner
from coigan_aug.synthesis.rows import read_made
from coigan_aug.synthesis.run import Request, synthesize
from coigan_aug.synthesis.screen import Screen
from coigan_aug.synthesis.tasks import Counted
from coigan_aug.training.run import resolve

COMMAND = [sys.executable, "-c", "from coigan_aug.cli.main import main; main()"]


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "same", "memory"])
    parser.add_argument("--recipes", nargs="+", default=["tiny", "default"])
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the network")
    parser.add_argument("--workspace", type=Path, default=Path("coigan"))
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--per-class", type=int, default=400)
    parser.add_argument("--few", type=int, default=20)
    parser.add_argument("--many", type=int, default=1000)
    given = parser.parse_args()
    {"speed": speed, "same": same, "memory": memory}[given.what](given)


# Speed


def speed(given: argparse.Namespace) -> None:
    """Print the wall time of a synthesis over the network's alone, for each recipe, on windows and whole strips."""
    device = torch.device(given.device)
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ReadOptions(classes=parse_classes(",".join(CLASSES)))
        import_dataset(write_strips(folder / "strips"), folder / "dataset", options=options, command="bench")
        for recipe in given.recipes:
            settings = load_settings(recipe=recipe, overrides=("data.scale=1", "data.window=256", "data.flip=false"))
            prepared = prepare(Dataset(folder / "dataset"), settings.data, cache_root=folder / "cache")
            generator = _untrained(prepared, resolve(settings, prepared), folder)
            for windows in (True, False):
                _speed(recipe, prepared, generator, device, windows=windows, images=given.images, folder=folder)


def _untrained(prepared: Prepared, settings: Settings, folder: Path) -> GeneratorFile:
    torch.manual_seed(0)
    network = build_generator(settings.model, prepared.classes)
    save_generator(folder / "g.safetensors", network, settings=settings, classes=prepared.dataset.classes, images=0)
    return load_generator(folder / "g.safetensors")


def _speed(
    recipe: str,
    prepared: Prepared,
    generator: GeneratorFile,
    device: torch.device,
    *,
    windows: bool,
    images: int,
    folder: Path,
) -> None:
    settings = generator.settings
    planner = _planner(prepared, settings, windows=windows)
    tasks = Counted((images // prepared.classes,) * prepared.classes, Together((1.0,), 1.0), 1)
    jobs = [job for task in tasks for job in task.first(planner)]
    engine = gan_engine(prepared, generator, run="bench", device=device)
    before = _forward(planner, jobs, generator, device)
    out = folder / f"{recipe}-{windows}"
    request = Request(format="coco", command="bench")
    begun = time.perf_counter()
    synthesize(
        planner,
        engine,
        Screen(settings, margin_of(settings), on=False),
        tasks,
        request,
        out=out,
        records=folder / "records",
    )
    wall = time.perf_counter() - begun
    forward = (before + _forward(planner, jobs, generator, device)) / 2
    kind = "256 x 256 windows" if windows else "256 x 1600 strips"
    print(f"{recipe}: {kind}, {len(jobs)} images, {device.type}, {torch.get_num_threads()} thread(s) for the network")
    print(f"  images a second             {len(jobs) / wall:.2f}   (network alone {len(jobs) / forward:.2f})")
    print(f"  wall over network alone     {wall / forward:.2f}")


def _planner(prepared: Prepared, settings: Settings, *, windows: bool) -> Planner:
    source = shape_source(prepared, settings.data, ("warped",), root=Path("nowhere"), device=torch.device("cpu"))
    counts = [1] * prepared.classes
    return make_planner(
        prepared, settings, counts, source=source, places=measure_places(prepared), windows=windows, bases="clean"
    )


def _forward(planner: Planner, jobs: list[Job], generator: GeneratorFile, device: torch.device) -> float:
    """Return the seconds that the network needs for all patches of the jobs."""
    batch, spent = planner.settings.synthesize.batch, 0.0
    for start in range(0, len(jobs), batch):
        some = jobs[start : start + batch]
        patches = [
            patch
            for job in some
            for patch in cut_patches(read_base(planner.prepared, base_of(job), TELEA), job, generator)
        ]
        begun = time.perf_counter()
        draw_patches(patches, generator, device)
        spent += time.perf_counter() - begun
    return spent


# Sameness


def same(given: argparse.Namespace) -> None:
    """Draw the same set in four ways, compare all files, and check the promise over every image."""
    out, base = given.out, ["synthesize", "--engine", "gan", "--per-class", str(given.per_class), "--no-screen"]
    ways = {
        "batch 1, no threads": [["--set", "synthesize.batch=1", "--set", "synthesize.workers=0"]],
        "batch 8, two threads": [["--set", "synthesize.batch=8", "--set", "synthesize.workers=2"]],
        "four shares": [["--shard", f"{k}/4"] for k in (3, 1, 4, 2)],
        "killed three times": [["--set", "synthesize.batch=4"]],
    }
    digests = {}
    for number, (name, commands) in enumerate(ways.items()):
        folder = out / str(number)
        for more in commands:
            command = [*COMMAND, *base, *more, "--out", str(folder), "--workspace", str(given.workspace), "--quiet"]
            if name.startswith("killed"):
                _kill_three_times(command, folder)
            subprocess.run(command, check=True)
        digests[name] = _digest(folder)
        print(f"{name:24} {len(_made(folder)):,} images  sha256 of all files {digests[name][:16]}", flush=True)
    print("all the same" if len(set(digests.values())) == 1 else "DIFFERENT", flush=True)
    _check_promise(out / "0", given.workspace)


def _kill_three_times(command: list[str], folder: Path) -> None:
    moments = random.Random(5)
    for part in (0.2, 0.5, 0.8):
        child = subprocess.Popen(command)
        while child.poll() is None and len(_made(folder)) < part * 1000 * moments.uniform(0.8, 1.2):
            time.sleep(0.2)
        child.send_signal(signal.SIGKILL)
        child.wait()


def _made(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.png"))


def _digest(folder: Path) -> str:
    """Return the SHA-256 of all files but the card and the page, which name the command and so the folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (".lock", "card.json", "preview.html"):
            total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def _check_promise(folder: Path, workspace: Path) -> None:
    """Count the bytes that changed beyond the margins, masks that are not the planned ones, and empty masks."""
    real, made = Dataset(workspace / "dataset"), Dataset(workspace / "synthetic" / folder.name)
    positions = {record.file: position for position, record in enumerate(real)}
    margin = read_card(folder / "card.json").margin_px or 0
    plan = {row.file: row for row in read_made(folder)}
    changed = wrong = empty = 0
    for record in made:
        image = read_image(folder / record.file)
        base = read_image(real.image_path(positions[record.source["base"]]))
        masks = [rle.decode(annotation.rle) for annotation in record.annotations]
        outside = grow(np.max(masks, axis=0), margin) == 0
        changed += int((image != base)[outside].sum())
        planned = [defect.counts for defect in plan[record.file].defects]
        wrong += sum(a.rle.counts != b for a, b in zip(record.annotations, planned, strict=True))
        empty += sum(not mask.any() for mask in masks)
    print(
        f"{len(made):,} images: {changed} bytes changed beyond the margin, {wrong} masks not as planned, {empty} empty"
    )


# Memory


def memory(given: argparse.Namespace) -> None:
    """Print the peak memory of a command that draws few defects and of one that draws many."""
    for count in (given.few, given.many):
        folder = given.out / f"memory-{count}"
        command = [*COMMAND, "synthesize", "--engine", "gan", "--per-class", str(count), "--no-screen", "--quiet"]
        script = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, *command, "--out", str(folder), "--workspace", str(given.workspace)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        print(f"{len(_made(folder)):,} images: peak {int(done.stdout) / 1e6:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
