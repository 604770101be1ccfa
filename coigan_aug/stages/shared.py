"""The options that several commands share: what they say, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from coigan_aug.asking import Option, StrPath
from coigan_aug.formats.names import NAMES

FORMATS = ", ".join(NAMES)
Device = Annotated[str | None, Option("cpu, cuda or cuda:N. Default: the GPU where there is one.")]
RunName = Annotated[str | None, Option("Run to draw with: its name or number. Default: the newest.")]
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
Overrides = Annotated[
    Sequence[str], Option("Override a setting; may be repeated.", flag="--set", metavar="SECTION.KEY=VALUE")
]
Config = Annotated[StrPath | None, Option("Settings file. Default: coigan.yaml, where there is one.")]
AcceptChanges = Annotated[
    bool,
    Option("Take files of data set, sets, runs and results that were changed by hand as they are. Default: an error."),
]
