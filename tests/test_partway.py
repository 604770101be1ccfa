"""Short trainings that are stopped go on as if they had not been."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from coigan_aug.eraser.fit import EraserSettings, fit_eraser
from coigan_aug.errors import Stopped
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.windows import Mixture
from coigan_aug.settings import EvaluateSettings
from coigan_aug.shapes.fit import ShapeGeneratorSettings, fit_shape_generator
from coigan_aug.shapes.forms import traits_of

CPU = torch.device("cpu")
SMALL = EvaluateSettings(
    segmenter="unet", width=8, depth=2, steps=6, batch=2, learning_rate=4e-3, average=0.9, jitter=(1.0, 1.0)
)
Train = Callable[[Path | None, Callable[..., None]], nn.Module]


def _segmenter(prepared: Prepared) -> Train:
    def train(kept: Path | None, report: Callable[..., None]) -> nn.Module:
        network, mixture = build_segmenter(SMALL, prepared.classes, seed=0), Mixture(real=prepared, flip=True)
        draw = lambda step: mixture.batch(0, step, size=2)  # noqa: E731
        fit(network, draw, SMALL, device=CPU, report=report, kept=kept)
        return network

    return train


def _eraser(prepared: Prepared) -> Train:
    settings = EraserSettings(width=4, depth=2, batch=2, images=90)
    return lambda kept, report: fit_eraser(prepared, settings, device=CPU, bfloat16=False, report=report, kept=kept)


def _shapes(prepared: Prepared) -> Train:
    traits = traits_of(prepared, [k for members in prepared.by_class for k in members])
    settings = ShapeGeneratorSettings(width=4, latent=2, batch=2, steps=205, examples=8)
    return lambda kept, report: fit_shape_generator(prepared, traits, settings, device=CPU, report=report, kept=kept)


@pytest.mark.parametrize("kind", [_segmenter, _eraser, _shapes])
def test_a_training_that_is_stopped_goes_on_as_if_it_had_not_been(
    prepared: Prepared, tmp_path: Path, kind: Callable[[Prepared], Train]
) -> None:
    train, kept = kind(prepared), tmp_path / "a.partway"
    whole = train(None, lambda *args: None).state_dict()

    def stop(done: int, total: int, note: str = "") -> None:
        if 0 < done < total:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match=r"this training is kept at step \d+ of") as caught:
        train(kept, stop)
    assert caught.value.remedy.startswith("Continue with the same command.")
    assert kept.exists()
    reports: list[int] = []
    again = train(kept, lambda done, total, note="": reports.append(done)).state_dict()
    assert reports[0] > 0
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert not kept.exists()


def test_what_was_kept_and_is_damaged_counts_for_nothing(prepared: Prepared, tmp_path: Path) -> None:
    train, kept = _segmenter(prepared), tmp_path / "a.partway"
    whole = train(None, lambda *args: None).state_dict()
    with pytest.raises(Stopped):
        train(kept, lambda done, total, note="": os.kill(os.getpid(), signal.SIGTERM) if done == 2 else None)
    data = bytearray(kept.read_bytes())
    data[-9] ^= 1
    kept.write_bytes(data)
    again = train(kept, lambda *args: None).state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
