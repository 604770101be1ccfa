"""The stage draw: defects with given masks on one image, the same pixels as in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import marked
from coigan_aug.annotations.rle import Rle
from coigan_aug.checkpoint import GeneratorFile, load_generator
from coigan_aug.config import load_settings, settings_file
from coigan_aug.errors import DataError, UsageError, class_named
from coigan_aug.folders import Folders
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, read_image, read_mask, write_image
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.examples import load_examples
from coigan_aug.prepare.prepared import training_positions
from coigan_aug.progress import SILENT, Talk
from coigan_aug.stages.asks import DrawAsk
from coigan_aug.stages.taking import take_run
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.synthesis.engines import generator_engine
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.style import parse_style, read_directions, shift_of
from coigan_aug.training.device import choose_device

WRITTEN = (".png", ".bmp", ".tif", ".tiff")  # what keeps every byte outside the margin


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """An image that was drawn on: the run that drew, the seed, each defect's contrast, and how many pixels differ."""

    image: Path
    run: str
    seed: int
    contrasts: tuple[float, ...]
    pixels_changed: int


def draw(workspace: Folders, ask: DrawAsk, *, talk: Talk = SILENT) -> Drawn:
    """Draw a defect in each mask on one image and write it.

    Raises:
        UsageError: masks, classes and contrasts are not as many; an unknown class; `ask.out` is there or would lose bytes.
        DataError: a mask is empty or of another size than the image; there is no run.
    """
    masks, out, image = [Path(mask) for mask in ask.masks], Path(ask.out), Path(ask.image)
    _check(masks, ask, out)
    flags = {} if ask.truncation is None else {"synthesize.truncation": ask.truncation}
    asked = load_settings(file=settings_file(ask.config), overrides=ask.overrides, flags=flags).synthesize
    run = take_run(workspace, ask.run, talk)
    generator = load_generator(run.generator)
    names = [item.name for item in generator.classes]
    labels = [names.index(class_named(name, names, where=f"--class, {run.name}")) for name in ask.classes]
    device = choose_device(ask.device, gpus=None)
    if device.type == "cpu":
        torch.set_num_threads(1)
    base = read_image(image)
    contrasts = tuple(ask.contrasts) or usual_contrasts(workspace, generator, labels)
    style, known = parse_style(ask.style), read_directions(run.folder, generator)
    shift_of(style, known, run=run.name)
    defects = tuple(
        PlannedDefect(label, _mask(mask, base, image), None, (), contrast=contrast, shape="given")
        for label, mask, contrast in zip(labels, masks, contrasts, strict=True)
    )
    seed = 1 if ask.seed is None else ask.seed
    job = Job(1, 0, Box.of(base.shape), defects, seed=seed, truncation=asked.truncation, style=style)
    engine = generator_engine(generator, run=run.name, device=device, directions=known)
    (made,) = engine.draw([job], [base], [engine.cut(job, base)])
    write_image(out, made)
    changed = int((made != base).sum() if base.ndim == 2 else (made != base).any(axis=2).sum())
    return Drawn(image=out, run=run.name, seed=job.seed, contrasts=contrasts, pixels_changed=changed)


def _check(masks: Sequence[Path], ask: DrawAsk, out: Path) -> None:
    classes, contrasts = ask.classes, ask.contrasts
    if not masks or len(masks) != len(classes) or len(contrasts) not in (0, len(masks)):
        raise UsageError(
            f"--image with {len(masks)} --mask, {len(classes)} --class and {len(contrasts)} --contrast.",
            remedy="Give a --class (and, where you give any, a --contrast) with each --mask.",
        )
    if out.suffix.lower() not in WRITTEN:
        raise UsageError(
            f"--out {out}: with --image it is an image file that keeps every byte.", remedy="Such as --out made.png"
        )
    if out.exists() and not ask.overwrite:
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


def usual_contrasts(workspace: Folders, generator: GeneratorFile, labels: Sequence[int]) -> tuple[float, ...]:
    """Return the median contrast of the training objects of each defect's class; 0 for a generator that is not told it."""
    if not generator.settings.model.contrast:
        return (0.0,) * len(labels)
    if not (workspace.dataset / MANIFEST).exists():
        raise UsageError(
            f"{workspace.dataset} is not there to take the usual contrast from.",
            remedy="Give --contrast, such as -0.3.",
        )
    dataset, data = Dataset(workspace.dataset), generator.settings.data
    examples = load_examples(dataset, training_positions(dataset, data), data, cache_root=workspace.cache)
    contrasts = []
    for label in labels:
        values = [contrast_of(examples, examples.objects[k]) for k in examples.by_class[label]]
        contrasts.append(round(float(np.median(values)), 4) if values else 0.0)
    return tuple(contrasts)
