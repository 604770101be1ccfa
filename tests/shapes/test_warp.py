"""Warps and bends: nothing folds, mask and pixels go alike, thin lines stay whole, tiny objects stay."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug import rng as streams
from coigan_aug.geometry import Box
from coigan_aug.shapes.bend import POINTS, STEEPEST, displacement, draw_bend
from coigan_aug.shapes.cover import pieces, solid
from coigan_aug.shapes.forms import Edges
from coigan_aug.shapes.warp import warp_mask, warp_tight
from coigan_aug.shapes.warped import rotation
from tests.shapes.showing import shown

SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 120)
EDGES = st.builds(Edges, st.booleans(), st.booleans(), st.booleans(), st.booleans())


@given(SEEDS, SIDES, SIDES, EDGES)
def test_no_bend_folds_the_plane(seed: int, width: int, height: int, edges: Edges) -> None:
    """The determinant of q + d(q), by central differences on a grid finer than the pixels, is positive, as promised."""
    bend, box = (
        draw_bend(np.random.default_rng(seed), width=width, height=height, edges=edges),
        Box(3, -2, width, height),
    )
    x, y = np.meshgrid(np.linspace(1, width + 4, 41), np.linspace(-4, height, 43))
    step = 1e-4
    (ax, ay), (bx, by) = displacement(bend, x + step, y, box), displacement(bend, x - step, y, box)
    (cx, cy), (dx, dy) = displacement(bend, x, y + step, box), displacement(bend, x, y - step, box)
    xx, yx, xy, yy = (np.asarray(d) / (2 * step) for d in (ax - bx, ay - by, cx - dx, cy - dy))
    assert max(np.abs(d).max() for d in (xx, yx, xy, yy)) < STEEPEST[1] + 1e-3
    assert ((1 + xx) * (1 + yy) - xy * yx).min() > 1 - 2 * STEEPEST[1] - 1e-2 > 0


@given(SEEDS, SIDES, SIDES, EDGES)
def test_what_lies_at_an_edge_of_the_image_stays_on_it(seed: int, width: int, height: int, edges: Edges) -> None:
    bend, box = (
        draw_bend(np.random.default_rng(seed), width=width, height=height, edges=edges),
        Box(0, 0, width, height),
    )
    along_x, along_y = np.linspace(-0.5, width - 0.5, 9), np.linspace(-0.5, height - 0.5, 9)
    for held, axis, x, y in (
        (edges.left, 0, np.full(9, -0.5), along_y),
        (edges.right, 0, np.full(9, width - 0.5), along_y),
        (edges.top, 1, along_x, np.full(9, -0.5)),
        (edges.bottom, 1, along_x, np.full(9, height - 0.5)),
    ):
        assert not held or np.abs(displacement(bend, x, y, box)[axis]).max() < 1e-3


def test_the_displacement_is_the_sum_over_control_points_as_the_formula_says() -> None:
    bend, box = draw_bend(np.random.default_rng(4), width=30, height=50, edges=Edges()), Box(10, 20, 30, 50)
    x, y = 17.0, 63.0
    u, v, wanted = (x - 10 + 0.5) / 30, (y - 20 + 0.5) / 50, np.zeros(2)
    for i in range(POINTS):
        for j in range(POINTS):
            weight = math.comb(3, i) * v**i * (1 - v) ** (3 - i) * math.comb(3, j) * u**j * (1 - u) ** (3 - j)
            at = 2 * (i * POINTS + j)
            wanted += weight * np.array([bend[at] * 30, bend[at + 1] * 50])
    got = displacement(bend, np.array([x]), np.array([y]), box)
    assert np.allclose(np.ravel(got), wanted)
    far = displacement(bend, np.array([-100.0]), np.array([500.0]), box)
    assert np.allclose(np.ravel(far), [bend[2 * POINTS * (POINTS - 1)] * 30, bend[2 * POINTS * (POINTS - 1) + 1] * 50])


def test_without_a_bend_a_warp_is_opencvs_own() -> None:
    draw = streams.generator(1, "picture")
    image = cv2.GaussianBlur(draw.integers(0, 256, (60, 80, 3)).astype(np.uint8), (0, 0), 2)
    matrix = np.column_stack([1.1 * rotation(0.6), [5.0, -7.0]])
    own = shown(image, matrix, (), (70, 50), box=Box(0, 0, 1, 1))
    theirs = cv2.warpAffine(image, matrix, (70, 50), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    assert np.abs(own.astype(int) - theirs).max() <= 2  # both round places to 1/32 px, not always alike


@given(SEEDS)
def test_mask_and_pixels_go_through_the_same_map(seed: int) -> None:
    """A bright disc on black: its own mask, warped, is where its pixels are bright afterwards."""
    draw = np.random.default_rng(seed)
    image = np.zeros((90, 110), np.uint8)
    cv2.ellipse(image, (50, 40), (25, 12), float(draw.uniform(0, 180)), 0, 360, 255, -1)
    left, top, width, height = box = Box(*cv2.boundingRect(image))
    bend = draw_bend(draw, width=width, height=height, edges=Edges())
    made = warp_tight(
        image[top : top + height, left : left + width] // 255, rotation(draw.uniform(0, 6)), bend, box=box
    )
    pixels = shown(image, made.matrix, bend, made.mask.shape[::-1], box=box)
    wrong = (pixels >= 128) != (made.mask != 0)
    assert wrong.mean() < 0.02
    assert not cv2.erode(wrong.astype(np.uint8), np.ones((3, 3), np.uint8)).any(), "steps of the rim, nothing thicker"


@given(SEEDS, st.booleans(), st.booleans())
def test_a_mirrored_mask_is_exact(seed: int, flip_x: bool, flip_y: bool) -> None:
    mask = (np.random.default_rng(seed).random((7, 11)) < 0.5).astype(np.uint8)
    mask[0, 0] = mask[-1, -1] = mask[0, -1] = 1
    mirror = np.diag([-1.0 if flip_x else 1.0, -1.0 if flip_y else 1.0])
    kept = cv2.dilate(mask, np.ones((2, 2), np.uint8))  # one piece or nearly; every pattern of corners
    kept[3] = 1
    made = warp_tight(kept, mirror, (), box=Box(40, 50, 11, 7))
    if pieces(kept) == 1:
        assert (made.mask == kept[:: -1 if flip_y else 1, :: -1 if flip_x else 1]).all()


def _line(draw: np.random.Generator, thickness: int) -> np.ndarray:
    """Draw a curved line of a length of some 100 px, 1 or 2 px wide, 8-connected."""
    t = np.linspace(0, 1, 40)
    x = 60 + 45 * np.cumsum(draw.normal(0, 1, 40)) / 12 * t
    points = np.column_stack([x, 10 + 100 * t]).round().astype(np.int32)
    canvas = np.zeros((130, 400), np.uint8)
    cv2.polylines(
        canvas, [points + np.array([120, 0])], isClosed=False, color=1, thickness=thickness, lineType=cv2.LINE_8
    )
    return canvas


@given(SEEDS, st.integers(1, 2), st.floats(0, math.pi), st.floats(0.8, 1.25))
def test_a_thin_curved_line_stays_whole_thin_and_as_long(seed: int, thickness: int, turn: float, scale: float) -> None:
    draw = np.random.default_rng(seed)
    canvas = _line(draw, thickness)
    left, top, width, height = box = Box(*cv2.boundingRect(canvas))
    mask = canvas[top : top + height, left : left + width]
    bend = draw_bend(draw, width=width, height=height, edges=Edges())
    made = warp_tight(mask, scale * rotation(turn), bend, box=box)
    assert pieces(made.mask) == 1
    assert 0.5 < made.mask.sum() / (mask.sum() * scale**2) < 1.8
    corners = np.hypot(*made.mask.shape) / (scale * np.hypot(width, height))
    assert corners > 0.55, "no end was lost"


@given(SEEDS, st.floats(0, math.pi), st.floats(0.8, 1.25))
def test_one_pixel_never_vanishes(seed: int, turn: float, scale: float) -> None:
    bend = draw_bend(np.random.default_rng(seed), width=1, height=1, edges=Edges())
    made = warp_tight(np.ones((1, 1), np.uint8), scale * rotation(turn), bend, box=Box(20, 30, 1, 1))
    assert 1 <= made.mask.sum() <= 4


def test_coverage_of_half_is_the_mask_where_nothing_is_thin() -> None:
    cover = cv2.GaussianBlur(np.pad(np.ones((20, 30), np.float32), 8), (0, 0), 1.0)
    assert (solid(cover) == (cover >= 0.5)).all()


@pytest.mark.parametrize("share", [0.3, 0.45])
def test_a_line_covered_by_less_than_half_is_one_pixel_wide(share: float) -> None:
    cover = np.zeros((9, 40), np.float32)
    cover[4, 3:37], cover[5, 3:37] = share, 0.9 * share
    mask = solid(cover)
    assert pieces(mask) == 1
    assert 33 <= mask.sum() <= 40


def test_a_ring_stays_a_ring() -> None:
    canvas = np.zeros((60, 60), np.uint8)
    cv2.circle(canvas, (30, 30), 20, 1, 1)
    left, top, width, height = box = Box(*cv2.boundingRect(canvas))
    mask = canvas[top : top + height, left : left + width]
    for turn in np.linspace(0, 1.5, 7):
        made = warp_mask(mask, np.column_stack([0.9 * rotation(turn), [70, 20]]), (), (130, 130), box=box)
        assert pieces(made) == 1
        holes = cv2.connectedComponents(np.pad(1 - made, 1, constant_values=1), connectivity=4)[0] - 1
        assert holes == 2, "outside and inside"
