"""Without a word a training takes what fits the device, and says so."""

from __future__ import annotations

import dataclasses

import pytest

from coigan_aug.config import load_settings
from coigan_aug.folders import Folders
from coigan_aug.progress import Talk
from coigan_aug.settings import Settings
from coigan_aug.stages.asks import TrainAsk
from coigan_aug.stages.train import train
from coigan_aug.training.loop import Speed
from coigan_aug.training.plan import times_as_long
from tests.conftest import SMALL, write_toy


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folder = tmp_path_factory.mktemp("recipes")
    write_toy(folder)
    return Folders(folder / "coigan")


def test_a_cpu_trains_tiny_and_is_told_what_default_would_take(
    workspace: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = (*SMALL, "model.contrast=false")
    planned = train(workspace, TrainAsk(device="cpu", dry_run=True, overrides=overrides), talk=Talk(quiet=False))
    assert planned is not None
    assert "recipe tiny" in planned.plan
    said = capsys.readouterr().err
    assert "No GPU is used: recipe tiny, 32 px windows. Recipe default (32 px, 24 samples) would take about " in said
    assert "spot has 5 training objects; below 20 expect copies of them" in said
    train(workspace, TrainAsk(recipe="tiny", device="cpu", dry_run=True, overrides=overrides), talk=Talk(quiet=False))
    assert "No GPU" not in capsys.readouterr().err, "who names a recipe knows it"


def test_objects_that_are_left_out_for_their_size_are_said(
    workspace: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = TrainAsk(recipe="tiny", device="cpu", dry_run=True, overrides=(*SMALL, "data.min_area=90"))
    train(workspace, ask, talk=Talk(quiet=False))
    assert "training objects have fewer than 90 px and are left out (--set data.min_area=1 takes them)" in (
        capsys.readouterr().err
    )


def test_a_longer_training_with_larger_windows_takes_as_many_times_as_long(small: Settings) -> None:
    """A pass over 128 px windows has 16 times the pixels of one over 32 px; timed, so within a factor of 5 of it."""
    large = dataclasses.replace(
        small,
        data=dataclasses.replace(small.data, window=128),
        train=dataclasses.replace(small.train, images=10 * small.train.images),
    )
    ratio = times_as_long(small, large, classes=2, speed=Speed(bfloat16=False, threads=1))
    assert 10 * 3 < ratio < 10 * 80
    assert load_settings(recipe="default").train.images > load_settings(recipe="tiny").train.images
