"""The request for the studio: its options. Light, since `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath
from coigan_aug.stages.shared import RunName


@dataclass(frozen=True, kw_only=True)
class StudioAsk(Ask):
    """Paint defects and see them at once, in a browser on this machine."""

    COMMAND: ClassVar[str] = "studio"

    folder: Annotated[
        StrPath | None,
        Option("Folder that holds data set and runs. Default: ./coigan", argument=True, metavar="[WORKSPACE]"),
    ] = None
    run: RunName = None
    port: Annotated[int, Option("Port on 127.0.0.1. Default: 0, a free one.", least=0)] = 0
    browser: Annotated[bool, Option("Open a browser. Default: yes.", flag="--browser/--no-browser")] = True
