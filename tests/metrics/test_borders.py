"""Along a mask's border: how far levels are apart, and by how much edges moved, of pictures in which both are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from coigan_aug import rng
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.borders import REACH, edges_moved, level_gap

SIDE = 96


def disc(radius: float, *, dark: float = 60, bright: float = 150, noise: float = 1.0) -> tuple[Pixels, np.ndarray]:
    """Paint a disc with soft edges at a radius, px; its mask is that of 24 px."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    away = np.hypot(rows, columns)
    share = 1 / (1 + np.exp(-(away - radius) / 0.7))
    grain = rng.generator(4, "grain").normal(0, noise, (SIDE, SIDE))
    image = np.clip(dark + (bright - dark) * share + grain, 0, 255)
    return image.astype(np.uint8), (away <= 24).astype(np.uint8)


@pytest.mark.parametrize("moved", [0.0, 0.3, 0.5, 1.0, -1.5])
def test_edges_that_moved_are_found_to_have_moved_as_far(moved: float) -> None:
    """A disc that grows by so many pixels moves its edge by as many, everywhere."""
    before, mask = disc(24)
    after, _ = disc(24 + moved)
    distances = edges_moved(before, after, mask)
    assert len(distances) > 100
    assert np.median(distances) == pytest.approx(abs(moved), abs=0.08)


def test_another_look_alone_moves_no_edge() -> None:
    before, mask = disc(24)
    for after in (disc(24, dark=90, bright=130)[0], disc(24, dark=200, bright=40)[0]):
        assert np.median(edges_moved(before, after, mask)) < 0.1
    colours = np.repeat(before[..., None], 3, axis=2)
    assert np.median(edges_moved(before, colours, mask)) < 0.01


def test_an_edge_that_is_gone_counts_as_far_away_and_where_there_was_none_nothing_counts() -> None:
    before, mask = disc(24)
    flat, _ = disc(24, dark=150, noise=8)
    assert np.median(edges_moved(before, flat, mask)) > REACH / 2
    assert len(edges_moved(np.full_like(before, 90), before, mask)) == 0
    assert len(edges_moved(before, before, np.ones_like(mask))) == 0
    assert len(edges_moved(before[:1], before[:1], mask[:1])) == 0


def test_the_gap_of_levels_is_the_distance_of_their_distributions() -> None:
    image, mask = disc(24, noise=6)
    free = np.ones_like(mask)
    free[:, :40] = 0
    gap = level_gap(image, mask, free)
    rows, columns = np.nonzero(mask)
    ring = [
        image[y, x]
        for y in range(SIDE)
        for x in range(40, SIDE)
        if not mask[y, x] and ((abs(rows - y) <= 6) & (abs(columns - x) <= 6)).any()
    ]
    assert gap == pytest.approx(wasserstein_distance(image[mask != 0], ring), rel=1e-6)
    assert level_gap(image, mask, np.zeros_like(mask)) is None
    assert level_gap(image, np.ones_like(mask), np.ones_like(mask)) is None
