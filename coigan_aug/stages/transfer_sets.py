"""What evaluate transfer trains on: a line's images as they are, its defects drawn on the other line, and controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from coigan_aug.config import settings_to_dict
from coigan_aug.data.joining import join, put_onto, surface_of
from coigan_aug.evaluation.transfer_numbers import AS_IT_IS, CLEAN, CONTROLS, LABELLED
from coigan_aug.folders import Folders
from coigan_aug.formats.names import CARD
from coigan_aug.prepare.prepared import prepare
from coigan_aug.progress import Talk
from coigan_aug.settings import Settings
from coigan_aug.stages.asks import SynthesizeAsk
from coigan_aug.stages.benches import short_hash
from coigan_aug.stages.synthesize import synthesize
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import UNTRAINED
from coigan_aug.translation.lines import Line

BESIDE = (*UNTRAINED, *CONTROLS)
"""What is trained on images of the other line; `why_not` says where that can't be."""
_DRAWN = ("data", "synthesize")


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Both lines: A's data set and the positions in it that may serve, the other line, and where on it is tested, if anywhere.

    `left_out` counts the images of A that show a piece on which is tested; `learnt` those of them that `translate train` sees.
    """

    source: Dataset
    positions: list[int]
    other: Line
    test: list[int]
    left_out: int
    learnt: int

    @property
    def training(self) -> list[int]:
        """A's training images."""
        return [k for k in self.positions if self.source[k].split == "train"]

    @property
    def labelled(self) -> bool:
        """Whether the other line's test images have masks."""
        return any(self.other.dataset[k].annotations for k in self.test) if self.other.dataset else False


@dataclass(frozen=True, kw_only=True)
class TransferSet:
    """What a segmenter is trained on: the records at `training` of a Dataset.

    `measured` is what became of the defects, where images were translated; `mark` names what the set was made of.
    """

    name: str
    dataset: Dataset
    training: list[int]
    measured: Mapping[str, Any] = field(default_factory=dict)
    mark: str = ""


def as_it_is(lines: Lines) -> TransferSet:
    """Return A's training images."""
    return TransferSet(name=AS_IT_IS, dataset=lines.source, training=lines.training)


def why_not(name: str, lines: Lines) -> str:
    """Say why what is to be drawn on the other line, or a control, can't be tried; "" where it can."""
    theirs = lines.other.dataset
    if theirs is None or not lines.labelled:
        return f"{lines.other.folder} has no masks to test with"
    if name == LABELLED:
        known = any(theirs[k].annotations for k in theirs.indices("train"))
        return "" if known else f"no training image of {lines.other.folder} has a mask"
    return "" if surface_of(theirs) else f"no training image of {lines.other.folder} is known to be free of defects"


def control(name: str, lines: Lines, *, root: Path) -> TransferSet:
    """Return a control: A's images with B's defect-free ones beside ("clean"), or B's own with its masks ("labelled")."""
    theirs = _theirs(lines)
    if name == CLEAN:
        return _whole(name, join([(lines.source, lines.training), (theirs, surface_of(theirs))], root=root))
    return TransferSet(
        name=name, dataset=theirs, training=theirs.indices("train"), mark=short_hash(theirs.manifest["sha256"])
    )


def drawn(
    name: str, lines: Lines, workspace: Folders, settings: Settings, *, out: Path, device: torch.device, command: str,
    talk: Talk,
) -> TransferSet:  # fmt: skip
    """Draw the defects of A's training images on B's defect-free ones by an engine that needs no training; those beside.

    `settings.evaluate.per_class` of each class that A has; a set that is kept is not drawn again.
    """
    theirs = _theirs(lines)
    both = put_onto(lines.source, lines.training, theirs, root=workspace.lines)
    values, each = settings_to_dict(settings), settings.evaluate.per_class
    of = [name, both.manifest["sha256"], each, [values[section] for section in _DRAWN]]
    folder = out / f"{name}-{short_hash(of)}"
    images, records = folder / "images", folder / "records"
    if not (images / CARD).exists():
        with talk.steps() as begin:
            prepared = prepare(both, settings.data, cache_root=workspace.cache, progress=begin)
        counts = {label: each for label, members in zip(both.names, prepared.by_class, strict=True) if members}
        ask = SynthesizeAsk(out=images, per_class=counts, engine=name, bases="clean", device=str(device))
        synthesize(
            workspace, ask, talk=talk, command=command, settings=settings, prepared=prepared, records=records,
            quick_screen=True,
        )  # fmt: skip
    made = Dataset(records)
    return _whole(name, join([(made, range(len(made))), (theirs, surface_of(theirs))], root=workspace.lines))


def _whole(name: str, dataset: Dataset) -> TransferSet:
    mark = short_hash(dataset.manifest["sha256"])
    return TransferSet(name=name, dataset=dataset, training=list(range(len(dataset))), mark=mark)


def _theirs(lines: Lines) -> Dataset:
    assert lines.other.dataset is not None  # `why_not` told
    return lines.other.dataset
