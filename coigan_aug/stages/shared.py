"""Options that several commands share; the requests (`asks`) have them as fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from coigan_aug.asking import Option, StrPath
from coigan_aug.formats.names import NAMES

FORMATS = ", ".join(NAMES)
Device = Annotated[str | None, Option("cpu, cuda or cuda:N. Default: the GPU where there is one.")]
RunName = Annotated[str | None, Option("Run to draw with: its name or number. Default: the newest finished one.")]
Overrides = Annotated[
    Sequence[str], Option("Override a setting; may be repeated.", flag="--set", metavar="SECTION.KEY=VALUE")
]
Config = Annotated[StrPath | None, Option("Settings file. Default: coigan.yaml, where there is one.")]
AcceptChanges = Annotated[
    bool,
    Option("Take files of data set, sets, runs and results that were changed by hand as they are. Default: an error."),
]
Truncation = Annotated[
    float | None,
    Option(
        "How far drawn defects go from the mean style, 0-1: below 1 more usual, less varied. Needs a run with a latent."
        " Default: 1, all of the variety.",
        metavar="SHARE",
        least=0,
    ),
]
StyleAsk = Annotated[
    str | Mapping[str, float] | None,
    Option(
        "How far defects go along directions that coigan-aug directions has kept, in standard deviations of the trait, -5 to 5:"
        " sharpness=1.5, or several by commas. Default: none.",
        read=str,
        metavar="TRAIT=AMOUNT,...",
    ),
]

# Of those that train

Gpus = Annotated[int | None, Option("GPUs to train on; 0 is the CPU. Default: 1 where there is one.", least=0)]
ImagesSeen = Annotated[int | str | None, Option("Length in samples, such as 200k. Default: the recipe's.", read=str)]
Minutes = Annotated[float | None, Option("Stop after so many minutes. Default: no limit.", least=0.01)]
TrainSeed = Annotated[int | None, Option("Seed of everything random. Default: 7.")]
Resume = Annotated[bool, Option("Continue the newest run with its own settings.")]
DryRun = Annotated[bool, Option("Show plan, memory and time, measured on 3 real steps.")]

# Of those that read a team's annotations

Clip = Annotated[bool, Option("Cut runs that leave the image. Default: an error.")]
SkipMissing = Annotated[bool, Option("Leave out missing images. Default: an error.")]
SkipBroken = Annotated[bool, Option("Leave out broken images. Default: an error.")]
UnknownAs = Annotated[
    str | None,
    Option(
        "clean: take images that lost an annotation, or whose mask is missing, as they are; without a mask they count"
        " as defect-free. Default: they are of unknown state and serve nothing.",
        metavar="clean",
    ),
]
Pair = Annotated[
    str | None,
    Option(
        "What the names of an image and of its mask have in common: the group key of a regular expression, such as"
        r" '(?P<key>\d+)_GT'; a name that it does not fit is taken whole. Default: names alike but for case, ending and"
        " words such as _mask.",
        metavar="REGEX",
    ),
]
InvertMasks = Annotated[
    bool | None,
    Option(
        "The defect is black in masks; no: they are right although they mark most of the image. Default: ask then.",
        flag="--invert-masks/--no-invert-masks",
    ),
]
ResizeMasks = Annotated[
    bool,
    Option("Bring masks that were drawn on smaller or larger copies to the size of their images. Default: an error."),
]
RleOrder = Annotated[
    str | None,
    Option(
        "rows or columns: where the run lengths of a CSV go. Default: as its columns are known for, else columns.",
        metavar="rows|columns",
    ),
]
LineWidth = Annotated[
    float | None,
    Option(
        "Width in px of lines (linestrip, polyline), which become masks. Default: their images are of unknown state.",
        metavar="PX",
        least=1,
    ),
]
ValueRange = Annotated[
    str | None,
    Option(
        "Pixel values that become 0 and 255 in 8-bit copies of images with more bits. Default: an error.",
        metavar="LOW,HIGH",
    ),
]
