"""The picture of the ten worst: which images they are, against scikit-learn, and that each arm is shown as it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from coigan_aug.evaluation import worst
from coigan_aug.evaluation.arms import Arm, Bench, list_arms
from coigan_aug.imaging import read_image
from tests.evaluation.test_benefit import bench_of, settings_of

CPU = torch.device("cpu")
HEAD, CELL = 48, 192


class _Dark(nn.Module):
    """Calls a pixel the more likely a defect the darker it is."""

    def forward(self, x: Tensor) -> Tensor:
        grey = x.mean(dim=1)
        return torch.stack([grey * 8, 2 - grey * 4, 1 - grey * 4], dim=1)


class _Blind(nn.Module):
    """Sees no defect anywhere."""

    def forward(self, x: Tensor) -> Tensor:
        nothing = torch.full_like(x[:, 0], -20)
        return torch.stack([torch.zeros_like(nothing), nothing, nothing], dim=1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return bench_of(tmp_path, settings_of(), {})


def test_the_worst_images_come_first_one_of_each_piece(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    test = bench.held.test
    expected = {}
    for position in bench.held.defective:
        grey = test.dataset.image(position).mean(axis=2)
        truth = np.max(list(test.dataset.masks(position).values()), axis=0)
        expected[position] = average_precision_score(truth.ravel() != 0, -grey.ravel())
    scores = worst._scores(bench, _Dark(), CPU)
    assert scores == pytest.approx(expected, abs=0.01)  # ours counts in bins
    monkeypatch.setattr(worst, "COUNT", 3)
    assert worst._worst(bench, scores) == sorted(scores, key=lambda position: scores[position])[:3]
    monkeypatch.setattr(worst, "piece_of", lambda dataset, position: str(position % 2))
    least = [min((k for k in scores if k % 2 == rest), key=lambda k: scores[k]) for rest in (0, 1)]
    assert worst._worst(bench, scores) == sorted(least, key=lambda k: scores[k])


def test_each_arm_that_is_kept_has_a_column_and_shows_what_it_sees(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = list_arms(("duplicates", "cutmix", "empty"), (0.25,))
    networks: dict[str, nn.Module | None] = {
        "real": _Dark(), "real + duplicates": _Blind(), "real + cutmix": None, "real + empty": _Dark(),
    }  # fmt: skip

    def kept(bench: Bench, arm: Arm, seed: int, *, device: torch.device) -> nn.Module | None:
        return networks[arm.name]

    monkeypatch.setattr(worst, "kept_network", kept)
    ((title, name),) = worst.ten_worst(bench, arms, 0, folder=tmp_path, device=CPU)
    assert "8 test pieces" in title
    sheet = read_image(tmp_path / name)
    assert sheet.shape == (HEAD + 8 * CELL, 4 * CELL, 3)
    columns = [sheet[HEAD:, k * CELL : (k + 1) * CELL].astype(int) for k in range(4)]
    assert (columns[1] == columns[3]).all(), "equal networks give equal pictures"
    outlines = (columns[0] != columns[2]).any(axis=2)  # a network that sees nothing leaves the photograph as it is
    assert 0 < outlines.mean() < 0.1
    assert ((columns[1] != columns[2]).any(axis=2) & ~outlines).mean() > 0.02


def test_without_the_segmenter_of_real_images_there_is_no_picture(bench: Bench, tmp_path: Path) -> None:
    assert worst.ten_worst(bench, list_arms(("duplicates",), (0.25,)), 0, folder=tmp_path, device=CPU) == ()
    assert not (tmp_path / worst.PICTURE).exists()
