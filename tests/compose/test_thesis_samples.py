"""Samples as the thesis' data loader makes them: references from all tiles, real defects of other shapes, one transform."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from coigan_aug.compose import composer
from coigan_aug.compose.composer import compose
from coigan_aug.config import load_settings
from coigan_aug.errors import ConfigError
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings


def _with(settings: Settings, **data: object) -> Settings:
    return dataclasses.replace(settings, data=dataclasses.replace(settings.data, **data))  # type: ignore[arg-type]


def test_every_tile_of_the_training_images_is_a_reference_as_often_as_any_other(
    prepared: Prepared, small: Settings
) -> None:
    """A tile as it was cut, mirrored at most, with its own masks; 40 draws for each."""
    tiles = {}
    for tile in prepared.clean + prepared.with_objects:
        region = tile.box(prepared.window)
        tiles[prepared.pixels(tile.position, region).tobytes()] = prepared.masks(tile.position, region)
    draw, seen = np.random.default_rng(0), Counter[bytes]()
    settings = _with(small, reference="tiles")
    for _ in range(40 * len(tiles)):
        pixels, masks, *_ = composer._reference(prepared, settings, draw)
        ways = [(y, x) for y in (1, -1) for x in (1, -1) if pixels[::y, ::x].tobytes() in tiles]
        (y, x) = ways[0]
        own = pixels[::y, ::x].tobytes()
        assert np.array_equal(masks[:, ::y, ::x], tiles[own])
        seen[own] += 1
    assert set(seen) == set(tiles), "none is left out"
    assert max(seen.values()) < 2.2 * 40
    with_defects = sum(count for own, count in seen.items() if tiles[own].any())
    share = sum(masks.any() for masks in tiles.values()) / len(tiles)
    assert with_defects / seen.total() == pytest.approx(share, abs=0.05)
    assert share < 0.6, "not three of four"


def test_real_defects_have_the_masks_of_drawn_ones_unless_other_shapes_are_asked_for(
    prepared: Prepared, small: Settings
) -> None:
    for index in range(12):
        sample = compose(prepared, small, 1, index)
        assert np.array_equal(sample.object_masks, sample.masks)
    different = _with(small, shapes="different")
    others = 0
    for index in range(12):
        same, sample = compose(prepared, small, 1, index), compose(prepared, different, 1, index)
        assert np.array_equal(sample.masks, same.masks), "what is drawn stays"
        others += not np.array_equal(sample.object_masks, sample.masks)
        solid = sample.object_masks.max(axis=0) > 0
        assert solid.any()
        assert not sample.objects[:, ~solid].any()
        spot = sample.objects[0][sample.object_masks[0] > 0]
        assert spot.size == 0 or np.median(spot) < 0.45, "real pixels of the class"
    assert others == 12


def test_pasted_objects_go_through_one_transform_where_asked(prepared: Prepared, small: Settings) -> None:
    changes = {"transforms": "one", "augment": 1.0, "rotate": 40.0, "shift": 0.2, "shear": 10.0}
    settings, draw = _with(small, **changes), np.random.default_rng(0)
    chosen = [how for _ in range(200) for _, how in composer._choose(prepared, settings, draw)]
    assert not any(how.flip_x or how.flip_y for how in chosen)
    assert all((how.angle != 0) != (how.shear != 0) for how in chosen)
    for index in range(10):
        assert compose(prepared, settings, 3, index).masks.any()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (["data.shear=3"], r"data.shear 3; with data.transforms together there is neither"),
        (["model.noise_per_class=true"], r"model.noise is channels, which has one noise for all classes"),
        (["data.reference=all"], r"data.reference is 'all'; choose one of: defects, tiles"),
        (["train.path_length_per=row"], r"train.path_length_per is 'row'; choose one of: sample, column"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(override: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_settings(recipe="tiny", overrides=override)
