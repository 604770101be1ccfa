"""The engines: what turns a planned job and its base image into a picture. All of them draw the same plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.errors import DataError
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.synthesis.gan import blend, cut_patches, draw_patches
from coigan_aug.synthesis.paste import paste, poisson
from coigan_aug.synthesis.plan import Job

ENGINES = ("gan", "paste", "poisson")


@dataclass(frozen=True)
class Engine:
    """A way to draw jobs on their base images; `about` says what it draws with, for the card."""

    name: str
    draw: Callable[[Sequence[Job], Sequence[Pixels]], Iterable[Pixels]]
    about: Mapping[str, Any] = field(default_factory=dict)


def gan_engine(prepared: Prepared, generator: GeneratorFile, *, run: str, seed: int, device: torch.device) -> Engine:
    """Draw with a trained generator.

    Args:
        run: the name of the run that it is of.
        seed: of the noise.

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
    generator.generator.to(device)

    def draw(jobs: Sequence[Job], images: Sequence[Pixels]) -> Iterator[Pixels]:
        patches = [cut_patches(image, job, generator, seed=seed) for image, job in zip(images, jobs, strict=True)]
        deltas = iter(draw_patches([patch for own in patches for patch in own], generator, device))
        for image, own in zip(images, patches, strict=True):
            made = image
            for patch in own:
                made = blend(made, patch, next(deltas), generator)
            yield made

    return Engine("gan", draw, {"run": run, "sha256": generator.sha256, "images_seen": generator.images})


def copying_engine(name: str, prepared: Prepared, settings: Settings) -> Engine:
    """Draw with copies of training objects: "paste" (brightness matched) or "poisson" (gradients cloned)."""
    put = {"paste": paste, "poisson": poisson}[name]

    def draw(jobs: Sequence[Job], images: Sequence[Pixels]) -> Iterator[Pixels]:
        return (put(prepared, job, image, settings) for job, image in zip(jobs, images, strict=True))

    return Engine(name, draw)
