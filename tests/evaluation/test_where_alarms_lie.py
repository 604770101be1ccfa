"""The example that says where false pixels lie. Truth: distances and thresholds by double loops."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.evaluation.arms import evaluated_at
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.settings import Settings
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES


class Bright(nn.Module):
    """Calls bright pixels a defect: the brighter, the surer."""

    def forward(self, images: Tensor) -> Tensor:
        grey = 8 * images.mean(dim=1, keepdim=True) - 4
        return torch.cat([torch.zeros_like(grey), grey, torch.full_like(grey, -20)], dim=1)


@pytest.fixture(scope="module")
def example() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
        return importlib.import_module("where_alarms_lie")


@pytest.fixture
def test(tmp_path: Path) -> Examples:
    """An image with a defect, a bright spot near it, one at middle distance and one far off; and one with a spot alone."""
    pixels, mask = np.full((60, 160), 20, np.uint8), np.zeros((60, 160), np.uint8)
    mask[20:30, 10:20] = 1
    pixels[20:30, 10:20] = 250
    pixels[22:24, 24:26] = pixels[22:25, 40:43] = pixels[22:27, 100:105] = 200
    alone = np.full((60, 160), 20, np.uint8)
    alone[5:12, 5:12] = 200
    write_image(tmp_path / "a.png", pixels)
    write_image(tmp_path / "b.png", alone)
    known = Annotation(label="spot", rle=rle.encode(mask))
    records = [
        ImageRecord(file="a.png", height=60, width=160, annotations=(known,), split="test"),
        ImageRecord(file="b.png", height=60, width=160, split="test"),
    ]
    dataset = write_dataset(tmp_path / "set", records, classes=CLASSES, image_root=tmp_path, provenance={})
    settings = Settings()
    seen = evaluated_at(settings.data, settings.evaluate)
    return load_examples(dataset, range(2), seen, cache_root=tmp_path / "cache")


def test_false_pixels_are_counted_by_how_far_from_a_defect_they_lie(
    example: ModuleType, test: Examples, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = example.count(Bright().eval(), test)
    assert pixels.counts.sum() == 2 * 60 * 160
    threshold = example.tell("bright", pixels)
    assert pixels.counts[:, threshold:].sum(axis=1).tolist() == [100, 0, 0, 0, 0], "the defect is brightest"
    assert pixels.counts[1:, example.BINS // 2 :].sum(axis=1).tolist() == [4, 9, 25, 49]
    assert "recall 60%, precision 100.0%; other px: 0 within 10 px" in capsys.readouterr().out


def test_each_pixel_is_of_the_kind_that_its_distance_says(example: ModuleType, test: Examples) -> None:
    found = example.kinds(test, 0)
    inside = np.argwhere(found == 0)
    assert len(inside) == 100
    for y, x in np.argwhere(found > 0)[::7]:
        distance = np.hypot(*(inside - (y, x)).T).min()
        assert found[y, x] == 1 + (distance >= 10) + (distance >= 40), (y, x)
    assert (example.kinds(test, 1) == 4).all()


def test_the_picture_shows_the_image_and_what_each_network_calls_a_defect(example: ModuleType, test: Examples) -> None:
    picture = example.draw({"bright": Bright().eval()}, {"bright": example.BINS // 2}, test)
    assert picture.shape == (round(500 * 60 / 160), 1000, 3)
    yellow = cv2.inRange(picture, (150, 140, 0), (255, 255, 120)) > 0
    assert not yellow[:, :500].any()
    assert yellow[:, 500:].any()
