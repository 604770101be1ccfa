"""The requests of the commands that evaluate; their fields are the commands' options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath
from coigan_aug.stages.shared import AcceptChanges, Config, Device, Overrides, RunName


@dataclass(frozen=True, kw_only=True)
class QualityAsk(Ask):
    """Measure how far synthetic images are from real ones."""

    COMMAND: ClassVar[str] = "evaluate quality"

    synthetic: Annotated[
        str | None,
        Option("Synthetic set: its name, or the folder given as --out. Default: the newest.", metavar="NAME|FOLDER"),
    ] = None
    features: Annotated[
        str | None,
        Option(
            "Feature spaces: efficientnet_lite0 (no download), inception (papers' figures), or both with a comma."
            " Default: efficientnet_lite0; for the thesis' protocol inception."
        ),
    ] = None
    inception_weights: Annotated[StrPath | None, Option("Weight file of Inception. Default: downloaded, 96 MB.")] = None
    segmenter: Annotated[
        bool,
        Option(
            "Train a segmenter on real images and see whether it finds the synthetic defects. Default: yes.",
            flag="--segmenter/--no-segmenter",
        ),
    ] = True
    protocol: Annotated[str, Option("default, or thesis: FID of tiles only, as its section 4.5.")] = "default"
    images: Annotated[
        int | None, Option("Tiles a side, for the thesis' protocol. Default: 40,000, as it has.", least=2)
    ] = None
    device: Device = None
    accept_changes: AcceptChanges = False
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class BenefitAsk(Ask):
    """Train a segmenter with and without synthetic defects and compare on held-out images."""

    COMMAND: ClassVar[str] = "evaluate benefit"

    engines: Annotated[
        str,
        Option(
            "What is added, an arm each: engines, duplicates, cutmix, empty; a+b mixes, a:CLASS adds that class alone,"
            " a/negatives adds counterfeits."
        ),
    ] = "duplicates,transplant,patch,gan"
    arms: Annotated[
        Sequence[str],
        Option("One more source: what synthesize --out made. May be repeated.", flag="--arm", metavar="NAME=FOLDER"),
    ] = ()
    run: RunName = None
    folds: Annotated[
        bool,
        Option(
            "Test every piece once, with a run for each fold of import --folds. Default: no.", flag="--folds/--no-folds"
        ),
    ] = False
    seeds: Annotated[int | None, Option("Trainings of each arm, in each fold. Default: 3.", least=1)] = None
    minutes: Annotated[
        float | None,
        Option(
            "Budget for all trainings together; every arm gets the same steps. Default: 2,400 steps each.", least=0.01
        ),
    ] = None
    jobs: Annotated[int, Option("Trainings at the same time, one thread each. Default: 1.", least=1)] = 1
    groups_per_class: Annotated[
        int | None,
        Option(
            "Small-data mode: so many groups of images of each class, as the run was trained. Default: all.", least=1
        ),
    ] = None
    protocol: Annotated[
        str,
        Option("default, or coigan: the thesis' successor's (binary masks, FCN-ResNet50, 100 epochs, 5,000 tiles)."),
    ] = "default"
    screen: Annotated[
        bool, Option("Judge what the engines draw as synthesize does. Default: yes.", flag="--screen/--no-screen")
    ] = True
    device: Device = None
    accept_changes: AcceptChanges = False
    overrides: Overrides = ()
    config: Config = None
