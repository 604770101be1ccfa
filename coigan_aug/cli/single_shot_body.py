"""What `coigan-aug synthesize --image` does once torch is loaded: draw one image, the same pixels as in a batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import marked
from coigan_aug.annotations.rle import Rle
from coigan_aug.checkpoint import GeneratorFile, load_generator
from coigan_aug.cli.workspace import Workspace
from coigan_aug.config import load_settings
from coigan_aug.errors import DataError, UsageError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, read_image, read_mask, write_image
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.examples import load_examples
from coigan_aug.prepare.prepared import training_positions
from coigan_aug.progress import say
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import generator_engine
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import find_run

WRITTEN = (".png", ".bmp", ".tif", ".tiff")  # what keeps every byte outside the margin


def draw_here(
    workspace: Workspace, *, image: Path, masks: Sequence[Path], classes: Sequence[str], contrasts: Sequence[float],
    seed: int | None, out: Path, overwrite: bool, run_name: str | None, device_name: str | None,
    overrides: Sequence[str], config: Path | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Draw defects with given masks on one image, as the options of `coigan-aug synthesize --image` say."""
    _check(masks, classes, contrasts, out, overwrite=overwrite)
    load_settings(file=config, overrides=overrides)  # wrong ones are refused here as everywhere
    run = find_run(workspace.runs, run_name)
    generator = load_generator(run.generator)
    names = [item.name for item in generator.classes]
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise UsageError(f"--class {unknown[0]}: {run.name} has no such class.", remedy=f"Classes: {', '.join(names)}.")
    device = choose_device(device_name, gpus=None)
    if device.type == "cpu":
        torch.set_num_threads(1)
    base = read_image(image)
    told = list(contrasts) or _usual_contrasts(workspace, generator, [names.index(name) for name in classes])
    defects = tuple(
        PlannedDefect(names.index(name), _mask(path, base, image), None, (), contrast=contrast, shape="given")
        for name, path, contrast in zip(classes, masks, told, strict=True)
    )
    job = Job(1, 0, Box.of(base.shape), defects, seed=1 if seed is None else seed)
    engine = generator_engine(generator, run=run.name, device=device)
    (made,) = engine.draw([job], [base], [engine.cut(job, base)])
    write_image(out, made)
    changed = int((made != base).sum() if base.ndim == 2 else (made != base).any(axis=2).sum())
    say(f"{out}   {changed:,} pixels changed, drawn with {run.name}, seed {job.seed}", quiet=quiet)
    if as_json:
        print(json.dumps({"image": str(out), "pixels_changed": changed, "seed": job.seed, "contrasts": told}))


def _check(
    masks: Sequence[Path], classes: Sequence[str], contrasts: Sequence[float], out: Path, *, overwrite: bool
) -> None:
    if not masks or len(masks) != len(classes) or len(contrasts) not in (0, len(masks)):
        raise UsageError(
            f"--image with {len(masks)} --mask, {len(classes)} --class and {len(contrasts)} --contrast.",
            remedy="Give a --class (and, where you give any, a --contrast) with each --mask.",
        )
    if out.suffix.lower() not in WRITTEN:
        raise UsageError(
            f"--out {out}: with --image it is an image file that keeps every byte.", remedy="Such as --out made.png"
        )
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already.", remedy="--overwrite replaces it; or give another --out.")


def _mask(path: Path, base: Pixels, image: Path) -> Rle:
    solid = marked(read_mask(path))
    if solid.shape != base.shape[:2]:
        raise DataError(
            f"{path} is {solid.shape[0]} x {solid.shape[1]} pixels (height x width), {image} {base.shape[0]} x {base.shape[1]}."
        )
    if not solid.any():
        raise DataError(f"{path} is empty: no pixel of it is other than 0.")
    return rle.encode(solid)


def _usual_contrasts(workspace: Workspace, generator: GeneratorFile, labels: Sequence[int]) -> list[float]:
    """Return the median contrast of the training objects of each defect's class; 0 for a generator that is not told it."""
    if not generator.settings.model.contrast:
        return [0.0] * len(labels)
    if not (workspace.dataset / "dataset.json").exists():
        raise UsageError(
            f"{workspace.dataset} is not there to take the usual contrast from.",
            remedy="Give --contrast, such as -0.3.",
        )
    dataset, data = Dataset(workspace.dataset), generator.settings.data
    examples = load_examples(dataset, training_positions(dataset, data), data, cache_root=workspace.cache)
    found = []
    for label in labels:
        values = [contrast_of(examples, examples.objects[k]) for k in examples.by_class[label]]
        found.append(round(float(np.median(values)), 4) if values else 0.0)
    return found
