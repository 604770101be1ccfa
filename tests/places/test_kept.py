"""Places are measured once for each data set, scale and choice of objects; what is damaged is measured anew."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.places import kept
from coigan_aug.places.density import measure_places
from coigan_aug.places.kept import kept_places
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.settings import DataSettings
from tests.prepare.scenes import ellipse, examples_of, painted, patch

SHAPE = (96, 128)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Parts on a background, with spots on them and lines at their edge; one image is all part."""
    images, masks = [], []
    for k in range(4):
        part = ellipse(SHAPE, centre=(64, 48), axes=(44, 38)) if k else np.ones(SHAPE, bool)
        images.append(painted(part, back=10, front=120, seed=k))
        masks.append({"spot": [patch(SHAPE, 50 + 3 * k, 40 + k, 6, 5)], "line": [patch(SHAPE, 60, 12 + k, 2, 12)]})
    return examples_of(tmp_path_factory.mktemp("parts"), images, masks)


def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "measure_places", None)


def test_places_are_measured_once(examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = measure_places(examples)
    assert expected.parts.used
    assert sorted(expected.parts.parts) == [1, 2, 3]
    assert kept_places(examples, root=tmp_path) == expected
    _unmeasured(monkeypatch)
    assert kept_places(examples, root=tmp_path) == expected


@pytest.mark.parametrize("changed", [{"min_area": 28}, {"scale": 0.5}])
def test_other_objects_and_another_scale_have_their_own(
    examples: Examples, tmp_path: Path, changed: dict[str, float]
) -> None:
    settings = dataclasses.replace(DataSettings(window=32, min_area=1), **changed)  # type: ignore[arg-type]
    other = load_examples(examples.dataset, examples.positions, settings, cache_root=tmp_path)
    assert measure_places(other) != measure_places(examples)
    for each in (examples, other, examples):
        assert kept_places(each, root=tmp_path) == measure_places(each)


def test_fewer_images_and_changed_ones_have_their_own(examples: Examples, tmp_path: Path) -> None:
    settings = DataSettings(window=32, min_area=1)
    fewer = load_examples(examples.dataset, [1, 2], settings, cache_root=tmp_path)
    path = examples.dataset.image_path(1)
    os.utime(path, ns=(1, 1))
    touched = load_examples(examples.dataset, examples.positions, settings, cache_root=tmp_path)
    for each in (examples, fewer, touched):
        assert kept_places(each, root=tmp_path / "kept") == measure_places(each)
    assert len(list((tmp_path / "kept").iterdir())) == 3


def test_what_is_damaged_is_measured_anew(examples: Examples, tmp_path: Path) -> None:
    expected = kept_places(examples, root=tmp_path)
    (path,) = tmp_path.glob("places-*.json")
    whole = path.read_bytes()
    for data in (whole[:-1], whole + b" ", b"", whole[: len(whole) // 2], whole.replace(b"0", b"1", 1)):
        path.write_bytes(data)
        assert kept_places(examples, root=tmp_path) == expected
        assert path.read_bytes() == whole


def test_where_nothing_can_be_kept_it_is_measured_each_time(examples: Examples, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert kept_places(examples, root=tmp_path / "file") == measure_places(examples)
