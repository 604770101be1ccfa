"""The request for a run's directions; light, as `asks`, since `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option
from coigan_aug.stages.shared import Device, RunName


@dataclass(frozen=True, kw_only=True)
class DirectionsAsk(Ask):
    """Find the directions of a run's styles that change one trait of its defects."""

    COMMAND: ClassVar[str] = "directions"

    run: RunName = None
    latents: Annotated[int, Option("Latents to draw and measure.", least=20)] = 1000
    masks: Annotated[
        int, Option("Training objects whose masks are drawn in; as many others to try it on.", least=1)
    ] = 16
    seed: Annotated[int, Option("Seed of the latents and of the choice of masks.")] = 0
    device: Device = None
