"""The options of all commands that read a team's annotations; the requests (`asks`) have them as fields."""

from __future__ import annotations

from typing import Annotated

from coigan_aug.asking import Option

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
