"""Windows cover every pixel and are marked by what they hold."""

from __future__ import annotations

import dataclasses
import itertools
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow, outline, resize
from coigan_aug.geometry import Box
from coigan_aug.prepare.objects import find_objects
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.prepare.tiles import cut_windows, offsets
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset


def test_severstal_strips_are_cut_as_in_the_thesis() -> None:
    """1600 x 256 with an overlap of 32 px: seven tiles, 224 px apart (coigan-facts B9)."""
    assert offsets(1600, 256, 0.125) == [0, 224, 448, 672, 896, 1120, 1344]


@given(st.integers(1, 2000), st.integers(8, 300), st.floats(0, 0.9))
@example(9, 8, 0.890625)
def test_windows_cover_a_side_without_leaving_it(length: int, window: int, overlap: float) -> None:
    found = offsets(length, window, overlap)
    assert found[0] == 0
    assert found[-1] == max(length - window, 0)
    assert all(0 < b - a <= window * (1 - overlap) + 1 for a, b in pairwise(found))


def test_windows_are_marked_clean_with_objects_or_blank() -> None:
    image = np.full((40, 120), 100, np.uint8)
    image[:, 80:] = 0
    made = cut_windows(7, image, [Box(5, 5, 4, 4)], window=40, overlap=0, blank=0.1, level=10)
    assert [(w.left, w.kind) for w in made] == [(0, "objects"), (40, "clean"), (80, "blank")]
    assert {w.position for w in made} == {7}


def test_a_window_holds_objects_exactly_where_a_box_has_a_pixel_in_it() -> None:
    """Every box of 1 to 3 px a side, everywhere in 8 x 12, against the pixels themselves; also side by side with a window."""
    image = np.full((8, 12), 100, np.uint8)
    for width, height in itertools.product((1, 3), (1, 2)):
        for x, y in itertools.product(range(12 - width + 1), range(8 - height + 1)):
            pixels = np.zeros(image.shape, bool)
            pixels[y : y + height, x : x + width] = True
            made = cut_windows(0, image, [rle.box(rle.encode(pixels))], window=4, overlap=0, blank=0.5, level=10)
            assert len(made) == 6
            for own in made:
                held = pixels[own.top : own.top + 4, own.left : own.left + 4].any()
                assert own.kind == ("objects" if held else "clean")


@pytest.mark.parametrize(("dark", "kind"), [(0, "clean"), (25, "clean"), (26, "blank"), (100, "blank")])
def test_a_window_is_blank_where_more_of_it_than_allowed_is_darker_than_the_level(dark: int, kind: str) -> None:
    """A quarter of 10 x 10 is allowed: 25 px; what has the level itself is not darker than it."""
    grey = np.full(100, 10, np.uint8)
    grey[:dark] = 9
    colours = np.stack([grey, grey, grey], axis=-1)
    colours[:, 0] = 0  # the brightest channel counts
    for image in (grey.reshape(10, 10), colours.reshape(10, 10, 3)):
        (made,) = cut_windows(0, image, [], window=10, overlap=0, blank=0.25, level=10)
        assert made.kind == kind


def test_objects_are_the_components_of_each_class(toy: Dataset) -> None:
    positions = toy.indices("train")
    found = find_objects(toy, positions, scale=1.0)
    for position in positions:
        for label, name in enumerate(toy.names):
            mask = toy.masks(position).get(name)
            own = [item for item in found if (item.position, item.label) == (position, label)]
            drawn = sum((rle.decode(item.full) for item in own), np.zeros((72, 96), np.uint8))
            assert (drawn == (mask if mask is not None else 0)).all()


def test_only_training_images_are_prepared(prepared: Prepared) -> None:
    test = set(prepared.dataset.indices("test"))
    assert test
    used = {item.position for item in prepared.objects} | {w.position for w in prepared.clean + prepared.with_objects}
    assert used
    assert not used & test
    assert not set(prepared.cache) & test


def test_pixels_beyond_the_edge_are_mirrored(prepared: Prepared) -> None:
    position = next(iter(prepared.cache))
    whole = prepared.pixels(position, Box(0, 0, 96, 72))
    beyond = prepared.pixels(position, Box(-3, -2, 96, 72))
    assert (beyond[2:, 3:] == whole[:-2, :-3]).all()
    assert (beyond[0, 3:] == whole[2, :-3]).all()
    assert (beyond[2:, 0] == whole[:-2, 3]).all()


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_a_resized_mask_never_vanishes_and_never_appears(seed: int, h: int, w: int, height: int, width: int) -> None:
    mask = (np.random.default_rng(seed).random((h, w)) < 0.05).astype(np.uint8)
    made = resize(mask, height=height, width=width)
    assert made.shape == (height, width)
    assert made.any() == mask.any()


def test_grow_and_outline_by_brute_force() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[4, 4] = 1
    mask[0, 0] = 1
    for pixels in (0, 1, 2):
        expected = np.zeros((9, 9))
        for y, x in np.argwhere(mask):
            expected[max(y - pixels, 0) : y + pixels + 1, max(x - pixels, 0) : x + pixels + 1] = 1
        assert (grow(mask, pixels) == expected).all()
    assert outline(mask).sum() == 8 + 3


def test_a_window_that_boxes_touch_but_no_mask_is_clean_where_masks_decide() -> None:
    """A slanted line from corner to corner of 8 x 8, in windows of 4: its box touches all four, its pixels two."""
    image, line = np.full((8, 8), 100, np.uint8), np.eye(8, dtype=np.uint8)
    kinds = []
    for masks in (None, line):
        made = cut_windows(0, image, [rle.box(rle.encode(line))], window=4, overlap=0, blank=0.5, level=10, masks=masks)
        kinds.append([(own.left, own.top, own.kind) for own in made if own.kind == "clean"])
    assert kinds == [[], [(4, 0, "clean"), (0, 4, "clean")]]


def test_more_windows_are_clean_where_masks_decide_and_none_of_them_has_a_masked_pixel(
    toy: Dataset, small: Settings, tmp_path: Path
) -> None:
    made = [
        prepare(toy, dataclasses.replace(small.data, clean=clean), cache_root=tmp_path) for clean in ("boxes", "masks")
    ]
    by_box, by_mask = ({(w.position, w.left, w.top) for w in own.clean} for own in made)
    assert by_box < by_mask
    for position, left, top in by_mask:
        held = [mask[top : top + 32, left : left + 32].any() for mask in toy.masks(position).values()]
        assert not any(held)
    assert any(position in made[1].by_record for position, *_ in by_mask), "some are of images with defects"
