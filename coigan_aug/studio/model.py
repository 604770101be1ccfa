"""What draws: a run's generator with the training images that it may draw on. Loaded once, used by one thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from coigan_aug.annotations import rle
from coigan_aug.annotations.components import split_components
from coigan_aug.annotations.rle import Mask, Rle
from coigan_aug.checkpoint import GeneratorFile, load_generator
from coigan_aug.compose.erase import TELEA
from coigan_aug.compose.noise import latent_shape
from coigan_aug.config import load_settings
from coigan_aug.errors import DataError, UsageError, class_named
from coigan_aug.folders import Folders
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import Talk
from coigan_aug.settings import Settings
from coigan_aug.stages.draw import usual_contrasts
from coigan_aug.store.dataset import Dataset
from coigan_aug.studio.wire import Layer
from coigan_aug.synthesis.bases import Base, find_bases, read_base
from coigan_aug.synthesis.engines import Engine, gan_engine
from coigan_aug.synthesis.gan import merge_boxes
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.style import Directions, read_directions
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import Run, find_run

_BASES_HELD = 8


@dataclass(frozen=True)
class Model:
    """A run ready to draw; `contrasts` holds the median one of each class, `bases` what can be drawn on by position."""

    run: Run
    generator: GeneratorFile
    engine: Engine
    prepared: Prepared
    settings: Settings
    contrasts: tuple[float, ...]
    bases: Mapping[int, Base]
    device: torch.device
    directions: Directions | None = None

    @property
    def margin(self) -> int:
        """How far outside its mask a defect may change pixels, px."""
        return margin_of(self.settings)

    @property
    def latent(self) -> bool:
        """Whether the generator has a latent."""
        return latent_shape(self.settings.model)[0] > 0

    @property
    def traits(self) -> list[str]:
        """The traits that a style can ask for: those whose directions were kept."""
        return [item.name for item in self.directions.directions if item.kept] if self.directions else []

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in their order."""
        return self.prepared.dataset.names

    def base_of(self, position: int) -> Base:
        """Return what is drawn on.

        Raises:
            UsageError: there is no such base.
        """
        if position not in self.bases:
            raise UsageError(f"There is no base {position}.", remedy="Choose another image.")
        return self.bases[position]

    def surface(self, position: int) -> Pixels:
        """Return the pixels to draw on, uint8 [H, W] or [H, W, 3]; nobody writes into them."""
        return _surface(self, position)

    def __hash__(self) -> int:
        return id(self)


@lru_cache(maxsize=_BASES_HELD)
def _surface(model: Model, position: int) -> Pixels:
    pixels = read_base(model.prepared, model.base_of(position), TELEA)
    pixels.setflags(write=False)
    return pixels


def load_model(workspace: Folders, name: str | None, talk: Talk) -> Model:
    """Load a run's generator and prepare the data set as it was trained on.

    Raises:
        DataError: there is no such run, its file is gone or damaged, or it was trained on other classes.
    """
    run = find_run(workspace.runs, name)
    generator = load_generator(run.generator)
    settings = replace(generator.settings, synthesize=load_settings().synthesize)
    device = choose_device(None, gpus=None)
    if device.type == "cpu":
        torch.set_num_threads(1)
    dataset = Dataset(workspace.dataset)
    with talk.steps() as begin:
        prepared = prepare(dataset, settings.data, cache_root=workspace.cache, progress=begin)
    directions = read_directions(run.folder, generator)
    engine = gan_engine(prepared, generator, run=run.name, device=device, directions=directions)
    contrasts = usual_contrasts(workspace, generator, range(len(dataset.names)))
    return Model(run, generator, engine, prepared, settings, contrasts, _bases(prepared), device, directions)


def _bases(prepared: Prepared) -> dict[int, Base]:
    """Return what can be drawn on by position: defect-free training images, and others with their defects erased."""
    try:
        bases = find_bases(prepared, kind="both", windows=False)
    except DataError:
        return {}
    return {base.position: base for base in reversed(bases)}


def plan_job(
    model: Model, position: int, layers: Sequence[Layer], masks: Sequence[Mask], *, seed: int, truncation: float = 1.0
) -> Job:
    """Return the job of drawing painted masks: a defect for all parts of a class that share a rectangle of the network.

    Raises:
        UsageError: nothing is painted, something lies beyond the image, or a class is none.
    """
    base = model.base_of(position)
    shape = (base.region.height, base.region.width)
    defects = [
        defect for layer, mask in zip(layers, masks, strict=True) for defect in _defects(model, layer, mask, shape)
    ]
    if not defects:
        raise UsageError("Nothing is painted yet.")
    return Job(1, position, base.region, tuple(defects), erased=base.erased, seed=seed, truncation=truncation)


def _defects(model: Model, layer: Layer, mask: Mask, shape: tuple[int, int]) -> Iterator[PlannedDefect]:
    box = Box(*layer.box)
    if not box.within(Box.of(shape)):
        raise UsageError(f"A mask of {layer.label} reaches beyond the image.")
    label = model.names.index(class_named(layer.label, model.names))
    contrast = model.contrasts[label] if layer.contrast is None else layer.contrast
    for part in _parts(mask, box, shape, reach=model.margin + 1):
        yield PlannedDefect(label, part, None, (), contrast=contrast, shape="given")


def _parts(mask: Mask, box: Box, shape: tuple[int, int], *, reach: int) -> list[Rle]:
    """Split a mask [h, w] at a box of an image into what the network draws together."""
    if not mask.any():
        return []
    whole = rle.place(mask, left=box.left, top=box.top, height=shape[0], width=shape[1])
    components = split_components(whole)
    if len(components) == 1:
        return components
    boxes = [rle.box(item) for item in components]
    groups = merge_boxes(boxes, reach=reach)
    members = [[k for k, own in enumerate(boxes) if own.within(group)] for group in groups]
    return [rle.union([components[k] for k in own]) for own in members]


def draw_job(model: Model, job: Job) -> Pixels:
    """Draw a job on its base: [H, W(, 3)] as the base."""
    base = model.surface(job.base)
    (made,) = model.engine.draw([job], [base], [model.engine.cut(job, base)])
    return made


def changed_boxes(model: Model, job: Job) -> list[Box]:
    """Return boxes that hold all that a job may change of its base; no two of them overlap."""
    shape, margin = (job.region.height, job.region.width), model.margin
    boxes = [rle.box(defect.rle).grow(margin) for defect in job.defects]
    return [box.clip(shape) for box in merge_boxes(boxes, reach=0)]
