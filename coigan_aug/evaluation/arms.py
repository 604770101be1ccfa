"""The arms of the benefit test, and one training and scoring of one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from coigan_aug.errors import UsageError, class_named
from coigan_aug.evaluation.tally import Held, Tally, read_tally, take_tally, write_tally
from coigan_aug.files import write_bytes
from coigan_aug.prepare.examples import Examples
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.build import METADATA, build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.windows import CutMix, Empty, Mixture, Pool, Source
from coigan_aug.settings import DataSettings, EvaluateSettings, Settings
from coigan_aug.weights import read_weights, weights_bytes

REAL, DUPLICATES, CUTMIX, EMPTY = "real", "duplicates", "cutmix", "empty"
CONTROLS = (DUPLICATES, CUTMIX, EMPTY)
"""Arms that every measurement can have: nothing is drawn for them."""
NEGATIVES = "/negatives"
OF_CLASS = ":"
"""Between a source and the one class that it adds."""


@dataclass(frozen=True, slots=True)
class Arm:
    """What a segmenter is trained on: real images, and with `share` of the windows those of some sources, by turns.

    `sources` are ("real",) (nothing added), controls ("duplicates": windows round the real defects once more; "cutmix";
    "empty": other windows from anywhere), engines, or names of synthetic sets; "patch:crack" adds that class alone.
    `negatives`: counterfeit negatives besides.
    """

    sources: tuple[str, ...]
    share: float
    name: str
    negatives: bool = False


def engine_of(source: str) -> str:
    """Return what draws a source: an engine, a control or a given set.

    >>> engine_of("patch:crack"), engine_of("gan")
    ('patch', 'gan')
    """
    return source.partition(OF_CLASS)[0]


def class_of(source: str) -> str | None:
    """Return the one class that a source adds, by name; None: it adds all of them.

    >>> class_of("patch:crack"), class_of("gan")
    ('crack', None)
    """
    return source.partition(OF_CLASS)[2] or None


def label_of(source: str, names: Sequence[str]) -> int | None:
    """Return the position among the classes of the one that a source adds; None: it adds all of them."""
    name = class_of(source)
    return None if name is None else names.index(name)


def _spelled(source: str, names: Sequence[str] | None) -> str:
    """Return a source with its class as the data set spells it."""
    name = class_of(source)
    if name is None or names is None:
        return source
    return f"{engine_of(source)}{OF_CLASS}{class_named(name.strip(), names, where=f'the arm {source}')}"


def list_arms(asked: Sequence[str], shares: Sequence[float], *, names: Sequence[str] | None = None) -> list[Arm]:
    """List real alone, then for each share what is asked for: names, joined by + where an arm mixes them.

    "transplant/negatives" takes counterfeit negatives besides; "patch:crack+patch:fray" draws these two classes alone.

    Args:
        names: the classes, which may be written in any case; None takes them as they are written.

    Raises:
        UsageError: an arm without a name, or one that is asked for twice; a class that there is not.
    """
    arms = [Arm((REAL,), 0.0, REAL)]
    for share in shares:
        for text in asked:
            kinds, slash, rest = text.partition(NEGATIVES)
            sources = tuple(_spelled(name.strip(), names) for name in kinds.split("+"))
            named = all(engine_of(source) and not source.endswith(OF_CLASS) for source in sources)
            if rest or not named or REAL in map(engine_of, sources) or "/" in kinds:
                raise UsageError(
                    f"{text!r} is no arm.", remedy="Write a name, NAME:CLASS, several joined by +, or NAME/negatives."
                )
            if any(engine_of(source) in (CUTMIX, EMPTY) and class_of(source) for source in sources):
                raise UsageError(f"{text!r} is no arm: {CUTMIX} and {EMPTY} take windows of any class.")
            tail = f" {share:g}" if len(shares) > 1 else ""
            arms.append(Arm(sources, share, f"real + {' + '.join(sources)}{slash}{tail}", bool(slash)))
    doubled = [arm.name for k, arm in enumerate(arms) if arm.name in {other.name for other in arms[:k]}]
    if doubled:
        raise UsageError(f"The arm {doubled[0]!r} is asked for twice.")
    return arms


def evaluated_at(data: DataSettings, evaluate: EvaluateSettings) -> DataSettings:
    """Return the data settings that the benefit test's segmenters see images by: their own scale and window."""
    return dataclasses.replace(data, scale=evaluate.scale, window=evaluate.window, fit=0.0)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that one training and scoring needs; picklable, so that it can go to another process.

    `real` holds the training images, `held` the test images, `added` what is added, by the name of the source, and
    `negatives` counterfeit ones. `marks` tells apart sources that may be others under the same name. With `tiles` nothing is
    balanced.
    """

    real: Examples
    held: Held
    added: Mapping[str, Source]
    settings: Settings
    folder: Path
    negatives: Source | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    tiles: bool = False

    def name(self, arm: Arm, seed: int) -> str:
        """Return what the files of an arm and seed are called, without a suffix."""
        evaluate = self.settings.evaluate
        marks = "".join(f"-{self.marks[name]}" for name in arm.sources if self.marks.get(name))
        share = f"-{arm.share:g}" if arm.share else ""
        faded = "-faded" * (evaluate.fade and bool(arm.share or evaluate.slots == "extra"))
        ring = f"-ring{evaluate.ring}" if evaluate.ring and arm.share else ""
        engines = "+".join(map(engine_of, arm.sources))
        return f"{engines}{'-negatives' * arm.negatives}{faded}{ring}{marks}{share}-{seed}"

    def source(self, name: str) -> Source:
        """Return what a source's windows are drawn from."""
        evaluate = self.settings.evaluate
        if name in self.added:
            return self.added[name]
        if name == CUTMIX:
            return CutMix(examples=self.real, jitter=evaluate.jitter)
        if name == EMPTY:
            return Empty(examples=self.real, jitter=evaluate.jitter)
        return Pool(
            examples=self.real, jitter=evaluate.jitter, tiles=self.tiles, label=label_of(name, self.real.dataset.names)
        )

    def mixture(self, arm: Arm) -> Mixture:
        """Return what an arm draws its windows from."""
        evaluate = self.settings.evaluate
        return Mixture(
            real=self.real,
            added=[self.source(name) for name in arm.sources if name != REAL],
            negatives=self.negatives if arm.negatives else None,
            share=arm.share or max(evaluate.shares) * (evaluate.slots == "extra"),
            extra=evaluate.slots == "extra",
            jitter=evaluate.jitter,
            flip=self.settings.data.flip,
            photometric=evaluate.photometric,
            binary=evaluate.binary,
            tiles=self.tiles,
            fade=evaluate.steps if evaluate.fade else 0,
            ring=evaluate.ring,
        )


def tally_file(bench: Bench, arm: Arm, seed: int) -> Path:
    """Return where the tally of an arm and seed is kept."""
    return bench.folder / "arms" / f"{bench.name(arm, seed)}.npz"


def network_file(bench: Bench, arm: Arm, seed: int) -> Path:
    """Return where the segmenter of an arm and seed is kept."""
    return bench.folder / "segmenters" / f"{bench.name(arm, seed)}.safetensors"


def run_arm(bench: Bench, arm: Arm, seed: int, *, device: torch.device, report: Report = silent) -> Tally:
    """Train a segmenter on an arm, look at the held-out images, keep tally and segmenter, and return the tally."""
    evaluate = bench.settings.evaluate
    network = build_segmenter(evaluate, 1 if evaluate.binary else bench.real.classes, seed=seed)
    mixture = bench.mixture(arm)
    fit(network, lambda step: mixture.batch(seed, step, size=evaluate.batch), evaluate, device=device, report=report)
    tally = take_tally(network, bench.held, device=device)
    write_bytes(network_file(bench, arm, seed), weights_bytes(network.state_dict(), METADATA, "{}"))
    write_tally(tally_file(bench, arm, seed), tally)
    return tally


def kept_network(bench: Bench, arm: Arm, seed: int, *, device: torch.device) -> nn.Module | None:
    """Return the segmenter that `run_arm` kept, in eval mode; None where the tally was made elsewhere.

    Raises:
        Damaged: the file is not as it was written.
    """
    weights, evaluate = network_file(bench, arm, seed), bench.settings.evaluate
    if not weights.exists():
        return None
    network = build_segmenter(evaluate, 1 if evaluate.binary else bench.real.classes, seed=seed)
    network.load_state_dict(read_weights(weights, METADATA, bare=True, remedy=f"Delete {weights}.")[1])
    return network.eval().to(device)


def load_tally(bench: Bench, arm: Arm, seed: int) -> Tally:
    """Read the tally that `run_arm` kept."""
    return read_tally(tally_file(bench, arm, seed))
