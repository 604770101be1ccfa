"""Seams: changes beyond the margin are counted to the pixel, and a step at the margin's edge shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations.masks import grow
from coigan_aug.errors import DataError
from coigan_aug.evaluation.seams import measure_seams
from coigan_aug.evaluation.verdict import seam_warnings
from coigan_aug.imaging import read_image, write_image
from coigan_aug.metrics.seams import gradient, ring_of
from coigan_aug.store.dataset import Dataset, class_masks
from coigan_aug.store.writer import write_dataset

MARGIN = 2


def _silent(count: int) -> None:
    pass


def test_nothing_changed_beyond_the_margin_counts_as_nothing(
    real: Dataset, make_synthetic: Callable[..., Dataset], tmp_path: Path
) -> None:
    made = make_synthetic(tmp_path)
    seams = measure_seams(made, real, margin=MARGIN, advance=_silent)
    assert (seams.images, seams.changed) == (10, 0)
    covered = sum(int(grow(np.maximum.reduce(list(class_masks(item).values())), MARGIN).sum()) for item in made)
    assert seams.outside == 10 * 72 * 96 - covered
    assert {k: len(ratios) for k, ratios in seams.ratios.items()} == {0: 10, 1: 10}
    assert seam_warnings(seams) == []


def test_windows_are_compared_with_their_part_of_the_base_image(
    real: Dataset, make_synthetic: Callable[..., Dataset], tmp_path: Path
) -> None:
    made = make_synthetic(tmp_path, region=True)
    seams = measure_seams(made, real, margin=MARGIN, advance=_silent)
    assert seams.changed == 0
    assert seams.images == 10


def test_each_changed_pixel_beyond_the_margin_is_counted(
    real: Dataset, make_synthetic: Callable[..., Dataset], tmp_path: Path
) -> None:
    made = make_synthetic(tmp_path)
    image = read_image(tmp_path / "images/000.png")
    outside = np.argwhere(grow(np.maximum.reduce(list(class_masks(made[0]).values())), MARGIN) == 0)
    for row, column in outside[[0, 100, -1]]:
        image[row, column] ^= 1
    write_image(tmp_path / "images/000.png", image)
    seams = measure_seams(made, real, margin=MARGIN, advance=_silent)
    assert seams.changed == 3
    assert f"3 of {seams.outside:,} pixels beyond the margin of 2 px differ" in seam_warnings(seams)[0]


def test_a_change_that_reaches_the_margins_edge_shows_and_one_inside_the_mask_does_not(
    real: Dataset, make_synthetic: Callable[..., Dataset], tmp_path: Path
) -> None:
    def step(image: np.ndarray, mask: np.ndarray, index: int) -> np.ndarray:
        return np.where(grow(mask, MARGIN)[..., None] > 0, np.minimum(image + 60, 255), image)

    gentle = measure_seams(make_synthetic(tmp_path / "a"), real, margin=MARGIN, advance=_silent)
    hard = measure_seams(make_synthetic(tmp_path / "b", paint=step), real, margin=MARGIN, advance=_silent)
    assert hard.changed == 0
    for label in range(2):
        assert np.median(gentle.ratios[label]) == pytest.approx(1, abs=0.02)
        assert np.median(hard.ratios[label]) > 2


def test_the_gradient_of_a_step_of_known_height_is_the_closed_form() -> None:
    """A step of 50: half of it on both sides of a 14 px square's edge, in both directions at its inner corners, 0 at the
    outer ones."""
    mask = np.zeros((40, 40), np.uint8)
    mask[15:25, 15:25] = 1
    image = np.where(grow(mask, MARGIN)[..., None] > 0, 50, 0).astype(np.uint8).repeat(3, axis=2)
    values = gradient(image)[ring_of(mask, MARGIN)]
    assert sorted(np.round(values, 3)) == pytest.approx([0.0] * 4 + [25.0] * (48 + 56) + [25 * 2**0.5] * 4, abs=1e-3)


@pytest.mark.parametrize("margin", [0, 1, 3])
def test_the_ring_is_the_two_pixels_at_the_margins_edge(margin: int) -> None:
    mask = np.zeros((30, 30), np.uint8)
    mask[12:15, 10:18] = 1
    rows, columns = np.indices(mask.shape)
    inside = np.argwhere(mask)
    distance = np.min([np.maximum(abs(rows - y), abs(columns - x)) for y, x in inside], axis=0)
    expected = (distance == margin + 1) | (distance == margin) & (distance > 0)
    np.testing.assert_array_equal(ring_of(mask, margin), expected)


def test_a_base_image_that_the_data_set_does_not_hold_is_named(
    real: Dataset, make_synthetic: Callable[..., Dataset], tmp_path: Path
) -> None:
    made = make_synthetic(tmp_path)
    few = write_dataset(tmp_path / "few", [real[0]], classes=real.classes, image_root=real.image_root, provenance={})
    with pytest.raises(DataError, match=r"was drawn on .*png, which the data set does not hold") as caught:
        measure_seams(made, few, margin=MARGIN, advance=_silent)
    assert "coigan-aug synthesize" in caught.value.remedy
