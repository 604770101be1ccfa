"""The request to learn a change of look; light, as `asks`, since `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath
from coigan_aug.stages.shared import Config, Device, DryRun, Gpus, ImagesSeen, Minutes, Overrides, Resume, TrainSeed


@dataclass(frozen=True, kw_only=True)
class TranslateTrainAsk(Ask):
    """Learn to give images of line A the look of line B."""

    COMMAND: ClassVar[str] = "translate train"

    to: Annotated[StrPath, Option("Line B: a folder of images, a data set or a workspace; masks are not needed.")]
    source: Annotated[
        StrPath | None,
        Option(
            "Line A: the same; its masks keep their edges. Default: the workspace's data set.",
            flag="--from",
            metavar="PATH",
        ),
    ] = None
    recipe: Annotated[str | None, Option("tiny or default. Default: tiny on a CPU, default on a GPU.")] = None
    attention: Annotated[
        str | None,
        Option(
            "none; gradcam: both ways look at the same places; mask: the same, and A's masks count more."
            " Default: the recipe's."
        ),
    ] = None
    gpus: Gpus = None
    device: Device = None
    images_seen: ImagesSeen = None
    minutes: Minutes = None
    seed: TrainSeed = None
    resume: Resume = False
    dry_run: DryRun = False
    overrides: Overrides = ()
    config: Config = None
