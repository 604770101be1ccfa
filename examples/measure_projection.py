"""Measure how near projected latents come to held-out defects, and whether siblings of real defects are copies of them.

    python examples/measure_projection.py WORKSPACE [--run R] [--most 40] [--steps 40]
    python examples/measure_projection.py WORKSPACE --siblings SET [--siblings SET]
    python examples/measure_projection.py WORKSPACE --picture IMAGE --out siblings.jpg

The first line erases held-out objects (those of the test images, at most so many, as many of each class) and prints the mean
absolute difference to the real object inside its mask, in grey levels of 255: with nothing drawn, with random latents (their
mean), with the best of eight, and with the projected latent; and the seconds of a core for each. The second line holds sets
that `synthesize --vary` made against the training objects, as `evaluate quality` does: the share that is nearer to a training
object than training objects are to each other, that of held-out real objects, and how often the nearest one lies in the image
that was varied, against chance. The third shows the training objects of an image: real, erased, drawn again, siblings.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from coigan_aug.annotations.rle import box, decode
from coigan_aug.checkpoint import load_generator
from coigan_aug.compose.erase import TELEA
from coigan_aug.evaluation.copies import measure_copies
from coigan_aug.evaluation.crops import CROP_FACTOR
from coigan_aug.evaluation.embedding import embed
from coigan_aug.evaluation.sets import picture_sets
from coigan_aug.folders import Folders
from coigan_aug.geometry import Box
from coigan_aug.imaging import to_rgb, write_image
from coigan_aug.metrics.features import Lite0
from coigan_aug.pictures import contact_sheet, surroundings
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.examples import load_examples
from coigan_aug.prepare.prepared import prepare
from coigan_aug.progress import silent
from coigan_aug.stages.varying import objects_named, sources_of
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import Base, read_base
from coigan_aug.synthesis.engines import gan_engine
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.latents import packed, varied
from coigan_aug.synthesis.projecting import STEPS, defect_of, load_projecting, project
from coigan_aug.training.run import find_run


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--run")
    parser.add_argument("--most", type=int, default=40, help="held-out objects")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the optimisation")
    parser.add_argument("--picture", help="objects as synthesize --vary takes them")
    parser.add_argument("--out", type=Path, default=Path("siblings.jpg"))
    parser.add_argument("--siblings", type=Path, action="append", help="a set of synthesize --vary")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    workspace = Folders(asked.workspace)
    if asked.picture:
        picture(workspace, asked.run, asked.picture, asked.out)
    elif asked.siblings:
        for folder in asked.siblings:
            measure_siblings(workspace, folder)
    else:
        measure_held_out(workspace, asked.run, most=asked.most, steps=asked.steps)


def measure_held_out(workspace: Folders, run: str | None, *, most: int, steps: int) -> None:
    """Project held-out objects and print how near that comes."""
    generator = load_generator(find_run(workspace.runs, run).generator)
    dataset, data = Dataset(workspace.dataset), generator.settings.data
    prepared = prepare(dataset, data, cache_root=workspace.cache)
    examples = load_examples(dataset, dataset.indices("test"), data, cache_root=workspace.cache)
    features, rows = load_projecting(), defaultdict(list)
    each = max(most // len(dataset.names), 1)
    for label, members in enumerate(examples.by_class):
        places = np.unique(np.linspace(0, len(members) - 1, min(each, len(members))).round().astype(int))
        for number in [members[place] for place in places]:
            item = examples.objects[number]
            image = dataset.stored(item.position)
            base = read_base(prepared, Base(item.position, Box.of(image.shape), erased=True), TELEA)
            defect = defect_of(label, item.full, contrast_of(examples, item))
            begun = time.process_time()
            found = project(generator, base, defect, image, features=features, steps=steps)
            seconds = time.process_time() - begun
            inside = decode(item.full) != 0
            empty = float(np.abs(image.astype(float) - base)[inside].mean())
            rows[dataset.names[label]].append((empty, found.random, found.best, found.projected, seconds))
            print(f"{dataset[item.position].file}: {rows[dataset.names[label]][-1]}", flush=True)
    print("| class | objects | erased | random | best of 8 | projected | s of a core |\n|---|---|---|---|---|---|---|")
    rows["all"] = [row for own in rows.values() for row in own]
    for name, own in rows.items():
        values = " | ".join(f"{value:.1f}" for value in np.mean(own, axis=0))
        print(f"| {name} | {len(own)} | {values} |")
    better = np.mean([row[3] < row[2] for row in rows["all"]])
    print(f"projected nearer than the best of 8: {better:.0%} of the objects")


def picture(workspace: Folders, run: str | None, name: str, out: Path) -> None:
    """Write a picture of objects: real, erased, drawn with the projected latent, and siblings of growing spread; in place."""
    trained = find_run(workspace.runs, run)
    generator = load_generator(trained.generator)
    prepared = prepare(Dataset(workspace.dataset), generator.settings.data, cache_root=workspace.cache)
    numbers = objects_named(prepared, name)[:4]
    sources = sources_of(prepared, generator, numbers, erasing=TELEA, root=workspace.cache, report=silent)
    engine = gan_engine(prepared, generator, run=trained.name, device=torch.device("cpu"))
    rows = []
    for number in numbers:
        item = prepared.objects[number]
        image = prepared.dataset.stored(item.position)
        base = read_base(prepared, Base(item.position, Box.of(image.shape), erased=True), TELEA)
        plain = defect_of(item.label, item.full, round(contrast_of(prepared, item), 4))
        shown = [image, base]
        for k, spread in enumerate((0.0, 0.3, 0.3, 0.3, 0.6, 0.6)):
            latent = varied(sources[number].latent, np.random.default_rng(k), spread=spread)
            job = Job(1, item.position, Box.of(base.shape), (replace(plain, latent=packed(latent)),), seed=k)
            shown += engine.draw([job], [base], [engine.cut(job, base)])
        view = surroundings(box(item.full), height=base.shape[0], width=base.shape[1])
        rows.append([to_rgb(pixels[view]) for pixels in shown])
    headings = ("real", "erased", "projected", *["spread 0.3"] * 3, *["spread 0.6"] * 2)
    write_image(out, contact_sheet(rows, headings=headings, cell=144))


def measure_siblings(workspace: Folders, folder: Path) -> None:
    """Print how near a set's objects are to training objects."""
    real, made = Dataset(workspace.dataset), Dataset(workspace.records_of(folder))
    sets = picture_sets(real, made, min_area=16)
    with tempfile.TemporaryDirectory() as scratch:
        inside = {
            name: embed(pictures, {}, Lite0(), factor=CROP_FACTOR, folder=Path(scratch), advance=lambda _: None).inside
            for name, pictures in sets.items()
        }
        print(
            f"{folder}\n| class | siblings | near copies | held-out real ones | nearest is the varied one's | by chance |"
        )
        print("|---|---|---|---|---|---|")
        for label, name in enumerate(real.names):
            own = {key: pictures.members(label) for key, pictures in sets.items()}
            made_rows, train, test = (inside[key][own[key]] for key in ("synthetic", "train", "test"))
            objects, known = sets["synthetic"].instances[own["synthetic"]], sets["train"].instances[own["train"]]
            if not len(objects):
                continue
            files = [real[item.position].file for item in known]
            copies, _ = measure_copies((made_rows, train, test), objects, known, files, features="")
            shares = (copies.share, copies.floor, copies.from_shape_source, copies.by_chance)
            said = " | ".join("-" if share is None else f"{share:.0%}" for share in shares)
            print(f"| {name} | {copies.n_synthetic} | {said} |")


if __name__ == "__main__":
    main()
