"""What changed under a mask and round it, counted by hand, with other defects near by."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.synthesis.change import effective_mask, measure_change, threshold
from tests.prepare.scenes import patch

SHAPE = (60, 80)
MARGIN = 2


def _surface() -> np.ndarray:
    return np.random.default_rng(0).normal(120, 1, SHAPE).clip(0, 255).astype(np.uint8)


def _darker(base: np.ndarray, mask: np.ndarray, levels: int) -> np.ndarray:
    return np.where(mask != 0, base.astype(int) - levels, base).clip(0, 255).astype(np.uint8)


def test_a_step_that_belongs_to_a_neighbour_is_no_seam_of_this_defect() -> None:
    """The neighbour's mask begins 2 px beside this one's: its dark edge lies on the ring at this one's margin."""
    base, mask, neighbour = _surface(), patch(SHAPE, 30, 20, 12, 12), patch(SHAPE, 44, 20, 12, 12)
    image = _darker(base, neighbour, 60)
    alone = measure_change(base, image, rle.encode(mask), [], margin=MARGIN)
    beside = measure_change(base, image, rle.encode(mask), [rle.encode(neighbour)], margin=MARGIN)
    assert alone.seam is not None
    assert alone.seam > 2
    assert beside.seam == pytest.approx(1)


def test_a_defect_whose_whole_ring_is_its_neighbours_has_no_seam() -> None:
    base, mask = _surface(), patch(SHAPE, 30, 20, 12, 12)
    around = patch(SHAPE, 20, 10, 32, 32) - patch(SHAPE, 28, 18, 16, 16)
    assert (
        measure_change(base, _darker(base, mask, 40), rle.encode(mask), [rle.encode(around)], margin=MARGIN).seam
        is None
    )


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_on_a_surface_without_texture_two_levels_are_seen_and_one_is_not(levels: int) -> None:
    base, mask = np.full(SHAPE, 120, np.uint8), patch(SHAPE, 30, 20, 12, 12)
    found = measure_change(base, _darker(base, mask, levels), rle.encode(mask), [], margin=MARGIN)
    assert threshold(base.astype(np.float32)) == 2
    assert (found.shown, found.iou) == ((1.0, 1.0) if levels >= 2 else (0.0, 0.0))


def test_half_of_a_surfaces_texture_is_seen() -> None:
    """1.4826 times the median deviation of normal noise is its standard deviation."""
    noise = np.random.default_rng(1).normal(120, 20, (200, 200)).astype(np.float32)
    assert threshold(noise) == pytest.approx(0.5 * 20, rel=0.03)


def test_what_is_beyond_the_margin_is_not_counted_and_what_is_within_it_is() -> None:
    """A frame of 2 px round a mask of 12 x 12 that changed all over: 144 of 16 x 16; one further out adds nothing."""
    base, mask = np.full(SHAPE, 120, np.uint8), patch(SHAPE, 30, 20, 12, 12)
    for side, counted in ((1, 14 * 14), (2, 16 * 16), (3, 16 * 16), (6, 16 * 16)):
        changed = patch(SHAPE, 30 - side, 20 - side, 12 + 2 * side, 12 + 2 * side)
        found = measure_change(base, _darker(base, changed, 40), rle.encode(mask), [], margin=MARGIN)
        assert found.shown == 1
        assert found.iou == pytest.approx(144 / counted)


def test_a_pixel_without_change_amid_changed_ones_counts_as_changed() -> None:
    base, mask = np.full(SHAPE, 120, np.uint8), patch(SHAPE, 30, 20, 12, 12)
    changed = mask.copy()
    changed[25, 35] = 0
    assert measure_change(base, _darker(base, changed, 40), rle.encode(mask), [], margin=MARGIN).shown == 1
    changed[25:29, 35:39] = 0
    found = measure_change(base, _darker(base, changed, 40), rle.encode(mask), [], margin=MARGIN)
    assert found.shown == pytest.approx((144 - 16) / 144)


def test_the_effective_mask_is_what_changed_with_what_it_encloses() -> None:
    """A frame of 3 px changed round a middle that did not: all of it is the defect; a speck beside it is none."""
    base, mask = np.full(SHAPE, 120, np.uint8), patch(SHAPE, 30, 20, 12, 12)
    frame = patch(SHAPE, 31, 21, 11, 11) - patch(SHAPE, 34, 24, 5, 5)
    speck = patch(SHAPE, 25, 25, 1, 2)
    made = effective_mask(base, _darker(base, frame + speck, 40), rle.encode(mask), [], margin=6)
    np.testing.assert_array_equal(rle.decode(made), patch(SHAPE, 31, 21, 11, 11))


def test_the_effective_mask_ends_at_the_margin_and_where_a_neighbour_begins() -> None:
    base, mask, neighbour = np.full(SHAPE, 120, np.uint8), patch(SHAPE, 30, 20, 12, 12), patch(SHAPE, 50, 20, 8, 12)
    everywhere = np.ones(SHAPE, np.uint8)
    made = effective_mask(base, _darker(base, everywhere, 40), rle.encode(mask), [rle.encode(neighbour)], margin=MARGIN)
    grown = rle.decode(made)
    assert grown[:, 30 - MARGIN : 42].any(axis=0).all()
    assert not grown[:, : 30 - MARGIN].any()
    assert not grown[:, 50 - MARGIN :].any()


def test_where_nothing_changed_the_effective_mask_is_empty() -> None:
    base, mask = np.full(SHAPE, 120, np.uint8), patch(SHAPE, 30, 20, 12, 12)
    assert rle.area(effective_mask(base, base, rle.encode(mask), [], margin=MARGIN)) == 0


def test_a_soft_edge_is_cut_at_half_of_its_strength() -> None:
    """A square of 12 px, 60 levels darker, that fades over 6 px on its right: half of it is reached after 3."""
    base, mask = np.full(SHAPE, 120, np.uint8), patch(SHAPE, 20, 20, 12, 12)
    fall = np.where(mask != 0, 60, 0)
    for step in range(1, 6):
        fall[20:32, 31 + step] = 60 - 10 * step
    image = (base - fall).astype(np.uint8)
    made = rle.decode(effective_mask(base, image, rle.encode(mask), [], margin=8))
    np.testing.assert_array_equal(made, patch(SHAPE, 20, 20, 15, 12))
