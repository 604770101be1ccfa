"""The requests of the commands that translate, and of the one that measures translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath
from coigan_aug.stages.shared import FORMATS, AcceptChanges, Config, Device, Overrides

To = Annotated[
    StrPath | None,
    Option(
        "The line whose look is taken: its workspace, a data set (test images are left out), or a folder of images.",
        metavar="B",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TranslateAsk(Ask):
    """Give a labelled set the look of another line; its masks stay, bit for bit."""

    COMMAND: ClassVar[str] = "translate apply"

    source: Annotated[
        StrPath,
        Option(
            "What is translated: a workspace, a data set, or a synthetic set by name or folder.",
            argument=True,
            metavar="SET",
        ),
    ]
    out: Annotated[StrPath, Option("Folder for images, annotations, preview and card.")]
    to: To = None
    engine: Annotated[
        str,
        Option(
            "histogram (levels) or amplitude (low frequencies); auto: what evaluate transfer"
            " found best of these, else histogram."
        ),
    ] = "auto"
    run: Annotated[
        str | None,
        Option("Run of translate train whose network is taken, instead of --engine and --to: name, number or folder."),
    ] = None
    format: Annotated[str, Option(f"{FORMATS}, or source (as imported).")] = "coco"
    screen: Annotated[
        bool,
        Option(
            "Try again where a defect is lost, ask a segmenter of the set whether it still finds them. Default: yes.",
            flag="--screen/--no-screen",
        ),
    ] = True
    seed: Annotated[int | None, Option("Seed by which each image gets its reference. Default: 1.")] = None
    overwrite: Annotated[bool, Option("Replace the set that --out holds; other files stay.")] = False
    device: Device = None
    accept_changes: AcceptChanges = False
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class TransferAsk(Ask):
    """Measure what translating a line's images is worth on another line."""

    COMMAND: ClassVar[str] = "evaluate transfer"

    to: Annotated[
        StrPath,
        Option("The other line: its workspace or data set, or a folder of images without masks.", metavar="B"),
    ]
    source: Annotated[
        StrPath | None,
        Option(
            "The line with masks: its workspace or data set. Default: this workspace's.", flag="--from", metavar="A"
        ),
    ] = None
    engines: Annotated[
        str,
        Option(
            "Engines to try, several by commas: histogram, amplitude; of synthesize, which draw A's defects on B's"
            " defect-free images: transplant, patch, paste, poisson; and what they are held against: clean (A as it is and"
            " those images), labelled (B's own training images with their masks)."
        ),
    ] = "histogram,amplitude,transplant"
    runs: Annotated[
        Sequence[str],
        Option(
            "A run of translate train to try, too: name, number or folder. May be repeated.",
            flag="--run",
            metavar="RUN",
        ),
    ] = ()
    seeds: Annotated[int | None, Option("Trainings of each arm. Default: 3.", least=1)] = None
    jobs: Annotated[int, Option("Trainings at the same time, one thread each. Default: 1.", least=1)] = 1
    device: Device = None
    accept_changes: AcceptChanges = False
    overrides: Overrides = ()
    config: Config = None
