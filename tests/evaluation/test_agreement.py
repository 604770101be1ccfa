"""The segmenter that knows real images only: trained once, kept, and asked again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from coigan_aug.evaluation import quality
from coigan_aug.segmenter import real_only
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

CPU = torch.device("cpu")


def test_a_kept_segmenter_answers_as_when_it_was_trained_and_other_settings_train_anew(
    toy: Dataset, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = dataclasses.replace(small.evaluate, segmenter="unet", width=4, depth=2, steps=60, batch=4)
    settings = dataclasses.replace(small, evaluate=evaluate)
    first = quality.real_only(toy, settings, cache_root=tmp_path, device=CPU)(toy, [0, 2, 4])
    assert max(first.values()) > 0
    trained: list[int] = []
    monkeypatch.setattr(real_only, "fit", lambda *given, **options: trained.append(1))
    fitted = dataclasses.replace(settings, data=dataclasses.replace(settings.data, fit=0.5))
    for same in (settings, fitted):  # the generator's views do not matter to a segmenter
        assert quality.real_only(toy, same, cache_root=tmp_path, device=CPU)(toy, [0, 2, 4]) == first
    assert not trained
    other = dataclasses.replace(settings, evaluate=dataclasses.replace(evaluate, seed=1))
    quality.real_only(toy, other, cache_root=tmp_path, device=CPU)
    assert trained == [1]


@pytest.mark.parametrize(("window", "learnt", "batch"), [(32, 32, 16), (64, 64, 16), (96, 96, 7), (256, 96, 7)])
def test_large_windows_are_learnt_from_smaller_ones(small: Settings, window: int, learnt: int, batch: int) -> None:
    """A step costs no more than one of the recipe tiny, whose windows have 64 px."""
    settings = dataclasses.replace(small, data=dataclasses.replace(small.data, window=window))
    screening = real_only.screening(settings)
    assert (screening.window, screening.batch) == (learnt, batch)
    assert batch * learnt**2 <= 16 * 64**2
