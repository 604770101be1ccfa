"""Without a word a training takes what fits the device, and says so."""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from coigan_aug.config import load_settings
from coigan_aug.errors import EnvironmentProblem
from coigan_aug.folders import Folders
from coigan_aug.models.build import build_generator
from coigan_aug.progress import Talk
from coigan_aug.settings import Settings
from coigan_aug.stages.asks import TrainAsk
from coigan_aug.stages.train import train
from coigan_aug.training import device, inpainting, plan
from coigan_aug.training.batches import Batch
from coigan_aug.training.judging import Losses
from coigan_aug.training.loop import Speed
from coigan_aug.training.networks import Networks
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
    assert "recipe tiny" in str(planned.plan)
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


def test_where_steps_are_slow_a_dry_run_takes_one_with_one_sample_and_says_so(
    workspace: Folders, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = TrainAsk(recipe="tiny", device="cpu", dry_run=True, overrides=SMALL)
    taken: list[int] = []
    step = inpainting.training_step

    def counted(networks: Networks, batch: Batch, *others: Any) -> Losses:
        taken.append(len(batch.base))
        return step(networks, batch, *others)

    monkeypatch.setattr(inpainting, "training_step", counted)
    found = train(workspace, ask, talk=Talk(quiet=False))
    assert found is not None
    assert "(measured on 3 real steps)" in str(found.plan)
    assert taken == [1, 4, 4, 4]
    monkeypatch.setattr(plan, "SLOW", 0.0)
    taken.clear()
    slow = train(workspace, ask, talk=Talk(quiet=False))
    assert slow is not None
    assert re.search(
        r"memory  about \d+ GB .*\(from one real step with 1 sample: a whole one takes about \d+ s\)", str(slow.plan)
    )
    assert taken == [1]
    assert "measuring steps, the first with one sample 3 / 3" in capsys.readouterr().err


def test_a_dry_run_on_a_machine_that_others_use_says_why_it_is_slow(
    workspace: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = TrainAsk(recipe="tiny", device="cpu", dry_run=True, overrides=(*SMALL, "train.images=1000000000"))
    for spent, says in ((0.1, True), (1.0, False)):
        begun = time.perf_counter()
        monkeypatch.setattr(plan.time, "process_time", lambda: spent * (time.perf_counter() - begun))  # noqa: B023
        found = train(workspace, ask)
        assert found is not None
        assert ("Others use this machine: it had 0.1 of 1 cores meanwhile" in str(found.plan)) == says
        assert re.search(r"time  about [\d,]+ days ", str(found.plan))


def test_weights_that_are_missing_are_told_before_any_image_is_read(workspace: Folders, tmp_path: Path) -> None:
    shutil.copytree(workspace.dataset, tmp_path / "coigan" / "dataset")
    anew, missing = Folders(tmp_path / "coigan"), str(tmp_path / "missing.pth")
    ask = TrainAsk(
        recipe="coigan", device="cpu", dry_run=True, overrides=("data.window=32",), perceptual_weights=missing
    )
    with pytest.raises(EnvironmentProblem, match=r"missing\.pth cannot be read"):
        train(anew, ask)
    assert not anew.cache.exists()


@pytest.mark.parametrize(
    ("took", "chosen", "asked"),
    [
        ({(False, 1): 1.0, (False, 2): 0.8, (True, 1): 3.0, (True, 2): 0.1}, (False, 2), 3),
        ({(False, 1): 1.0, (False, 2): 0.95, (True, 1): 2.0, (True, 2): 0.5}, (True, 2), 4),
        ({(False, 1): 1.0, (False, 2): 1.5, (True, 1): 0.4, (True, 2): 0.39}, (True, 1), 4),
    ],
)
def test_precision_and_threads_are_the_fastest_and_a_hopeless_precision_is_not_tried_again(
    small: Settings, monkeypatch: pytest.MonkeyPatch, took: dict[tuple[bool, int], float], chosen: object, asked: int
) -> None:
    """By 10 % at least, on windows of 128 px at most: one of 256 px in emulated bfloat16 takes a minute."""
    seen: list[int] = []

    def timed(generator: object, settings: Settings, condition: int, *, bfloat16: bool, threads: int) -> float:
        seen.append(settings.data.window)
        return took[bfloat16, threads]

    monkeypatch.setattr(device, "pass_seconds", timed)
    monkeypatch.setattr(device, "usable_processors", lambda: 2)
    settings = dataclasses.replace(
        small,
        data=dataclasses.replace(small.data, window=256),
        train=dataclasses.replace(small.train, threads=0, precision="auto"),
    )
    found = device.choose_speed(build_generator(settings.model, 2), settings, torch.device("cpu"), condition=4)
    assert found == chosen
    assert seen == [128] * asked
