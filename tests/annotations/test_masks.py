"""Masks in a region of an image that may reach beyond it: against the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import cut, decode_mirrored, inside
from coigan_aug.geometry import Box
from coigan_aug.imaging import cut_mirrored


@pytest.mark.parametrize(
    "region", [Box(0, 0, 9, 7), Box(2, 1, 4, 3), Box(-3, -5, 8, 6), Box(6, 4, 30, 25), Box(-20, 0, 3, 40)]
)
def test_a_mask_is_mirrored_beyond_the_edges_as_pixels_are(region: Box) -> None:
    mask = (np.random.default_rng(3).random((7, 9)) < 0.4).astype(np.uint8)
    assert np.array_equal(decode_mirrored(rle.encode(mask), region), cut_mirrored(mask, region))
    assert np.array_equal(inside(region, mask.shape), cut(np.ones_like(mask), region) != 0)
