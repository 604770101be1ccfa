"""The stage directions: which ways among a run's styles make its defects sharper, grainier, darker, or show more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from coigan_aug import __version__
from coigan_aug import rng as streams
from coigan_aug.annotations.rle import box
from coigan_aug.checkpoint import load_generator
from coigan_aug.compose.erase import TELEA
from coigan_aug.errors import DataError
from coigan_aug.folders import Folders
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, to_rgb, write_image
from coigan_aug.pictures import contact_sheet, surroundings
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import SILENT, Talk
from coigan_aug.sealed import write_sealed
from coigan_aug.stages.directions_ask import DirectionsAsk
from coigan_aug.stages.taking import take_run
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import Base, read_base
from coigan_aug.synthesis.engines import check_latent
from coigan_aug.synthesis.projecting import defect_of
from coigan_aug.synthesis.rows import name_of
from coigan_aug.synthesis.steering import AMOUNTS, Scene, Steering, choose, find_directions, try_directions
from coigan_aug.synthesis.style import FILE, Directions, unpacked
from coigan_aug.training.device import choose_device

STRIPS = "directions"
SHOWN = 4
_SERIES = 25  # latents of the search for each one that the directions are tried with


@dataclass(frozen=True, kw_only=True)
class Steered:
    """What was found: the file, beside the run's generator, the run's name, and a strip picture for each trait."""

    file: Path
    run: str
    directions: Directions
    strips: dict[str, Path]


def directions(workspace: Folders, ask: DirectionsAsk, *, talk: Talk = SILENT) -> Steered:
    """Measure the directions of a run and write them, and a strip picture of each, into its folder; earlier ones go.

    The same request on a CPU writes the same file.

    Raises:
        UsageError: the run has no latent. DataError: there is no run, or too few training objects.
    """
    run = take_run(workspace, ask.run, talk)
    generator = load_generator(run.generator)
    check_latent(generator, "directions", run=run.name)
    device = choose_device(ask.device, gpus=None)
    if device.type == "cpu":
        torch.set_num_threads(1)
    generator.generator.to(device)
    with talk.steps() as begin:
        prepared = prepare(
            Dataset(workspace.dataset), generator.settings.data, cache_root=workspace.cache, progress=begin
        )
    steering = Steering(generator, device, ask.seed)
    with talk.step("erase objects to draw on") as report:
        scenes = []
        chosen = choose_objects(prepared, 2 * ask.masks, seed=ask.seed)
        for number in chosen:
            scenes.append(_scene(steering, prepared, number))
            report(len(scenes), len(chosen))
    found_on, tried_on = _halves(scenes)
    with talk.step("draw and measure latents") as report:
        tries = find_directions(steering, found_on, latents=ask.latents // 2, report=report)
    with talk.step("choose directions") as report:
        found = choose(steering, found_on, tries, series=len(found_on), report=report)
    with talk.step("try the directions on other masks") as report:
        series = max(ask.latents // _SERIES, len(tried_on))
        tried = try_directions(steering, tried_on, found, series=series, report=report)
    measured = Directions(
        generator=generator.sha256, program=f"coigan-aug {__version__}", latents=ask.latents, seed=ask.seed,
        found_on=[scene.name for scene in found_on], tried_on=[scene.name for scene in tried_on], directions=tried,
    )  # fmt: skip
    strips = {}
    with talk.step("draw the strips") as report:
        for item in tried:
            strips[item.name] = run.folder / STRIPS / f"{item.name}.png"
            write_image(
                strips[item.name],
                strip(steering, tried_on[:: max(len(tried_on) // SHOWN, 1)][:SHOWN], unpacked(item.vector)),
            )
            report(len(strips), len(tried))
    write_sealed(run.folder / FILE, measured)
    return Steered(file=run.folder / FILE, run=run.name, directions=measured, strips=strips)


def choose_objects(prepared: Prepared, count: int, *, seed: int) -> list[int]:
    """Choose training objects (their places in `objects`) of different images, the classes in turn, at random.

    Raises:
        DataError: there are fewer than 2.
    """
    waiting = [
        [members[place] for place in streams.generator(seed, "masks", label).permutation(len(members))]
        for label, members in enumerate(prepared.by_class)
    ]
    chosen: list[int] = []
    images: set[int] = set()
    while len(chosen) < count and any(waiting):
        for queue in waiting:
            while queue and prepared.objects[queue[0]].position in images:
                queue.pop(0)
            if queue and len(chosen) < count:
                images.add(prepared.objects[queue[0]].position)
                chosen.append(queue.pop(0))
    if len(chosen) < 2:
        raise DataError(
            f"The training images with objects are {len(chosen)}; directions are found on some and tried on others.",
            remedy="Import more images.",
        )
    return chosen


def _halves(scenes: Sequence[Scene]) -> tuple[list[Scene], list[Scene]]:
    """Part scenes in two, of each class as many on both sides; none of the sides is empty."""
    by_class: dict[int, list[Scene]] = {}
    for scene in scenes:
        by_class.setdefault(scene.defect.label, []).append(scene)
    first = [scene for own in by_class.values() for scene in own[::2]]
    second = [scene for own in by_class.values() for scene in own[1::2]]
    return (first, second) if second else (first[::2], first[1::2])


def _scene(steering: Steering, prepared: Prepared, number: int) -> Scene:
    item = prepared.objects[number]
    shape = prepared.dataset[item.position]
    base = read_base(prepared, Base(item.position, Box.of((shape.height, shape.width)), erased=True), TELEA)
    defect = defect_of(item.label, item.full, round(contrast_of(prepared, item), 4))
    return steering.scene("{}:{}".format(*name_of(prepared, number)), base, defect)


def strip(steering: Steering, scenes: Sequence[Scene], vector: np.ndarray) -> Pixels:
    """Show scenes, a row each, drawn with one latent each and shifted along a direction, either way."""
    amounts = sorted((*AMOUNTS, 0.0))
    rows = []
    for k, scene in enumerate(scenes):
        latent = steering.latent("strips", k)
        height, width = scene.base.shape[:2]
        view = surroundings(box(scene.mask), height=height, width=width)
        drawn = (steering.draw(scene, latent, amount * vector.astype(np.float64)) for amount in amounts)
        rows.append([to_rgb(image[view]) for image in drawn])
    return contact_sheet(rows, headings=[f"{amount:+g}" for amount in amounts], cell=128)
