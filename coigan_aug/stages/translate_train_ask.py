"""The request to learn a change of look; light, as `asks`, since `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath
from coigan_aug.stages.shared import Config, Device, Overrides


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
    gpus: Annotated[int | None, Option("GPUs to train on; 0 is the CPU. Default: 1 where there is one.", least=0)] = (
        None
    )
    device: Device = None
    images_seen: Annotated[
        int | str | None, Option("Length in samples, such as 200k. Default: the recipe's.", read=str)
    ] = None
    minutes: Annotated[float | None, Option("Stop after so many minutes. Default: no limit.", least=0.01)] = None
    seed: Annotated[int | None, Option("Seed of everything random. Default: 7.")] = None
    resume: Annotated[bool, Option("Continue the newest run with its own settings.")] = False
    dry_run: Annotated[bool, Option("Show plan, memory and time, measured on 3 real steps.")] = False
    overrides: Overrides = ()
    config: Config = None
