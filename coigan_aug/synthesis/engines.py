"""The engines: what turns a planned job and its base image into a picture. All of them draw the same plans."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.compose.noise import latent_shape
from coigan_aug.errors import DataError, UsageError
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.store.card import NOTHING, DrawnBy
from coigan_aug.synthesis.gan import Patch, blend, cut_patches, draw_patches
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.paste import PUT
from coigan_aug.synthesis.patch import Sources, patched
from coigan_aug.synthesis.style import Directions, check_width, shift_of

PATCH = "patch"
COPYING = tuple(PUT)
UNTRAINED = (*COPYING, PATCH)  # these need no run
ENGINES = ("gan", *UNTRAINED)
OWN_PLACE = "transplant"  # moves defects in their own place
Cut = Callable[[Job, Pixels], list[Patch]]
Draw = Callable[[Sequence[Job], Sequence[Pixels], Sequence[list[Patch]]], Iterable[Pixels]]


def _nothing(job: Job, image: Pixels) -> list[Patch]:
    return []


@dataclass(frozen=True)
class Engine:
    """A way to draw jobs on their base images; `about` says what it draws with, for the card.

    `cut` makes ready what `draw` is given along with the jobs and images; it may run ahead, in other threads. `by_class`
    names the engine of each class (by position) where they differ, `directions` those that its styles go along.
    """

    name: str
    draw: Draw
    cut: Cut = _nothing
    about: DrawnBy = NOTHING
    by_class: Mapping[int, str] = field(default_factory=dict)
    directions: str = ""

    def of(self, label: int) -> str:
        """Return the name of the engine that draws a class."""
        return self.by_class.get(label, self.name)

    def own_places(self, classes: int) -> frozenset[int]:
        """Return which of so many classes are planned in their own place."""
        return frozenset(label for label in range(classes) if self.of(label) == OWN_PLACE)


def gan_engine(
    prepared: Prepared,
    generator: GeneratorFile,
    *,
    run: str,
    device: torch.device,
    directions: Directions | None = None,
) -> Engine:
    """Draw with a trained generator.

    Args:
        run: the name of the run that it is of.
        directions: what was measured of it, for jobs with a style.

    Raises:
        DataError: the generator has other classes than the data set.
    """
    trained = [item.name for item in generator.classes]
    if trained != list(prepared.dataset.names):
        raise DataError(
            f"The generator was trained on the classes {', '.join(trained)}; the data set has"
            f" {', '.join(prepared.dataset.names)}.",
            remedy="Train again with: coigan-aug train",
        )
    return generator_engine(generator, run=run, device=device, directions=directions)


def check_latent(generator: GeneratorFile, what: str, *, run: str) -> None:
    """See that a generator has a latent.

    Args:
        what: what needs it, for the message.

    Raises:
        UsageError: it has none.
    """
    if latent_shape(generator.settings.model)[0] == 0:
        raise UsageError(
            f"{what} needs a latent, and run {run} has none (model.generator: {generator.settings.model.generator}).",
            remedy="Leave it out, or train a run that has one: coigan-aug train --set model.generator=style_unet",
        )


def generator_engine(
    generator: GeneratorFile, *, run: str, device: torch.device, directions: Directions | None = None
) -> Engine:
    """Draw with a generator whatever the data set."""
    generator.generator.to(device)

    def cut(job: Job, image: Pixels) -> list[Patch]:
        if job.truncation != 1:
            check_latent(generator, f"A truncation of {job.truncation:g}", run=run)
        if any(defect.latent for defect in job.defects):
            check_latent(generator, "A plan with latents", run=run)
        if job.style:
            check_latent(generator, "A style", run=run)
        shift = shift_of(job.style, directions, run=run)
        if shift is None:
            return cut_patches(image, job, generator)
        check_width(shift, generator.settings.model.latent)
        return cut_patches(image, job, generator, shift=torch.from_numpy(shift))

    def draw(jobs: Sequence[Job], images: Sequence[Pixels], patches: Sequence[list[Patch]]) -> Iterator[Pixels]:
        deltas = iter(draw_patches([patch for of_image in patches for patch in of_image], generator, device))
        for image, of_image in zip(images, patches, strict=True):
            made = image
            for patch in of_image:
                made = blend(made, patch, next(deltas), generator)
            yield made

    about = DrawnBy(run=run, sha256=generator.sha256, images_seen=generator.images)
    return Engine("gan", draw, cut, about, directions=directions.name if directions else "")


def copying_engine(name: str, prepared: Prepared, settings: Settings) -> Engine:
    """Draw with copies of training objects: "transplant", "paste" (brightness matched) or "poisson" (gradients cloned)."""
    put = PUT[name]

    def draw(jobs: Sequence[Job], images: Sequence[Pixels], patches: Sequence[list[Patch]]) -> Iterator[Pixels]:
        return (put(prepared, job, image, settings) for job, image in zip(jobs, images, strict=True))

    return Engine(name, draw)


def patch_engine(prepared: Prepared, settings: Settings) -> Engine:
    """Draw with patches of training objects, put together anew."""
    sources = Sources(prepared)

    def draw(jobs: Sequence[Job], images: Sequence[Pixels], patches: Sequence[list[Patch]]) -> Iterator[Pixels]:
        return (patched(sources, job, image, settings) for job, image in zip(jobs, images, strict=True))

    return Engine(PATCH, draw)


def untrained_engine(name: str, prepared: Prepared, settings: Settings) -> Engine:
    """Return the engine of one of the names in `UNTRAINED`."""
    return patch_engine(prepared, settings) if name == PATCH else copying_engine(name, prepared, settings)


def mixed_engine(by_class: Mapping[int, str], engines: Mapping[str, Engine]) -> Engine:
    """Draw each class (by position) with an engine of its own, one engine's defects of an image after the other's."""
    order = [engine for name, engine in engines.items() if name in by_class.values()]

    def part(job: Job, engine: Engine) -> Job:
        own = tuple(defect for defect in job.defects if by_class[defect.label] == engine.name)
        return dataclasses.replace(job, defects=own)

    def cut(job: Job, image: Pixels) -> list[Patch]:
        return order[0].cut(part(job, order[0]), image)  # the others see what this one has drawn

    def draw(jobs: Sequence[Job], images: Sequence[Pixels], patches: Sequence[list[Patch]]) -> Iterable[Pixels]:
        made: Iterable[Pixels] = order[0].draw([part(job, order[0]) for job in jobs], images, patches)
        for engine in order[1:]:
            own, drawn = [part(job, engine) for job in jobs], list(made)
            cuts = [engine.cut(job, image) for job, image in zip(own, drawn, strict=True)]
            made = engine.draw(own, drawn, cuts)
        return made

    about = next((engine.about for engine in order if engine.about.sha256), NOTHING)
    known = next((engine.directions for engine in order if engine.directions), "")
    return Engine("auto", draw, cut, about, dict(by_class), known)
