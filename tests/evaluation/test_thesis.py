"""The thesis' protocol: which tiles count, how they are drawn, and that the distance is theirs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coigan_aug.errors import DataError
from coigan_aug.evaluation.crops import list_tiles, tile_pixels
from coigan_aug.evaluation.numbers import Thesis
from coigan_aug.evaluation.result import Result
from coigan_aug.evaluation.thesis import measure_thesis
from coigan_aug.metrics.features import Lite0
from coigan_aug.metrics.frechet import Moments, moments_of
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

pytestmark = pytest.mark.usefixtures("coarse")


@pytest.fixture(autouse=True, scope="module")
def quick_distance() -> Iterator[None]:
    """A distance of the same moments that takes no matrix apart; the true one: tests/metrics/test_frechet.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coigan_aug.evaluation.thesis.frechet_distance", _distance)
        yield


def _distance(one: Moments, other: Moments) -> float:
    return float(np.square(one.mean - other.mean).sum() + np.square(one.covariance - other.covariance).sum())


@pytest.fixture(scope="module")
def made(make_synthetic: Callable[..., Dataset], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_synthetic(tmp_path_factory.mktemp("made"), count=4)


def _measure(
    real: Dataset, made: Dataset, settings: Settings, folder: Path, *, side: int = 40, **options: Any
) -> Result[Thesis]:
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, window=side))
    return measure_thesis(
        real, made, settings, folder=folder, device=torch.device("cpu"), command="coigan-aug evaluate", **options
    )


@pytest.fixture(scope="module")
def found(
    coarse: None, real: Dataset, made: Dataset, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Result[Thesis]:
    return _measure(real, made, settings, tmp_path_factory.mktemp("result"))


def test_all_tiles_give_the_distance_of_all_tiles(real: Dataset, made: Dataset, found: Result[Thesis]) -> None:
    lite0 = Lite0()

    def rows(dataset: Dataset, positions: list[int], *, touched: bool = False) -> np.ndarray:
        tiles = list_tiles(dataset, positions, side=40, touched=touched)
        return np.concatenate([lite0([pixels]).numpy() for pixels in tile_pixels(dataset, tiles, side=40)])

    train, test = (rows(real, real.indices(split)) for split in ("train", "test"))
    synthetic = rows(made, [0, 1, 2, 3], touched=True)
    fid = found.numbers.fid
    assert fid.train_test == pytest.approx(_distance(moments_of(train), moments_of(test)), rel=1e-4)
    assert fid.synthetic_test == pytest.approx(_distance(moments_of(synthetic), moments_of(test)), rel=1e-4)
    assert {name: own.used for name, own in found.numbers.tiles.items()} == {
        "train": len(train), "test": len(test), "synthetic": len(synthetic),
    }  # fmt: skip
    assert len(synthetic) < len(list_tiles(made, [0, 1, 2, 3], side=40)), "tiles without a mask are real pixels"


def test_fewer_tiles_than_asked_for_are_told_and_the_figures_are_not_sold_as_the_thesis(found: Result[Thesis]) -> None:
    assert found.kind == "thesis"
    assert found.numbers.asked == 40_000
    assert found.numbers.thesis.synthetic_test == 62.79
    assert "40,000 tiles a side were asked for; there are only 120 train, 72 test," in found.warnings[0]
    assert any(text.startswith("FID of fewer than 2,048") for text in found.warnings)
    assert any("not comparable with the thesis'" in text for text in found.warnings)


def test_tiles_are_drawn_without_replacement_by_the_seed(
    real: Dataset, made: Dataset, settings: Settings, tmp_path: Path
) -> None:
    first = _measure(real, made, settings, tmp_path, images=8)
    assert {own.used for own in first.numbers.tiles.values()} == {8}
    assert not any("asked for" in text for text in first.warnings)
    assert _measure(real, made, settings, tmp_path, images=8).numbers == first.numbers
    other = dataclasses.replace(settings, evaluate=dataclasses.replace(settings.evaluate, seed=5))
    assert _measure(real, made, other, tmp_path, images=8).numbers.fid != first.numbers.fid


def test_a_single_tile_is_refused(
    real: Dataset, make_synthetic: Callable[..., Dataset], settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="gives 1 synthetic tile of 128 px"):
        _measure(real, make_synthetic(tmp_path, count=1), settings, tmp_path, side=128)
