"""New shapes from two objects: distances by brute force, blends of discs, joints that copy, results within the class."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug.prepare.prepared import Prepared
from coigan_aug.shapes.cover import pieces
from coigan_aug.shapes.draw import ShapeSource, draw_shape
from coigan_aug.shapes.forms import Edges, measure
from coigan_aug.shapes.join import joined
from coigan_aug.shapes.recombine import MIRRORS, _partners, blended, centred, near_edges, signed_distance
from coigan_aug.shapes.warped import draw_mirror

NONE = Edges()


def _disc(radius: float, side: int = 81) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side // 2
    return (np.hypot(x, y) <= radius).astype(np.uint8)


@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_signed_distances_are_those_of_brute_force(seed: int, top: bool, right: bool) -> None:
    """Continued masks are padded by their last rows and columns; distances go from pixel centre to pixel centre."""
    mask = (np.random.default_rng(seed).random((7, 9)) < 0.4).astype(np.uint8)
    mask[3, 4] = 1
    got = signed_distance(mask, Edges(top=top, right=right))
    wide = np.pad(np.pad(mask, ((12 * top, 0), (0, 12 * right)), mode="edge"), 1)
    if not wide.any() or wide.all():
        return
    rows, columns = np.mgrid[: wide.shape[0], : wide.shape[1]]
    for y in range(7):
        for x in range(9):
            at = (y + 1 + 12 * top, x + 1)
            other = wide != wide[at]
            other[: 1 if top else 0], other[:, wide.shape[1] - (1 if right else 0) :] = False, False
            nearest = np.hypot(rows - at[0], columns - at[1])[other].min() if other.any() else np.inf
            wanted = min(nearest, 9.0) * (1 if mask[y, x] else -1)
            assert got[y, x] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_blend_of_two_discs_is_the_disc_between(share: float) -> None:
    made = blended(_disc(10), _disc(30), NONE, share=share)
    radius = 10 ** (1 - share) * 30**share
    assert made.sum() == pytest.approx(np.pi * radius**2, rel=0.03)
    assert abs(made.shape[0] - (2 * radius + 1)) <= 2
    assert measure(made).anisotropy < 0.02


def test_a_blend_of_a_shape_with_itself_is_the_shape() -> None:
    canvas = np.zeros((60, 70), np.uint8)
    cv2.ellipse(canvas, ((35, 30), (50, 20), 30), 1, -1)
    left, top, width, height = cv2.boundingRect(canvas)
    assert (blended(canvas, canvas, NONE, share=0.4) == canvas[top : top + height, left : left + width]).all()


def test_what_goes_on_beyond_the_edge_is_blended_as_if_it_did() -> None:
    """Two bars that leave the image at the bottom: the blend leaves it with the full width between theirs, too."""
    narrow, wide = np.zeros((2, 40, 61), np.uint8)
    narrow[:, 25:36], wide[:, 15:46] = 1, 1
    made = blended(narrow, wide, Edges(top=True, bottom=True), share=0.5)
    assert (made == made[0]).all()
    assert made[0].sum() == pytest.approx(np.sqrt(11 * 31), abs=1.5)


def test_centres_of_mass_lie_on_each_other() -> None:
    one, other = centred(np.ones((4, 20), np.uint8), np.ones((11, 3), np.uint8))
    assert one.shape == other.shape
    assert np.abs(np.argwhere(one).mean(axis=0) - np.argwhere(other).mean(axis=0)).max() <= 1
    assert (one.sum(), other.sum()) == (80, 33)


def _strand(seed: int, width: int, height: int = 90) -> np.ndarray:
    draw = np.random.default_rng(seed)
    x = 20 + np.cumsum(draw.normal(0, 0.3, height))
    canvas = np.zeros((height, 40), np.uint8)
    for row, middle in enumerate(x):
        canvas[row, max(round(middle), 0) : round(middle) + width] = 1
    return canvas[:, canvas.any(axis=0)]


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_joined_lines_are_copies_of_both_and_one_piece(seed: int, width: int) -> None:
    first, second = _strand(seed, width), _strand(seed + 1, width, height=70)
    made = joined(np.random.default_rng(seed), (first, second), (Edges(top=True), NONE))
    if made is None:
        return
    mask, edges = made
    assert edges == Edges(top=True)
    assert pieces(mask) == 1
    runs = [mask.sum(axis=1).tolist(), first.sum(axis=1).tolist(), second.sum(axis=1).tolist()]
    cut = next(k for k in range(len(mask)) if runs[0][k:] == runs[2][-(len(mask) - k) :])
    assert runs[0][:cut] == runs[1][:cut]
    assert 0.3 * 90 <= max(cut, 27) <= 0.7 * 90 + 1


def test_lines_are_joined_lying_as_well_as_upright_and_alike() -> None:
    upright = joined(np.random.default_rng(3), (_strand(1, 3), _strand(2, 3)), (Edges(top=True), NONE))
    lying = joined(np.random.default_rng(3), (_strand(1, 3).T, _strand(2, 3).T), (Edges(left=True), NONE))
    assert upright is not None and lying is not None
    assert (upright[0] == lying[0].T).all()
    assert lying[1] == Edges(left=True)


def test_lines_from_edge_to_edge_stay_so_and_others_never_become_so() -> None:
    whole, draw = Edges(top=True, bottom=True), np.random.default_rng(0)
    made = joined(draw, (_strand(1, 3), _strand(2, 3, height=75)), (whole, whole))
    assert made is not None
    assert made[1] == whole
    assert len(made[0]) == 90
    assert joined(draw, (_strand(1, 3), _strand(2, 3)), (Edges(top=True), Edges(bottom=True))) is None
    assert joined(draw, (_strand(1, 3), _strand(2, 3, height=30)), (whole, whole)) is None, "stretched too far"


def test_lines_that_nowhere_are_as_wide_are_not_joined() -> None:
    assert joined(np.random.default_rng(0), (_strand(1, 2), _strand(2, 9)), (NONE, NONE)) is None


def test_recombined_shapes_are_whole_and_as_large_as_the_class_and_of_two_groups(
    prepared: Prepared, source: ShapeSource
) -> None:
    made = [
        (label, draw_shape(prepared, source, np.random.default_rng([k, label]), label, kinds=["recombined"], flip=True))
        for label in range(prepared.classes)
        for k in range(40)
    ]
    new = [(label, shape) for label, shape in made if shape.kind == "recombined"]
    assert len(new) > 0.6 * len(made)
    assert {label for label, _ in new} == {0, 1}
    for label, shape in new:
        assert pieces(shape.mask) == 1
        assert shape.mask.sum() >= 16
        assert (shape.warp, shape.bend) == ((), ())
        (other,) = shape.others
        assert source.traits[other].group != source.traits[shape.of].group
        forms = source.classes[label]
        assert forms is not None
        assert 0.85 * forms.sizes[0] <= measure(shape.mask).size <= 1.15 * forms.sizes[1]
        assert min(shape.near) > 0
        assert max(shape.near) < 1
    assert all(shape.kind == "warped" for _, shape in made if shape.kind != "recombined")


def test_a_class_of_one_group_has_nothing_to_recombine_and_gets_warped_shapes(
    prepared: Prepared, source: ShapeSource
) -> None:
    alike = {k: dataclasses.replace(own, group="one") for k, own in source.traits.items()}
    lonely = dataclasses.replace(source, traits=alike)
    for k in range(10):
        shape = draw_shape(prepared, lonely, np.random.default_rng(k), 0, kinds=["recombined"], flip=True)
        assert shape.kind == "warped"
        assert shape.warp


def test_partners_are_cut_off_by_no_edge_that_the_first_one_does_not_touch(source: ShapeSource) -> None:
    own = next(iter(source.traits.values()))
    alike = dataclasses.replace(own, form=dataclasses.replace(own.form, area=1000, length=40.0))
    traits = {
        0: dataclasses.replace(alike, edges=Edges(left=True), group="a"),
        1: dataclasses.replace(alike, edges=Edges(right=True), group="b"),
        2: dataclasses.replace(alike, edges=NONE, group="c"),
        3: dataclasses.replace(alike, edges=Edges(top=True), group="d"),
        4: dataclasses.replace(alike, edges=NONE, group="a"),
    }
    found = _partners(traits, 0, list(traits), MIRRORS[0], flip=True)
    assert [k for k, _ in found].count(2) == 4
    assert {k for k, _ in found} == {1, 2}
    assert all(way[0, 0] < 0 for k, way in found if k == 1), "mirrored to the same edge"
    assert {k for k, _ in _partners(traits, 0, list(traits), MIRRORS[0], flip=False)} == {2}
    assert (draw_mirror(np.random.default_rng(0), flip=False) == np.eye(2)).all()


def test_a_place_is_on_the_edges_that_a_shape_touches_and_on_no_others() -> None:
    assert near_edges((1.0, 0.3), Edges(left=True)) == (0.0, 0.3)
    assert near_edges((1.0, 0.0), NONE) == (0.98, 0.02)
    assert near_edges((0.2, 0.4), Edges(top=True, bottom=True, right=True)) == (1.0, 0.5)
