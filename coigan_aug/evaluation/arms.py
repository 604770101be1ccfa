"""The arms of the benefit test, and one training and scoring of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from coigan_aug.files import atomic_write, write_bytes
from coigan_aug.prepare.examples import Examples
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.scoring import Counts, class_counts
from coigan_aug.segmenter.windows import Mixture
from coigan_aug.settings import Settings

REAL, DUPLICATES = "real", "duplicates"


@dataclass(frozen=True, slots=True)
class Arm:
    """What a segmenter is trained on: real images, and with `share` of the windows those of a source.

    `source` is "real" (nothing added), "duplicates" (windows round the real defects once more) or the name of a
    synthetic set.
    """

    source: str
    share: float
    name: str


def list_arms(sources: Sequence[str], shares: Sequence[float]) -> list[Arm]:
    """List real alone, then for each share real + duplicates and real + each source."""
    arms = [Arm(REAL, 0.0, REAL)]
    for share in shares:
        for source in (DUPLICATES, *sources):
            tail = f" {share:g}" if len(shares) > 1 else ""
            arms.append(Arm(source, share, f"real + {source}{tail}"))
    return arms


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that one training and scoring needs; picklable, so that it can go to another process.

    `real` holds the training images, `test` the held-out ones, `synthetic` what the arms add, by source.
    `defective` and `clean` are positions in `test`.
    """

    real: Examples
    test: Examples
    synthetic: Mapping[str, Examples]
    defective: tuple[int, ...]
    clean: tuple[int, ...]
    settings: Settings
    folder: Path
    tiles: bool = False

    def mixture(self, arm: Arm) -> Mixture:
        """Return what an arm draws its windows from."""
        extra = {REAL: None, DUPLICATES: self.real}.get(arm.source, self.synthetic.get(arm.source))
        evaluate = self.settings.evaluate
        return Mixture(
            real=self.real,
            extra=extra,
            share=arm.share,
            flip=self.settings.data.flip,
            photometric=evaluate.photometric,
            binary=evaluate.binary,
            tiles=self.tiles,
            fade=evaluate.steps if evaluate.fade else 0,
        )


@dataclass(frozen=True)
class Score:
    """The pixels counted for one arm and seed: [N, K, 3] over defective images, predicted and all pixels of clean ones."""

    counts: Counts
    clean_predicted: int
    clean_pixels: int


def score_file(bench: Bench, arm: Arm, seed: int) -> Path:
    """Return where the score of an arm and seed is kept."""
    return bench.folder / "arms" / f"{_plain(arm.name)}-{seed}.npz"


def network_file(bench: Bench, arm: Arm, seed: int) -> Path:
    """Return where the segmenter of an arm and seed is kept."""
    return bench.folder / "segmenters" / f"{_plain(arm.name)}-{seed}.safetensors"


def _plain(name: str) -> str:
    return name.replace(" + ", "+").replace(" ", "-")


def run_arm(
    bench: Bench, arm: Arm, seed: int, *, device: torch.device, bfloat16: bool, report: Report = silent
) -> Score:
    """Train a segmenter on an arm, score it on the held-out images, keep the score and the segmenter, and return the score."""
    evaluate, binary = bench.settings.evaluate, bench.settings.evaluate.binary
    network = build_segmenter(evaluate, 1 if binary else bench.real.classes, seed=seed)
    mixture = bench.mixture(arm)
    fit(
        network, lambda step: mixture.batch(seed, step, size=evaluate.batch), evaluate, device=device, bfloat16=bfloat16,
        report=report,
    )  # fmt: skip
    score = _score(network, bench, device=device, binary=binary)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    write_bytes(network_file(bench, arm, seed), save(weights))
    with atomic_write(score_file(bench, arm, seed)) as stream:
        np.savez(stream, counts=score.counts, clean=np.array([score.clean_predicted, score.clean_pixels]))
    return score


def load_score(path: Path) -> Score:
    """Read a score that `run_arm` kept."""
    with np.load(path, allow_pickle=False) as arrays:
        predicted, pixels = (int(value) for value in arrays["clean"])
        return Score(arrays["counts"], predicted, pixels)


def _score(network: torch.nn.Module, bench: Bench, *, device: torch.device, binary: bool) -> Score:
    counts = class_counts(network, bench.test, bench.defective, device=device, binary=binary)
    clean = class_counts(network, bench.test, bench.clean, device=device, binary=binary)
    pixels = sum(int(np.prod(bench.test.cache[position].shape[:2])) for position in bench.clean)
    return Score(counts, int(clean[..., 1].sum()), pixels)
