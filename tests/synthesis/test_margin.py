"""The margin pixel by pixel, and what is added there byte by byte."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coigan_aug.settings import Settings
from coigan_aug.synthesis.margin import add_change, alpha_of, margin_of, soft_alpha


def _settings(small: Settings, *, grow: int, soften: int, scale: float) -> Settings:
    model = dataclasses.replace(small.model, grow=grow, soften=soften)
    return dataclasses.replace(small, model=model, data=dataclasses.replace(small.data, scale=scale))


@pytest.mark.parametrize(
    ("grow", "soften", "scale"), [(0, 0, 1.0), (1, 2, 1.0), (2, 1, 0.5), (1, 1, 0.4), (3, 0, 0.75)]
)
def test_a_defect_may_change_all_within_its_grown_mask_and_less_and_less_beyond(
    small: Settings, grow: int, soften: int, scale: float
) -> None:
    settings = _settings(small, grow=grow, soften=soften, scale=scale)
    solid, soft = round(grow / scale), round(soften / scale)
    assert margin_of(settings) == solid + soft
    masks = np.zeros((2, 30, 34), np.uint8)
    masks[0, 12:15, 13:20] = masks[1, 4, 30] = 1
    places, alpha = np.argwhere(masks.any(axis=0)), alpha_of(masks, settings)
    edge = soft_alpha(masks[0], settings)
    own = np.argwhere(masks[0])
    for y, x in np.ndindex(30, 34):
        far = np.abs(places - (y, x)).max(axis=1).min()
        assert alpha[y, x] == pytest.approx(1 if far <= solid else max(1 - (far - solid) / (soft + 1), 0))
        near = np.abs(own - (y, x)).max(axis=1).min()
        assert edge[y, x] == (1 if near == 0 else 0.5 if near == 1 and solid + soft else 0)


def test_a_change_is_added_as_far_as_alpha_says_and_bytes_are_cut_off_at_both_ends() -> None:
    old = np.array([[[100, 50, 250], [10, 20, 30]], [[7, 8, 9], [200, 0, 255]]], np.uint8)
    change = np.array([[[0.21, -0.4, 0.1], [0.5, 0.5, 0.5]], [[1, 1, 1], [-1, -0.1, 0.3]]], np.float32)
    alpha = np.array([[1, 0.5], [0, 0.25]], np.float32)
    made = add_change(old, change, alpha)
    for y, x, c in np.ndindex(2, 2, 3):
        exact = float(old[y, x, c]) + float(change[y, x, c]) * float(alpha[y, x]) * 255
        assert made[y, x, c] == min(max(round(exact), 0), 255)
    grey = add_change(old[..., 0], change, alpha)
    for y, x in np.ndindex(2, 2):
        exact = float(old[y, x, 0]) + float(change[y, x].mean()) * float(alpha[y, x]) * 255
        assert grey[y, x] == min(max(round(exact), 0), 255)
    assert grey.dtype == made.dtype == np.uint8
