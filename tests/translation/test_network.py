"""A trained change of look works on images of any size, without seams, and grey stays grey."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from coigan_aug.config import load_settings
from coigan_aug.errors import DataError
from coigan_aug.translation.engine import restyle
from coigan_aug.translation.network import Network, load_translator, slope, tiles
from coigan_aug.translator_file import load_translator_file, new_translator, save_translator


def _save(folder: Path, *overrides: str) -> Path:
    """Write a change of look with weights that do something."""
    settings = load_settings(
        recipe="tiny", translation=True, overrides=["translate.width=4", "translate.blocks=1", *overrides]
    )
    torch.manual_seed(3)
    network = new_translator(settings)
    torch.nn.init.normal_(network.last.weight, std=0.02)
    save_translator(folder / "generator.safetensors", network, settings=settings, images=12)
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Network:
    made = load_translator(_save(tmp_path_factory.mktemp("run"), "model.colour=grey"))
    assert isinstance(made, Network)
    return made


def _image(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    grey = (128 + 60 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("size", [(40, 40), (7, 61), (1, 3)])
def test_any_size_the_same_bytes_whatever_index_and_seed_and_grey_stays_grey(
    engine: Network, size: tuple[int, int]
) -> None:
    image = _image(*size)
    made = engine.translate(image, index=0, seed=1)
    assert made.shape == image.shape and made.dtype == np.uint8
    assert (made == made[..., :1]).all()
    assert (made == engine.translate(image, index=5, seed=9)).all()
    assert restyle(engine, image[..., 0], index=0, seed=1).shape == size
    again = pickle.loads(pickle.dumps(engine))
    assert (again.translate(image, index=0, seed=1) == made).all()
    if min(size) > 5:
        assert (made != image).any()


def test_tiles_cover_an_image_and_their_slopes_add_up_to_one_weight_at_least() -> None:
    for height, width in ((50, 130), (40, 41), (97, 33)):
        weights = np.zeros((height, width))
        for tile in tiles(height, width, side=40, overlap=12):
            assert tile.within(tile.of((height, width)))
            weights[tile.slices] += slope(tile, height, width, overlap=12)
        assert weights.min() > 0


def test_what_is_made_in_tiles_has_no_seams(engine: Network) -> None:
    """Where tiles meet, neighbouring columns differ no more than anywhere: the change is compared with that of the whole."""
    image = _image(64, 200)
    tiled = dataclasses.replace(engine, whole=1, tile=80, overlap=32)
    whole, parts = (e.translate(image, index=0, seed=0).astype(float)[..., 0] for e in (engine, tiled))
    difference = parts - whole
    jumps = np.abs(np.diff(difference, axis=1)).mean(axis=0)
    borders = sorted({edge for t in tiles(64, 200, side=80, overlap=32) for edge in (t.left, t.right)} - {0, 200})
    assert borders
    at_borders = max(jumps[edge - 1] for edge in borders)
    assert at_borders <= max(np.percentile(jumps, 95), 1.0)
    unblended = np.zeros_like(whole)
    for tile in tiles(64, 200, side=80, overlap=32):
        unblended[tile.slices] = engine.translate(image[tile.slices], index=0, seed=0)[..., 0]
    hard = np.abs(np.diff(unblended - whole, axis=1)).mean(axis=0)
    assert max(hard[edge - 1] for edge in borders) > at_borders, "without blending there is one to see"


def test_what_was_learned_at_half_size_is_added_to_the_image_at_full_size(tmp_path: Path) -> None:
    half = load_translator(_save(tmp_path, "data.scale=0.5", "model.colour=grey"))
    image = _image(41, 60)
    image[::2] //= 2  # rows that a smaller copy does not show
    made = half.translate(image, index=0, seed=0).astype(int)
    assert made.shape == image.shape and (made != image).any()
    kept = (made > 0) & (made < 255)
    fine, change = (np.abs(np.diff(np.where(kept, value, 0)[..., 0], axis=0)) for value in (image, made - image))
    assert np.median(change) < 0.25 * np.median(fine), "the fine rows are the image's own, not the change's"


def test_a_file_says_what_it_is_and_what_is_none_is_refused(tmp_path: Path, engine: Network) -> None:
    folder = _save(tmp_path)
    file = load_translator_file(folder / "generator.safetensors")
    assert (file.images, file.settings.translate.width) == (12, 4)
    assert engine.about()["images_seen"] == 12
    with pytest.raises(DataError, match="holds no trained change of look"):
        load_translator(tmp_path / "nothing")
    (tmp_path / "other.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(DataError):
        load_translator(tmp_path / "other.safetensors")
