"""A split that tears pieces apart inflates the score, and inspect finds it in the pixels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from coigan_aug import rng as streams
from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.data.inspecting import inspect_dataset
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import Examples
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import fit
from coigan_aug.segmenter.scoring import class_counts, iou
from coigan_aug.segmenter.windows import Mixture
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES
from tests.evaluation.test_benefit import examples_of, settings_of

PIECES, EXPOSURES = 12, 3
SIZE = (36, 48)


def photograph(piece: int, exposure: int) -> tuple[np.ndarray, np.ndarray]:
    """Paint a piece with two blotches: which one is called a defect can't be told but by knowing the piece."""
    draw, light = streams.generator(5, "piece", piece), streams.generator(5, "light", 10 * piece + exposure)
    grain = cv2.GaussianBlur(draw.normal(0, 60, SIZE), (0, 0), 1.2) + draw.normal(0, 6, SIZE)
    places = [(12, 10 + int(draw.integers(16))), (36, 10 + int(draw.integers(16)))]
    defect = int(draw.integers(2))
    masks = [cv2.circle(np.zeros(SIZE, np.uint8), place, 6, 1, -1) for place in places]
    image = 130 + grain + 45 * (masks[0] + masks[1])
    image = (image - 130) * light.uniform(0.85, 1.15) + 130 + light.uniform(-15, 15) + light.normal(0, 2, SIZE)
    return np.clip(image, 0, 255).astype(np.uint8), masks[defect]


def write_pieces(folder: Path, split_of: Callable[[int, int], str]) -> Dataset:
    records = []
    for piece in range(PIECES):
        for exposure in range(EXPOSURES):
            image, mask = photograph(piece, exposure)
            file = f"{chr(97 + piece)}{'xyz'[exposure]}.png"
            write_image(folder / "images" / file, image)
            annotation = Annotation(label="spot", rle=rle.encode(mask))
            records.append(
                ImageRecord(
                    file=file,
                    height=SIZE[0],
                    width=SIZE[1],
                    annotations=(annotation,),
                    group=file,
                    split=split_of(piece, exposure),
                )
            )
    return write_dataset(folder / "set", records, classes=CLASSES[:1], image_root=folder / "images", provenance={})


@pytest.fixture(scope="module")
def leaked(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Every piece is on both sides: one exposure is held out."""
    return write_pieces(tmp_path_factory.mktemp("leaked"), lambda piece, exposure: "test" if exposure == 2 else "train")


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A third of the pieces is held out whole."""
    return write_pieces(
        tmp_path_factory.mktemp("grouped"), lambda piece, exposure: "test" if piece % 3 == 0 else "train"
    )


def _score(dataset: Dataset, folder: Path) -> float:
    settings = settings_of("evaluate.steps=160", "evaluate.width=5", "data.flip=false", "data.window=32")
    real: Examples = examples_of(dataset, "train", settings, folder)
    test = examples_of(dataset, "test", settings, folder)
    network, mixture = build_segmenter(settings.evaluate, 1, seed=0), Mixture(real=real, flip=False)
    fit(
        network,
        lambda step: mixture.batch(0, step, size=8),
        settings.evaluate,
        device=torch.device("cpu"),
    )
    counts = class_counts(network, test, dataset.indices("test"), device=torch.device("cpu"))
    return float(iou(counts.sum(axis=0))[0])


@pytest.mark.slow
def test_a_leaked_split_inflates_the_score(leaked: Dataset, grouped: Dataset, tmp_path: Path) -> None:
    assert _score(leaked, tmp_path / "a") > _score(grouped, tmp_path / "b") + 0.15


def test_inspect_finds_the_leak_though_the_groups_of_the_data_set_hide_it(leaked: Dataset, grouped: Dataset) -> None:
    found = inspect_dataset(leaked)
    assert found.leakage == found.defective_leakage == 1.0
    assert len(found.pairs) == PIECES
    assert all(test[0] == train[0] for test, train in found.pairs)  # the same piece
    assert inspect_dataset(grouped).leakage == 0


def test_inspect_says_so_and_strict_makes_it_an_error(
    leaked: Dataset, grouped: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:

    def inspect(*arguments: str) -> tuple[int, str, str]:
        code = run(lambda: app(["inspect", *arguments]))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    code, out, err = inspect(str(leaked.folder), "--json")
    assert code == 0
    assert "LEAK: 100.0% of the test images (100.0% of those with a defect)" in err
    assert "A score measured on this split is inflated." in err
    assert json.loads(out)["leakage"] == 1.0
    assert inspect(str(leaked.folder), "--strict", "--quiet")[0] == 6
    code, _, err = inspect(str(grouped.folder), "--strict")
    assert code == 0
    assert "No test image has a photograph of the same piece in train" in err
