"""Shapes of training objects: measured forms, ranges kept, edges kept, the map told is the map taken."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug import rng
from coigan_aug.annotations import rle
from coigan_aug.annotations.rle import box, decode, encode
from coigan_aug.errors import UsageError
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import ShapeSource, draw_shape, shape_source
from coigan_aug.shapes.forms import ClassForms, Edges, Form, Traits, class_forms, edges_of, mask_of, measure, traits_of
from coigan_aug.shapes.shape import Shape
from coigan_aug.shapes.warped import MOST, draw_scale, draw_turn
from tests.shapes.showing import shown


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_rectangle_is_measured_by_its_own_sides(height: int, width: int) -> None:
    form = measure(np.ones((height, width), np.uint8))
    assert form.length == pytest.approx(max(height, width))
    assert form.width == pytest.approx(min(height, width))
    assert form.area == height * width
    assert height == width or form.angle == pytest.approx(0 if width > height else math.pi / 2, abs=1e-6)


@given(st.floats(0, 179), st.integers(20, 60), st.integers(3, 8))
def test_a_slanted_ellipse_is_measured_as_it_was_drawn(degrees: float, half: int, ratio: int) -> None:
    canvas = np.zeros((160, 160), np.uint8)
    cv2.ellipse(canvas, ((80, 80), (2 * half, 2 * half / ratio * 2), degrees), 1, -1)
    form = measure(canvas)
    difference = abs(math.degrees(form.angle) - degrees + 90) % 180 - 90
    assert abs(difference) < 4
    assert form.length == pytest.approx(2 * half * math.sqrt(3) / 2, rel=0.1)  # an ellipse's variance is (axis / 4)^2


def test_directions_are_summed_up_as_axes() -> None:
    """0 and 180 degrees are one direction, 0 and 90 opposite ones; round shapes have none."""
    lines = [Form(50, 50.0, 1.0, angle) for angle in (0.01, math.pi - 0.01)]
    assert class_forms(lines).concentration == pytest.approx(math.cos(0.02))
    crossed = [Form(50, 50.0, 1.0, angle) for angle in (0.3, 0.3 + math.pi / 2)]
    assert class_forms(crossed).concentration == pytest.approx(0, abs=1e-9)
    assert class_forms([Form(50, 7.2, 7.0, 0.3)]).angles == ()


@given(st.floats(1, 100), st.floats(1, 5), st.integers(0, 1000))
def test_a_scale_leads_into_the_class_ranges_where_it_can(size: float, ratio: float, seed: int) -> None:
    form = Form(max(round(size**2), 1), size * ratio, size / ratio, 0.0)
    forms = ClassForms(sizes=(20.0, 40.0), lengths=(30.0, 80.0), angles=(), concentration=0.0)
    scale = draw_scale(np.random.default_rng(seed), form, forms)
    assert 1 / MOST - 1e-9 <= scale <= MOST + 1e-9
    grid = np.linspace(1 / MOST, MOST, 2001)
    possible = np.all(
        [
            (own * grid >= low) & (own * grid <= high)
            for own, (low, high) in ((form.size, forms.sizes), (form.length, forms.lengths))
        ],
        axis=0,
    )
    if possible.any():
        assert grid[possible].min() - 1e-3 <= scale <= grid[possible].max() + 1e-3
    elif form.size * MOST < 20 and form.length * MOST < 30:
        assert scale == pytest.approx(MOST)
    elif form.size / MOST > 40 and form.length / MOST > 80:
        assert scale == pytest.approx(1 / MOST)


@given(st.floats(0, math.pi), st.integers(0, 1000))
def test_a_turn_leads_to_a_direction_of_the_class(angle: float, seed: int) -> None:
    forms = ClassForms(sizes=(1, 9), lengths=(1, 9), angles=(0.2, 1.4), concentration=0.4)
    turn = draw_turn(np.random.default_rng(seed), Form(60, 30.0, 2.0, angle), forms)
    assert abs(turn) <= math.pi / 2 + 1e-9
    apart = [abs((angle + turn - own + math.pi / 2) % math.pi - math.pi / 2) for own in forms.angles]
    assert min(apart) < 5 * math.radians(3)


def test_roundish_shapes_are_turned_anyhow_but_not_in_a_class_of_one_direction() -> None:
    round_one = Form(60, 8.0, 7.5, 0.0)
    for concentration, most in ((0.3, 2 * math.pi), (0.99, 0.3)):
        forms = ClassForms(sizes=(1, 9), lengths=(1, 9), angles=(0.2,), concentration=concentration)
        turns = [abs(draw_turn(np.random.default_rng(k), round_one, forms)) for k in range(200)]
        assert 0.3 * most < max(turns) <= most


def _drawn(prepared: Prepared, source: ShapeSource, kind: str, *, flip: bool, count: int = 60) -> list[Shape]:
    return [
        draw_shape(prepared, source, np.random.default_rng([k, label]), label, kinds=[kind], flip=flip)
        for label in range(prepared.classes)
        for k in range(count)
    ]


def test_a_real_shape_is_a_training_objects_mask_mirrored_or_not(prepared: Prepared, source: ShapeSource) -> None:
    seen = set()
    for shape in _drawn(prepared, source, "real", flip=True):
        own = mask_of(prepared.objects[shape.of])
        ways = [own[:: 1 - 2 * y, :: 1 - 2 * x] for x in (0, 1) for y in (0, 1)]
        same = [k for k, way in enumerate(ways) if way.shape == shape.mask.shape and (way == shape.mask).all()]
        assert same
        seen.update(same)
    assert seen == {0, 1, 2, 3}
    for shape in _drawn(prepared, source, "real", flip=False, count=20):
        assert (shape.mask == mask_of(prepared.objects[shape.of])).all()


def test_a_resized_shape_is_as_much_larger_as_its_factor_and_says_what_it_went_through(
    prepared: Prepared, source: ShapeSource
) -> None:
    spans = [any(edges_of(prepared, prepared.objects[k]).spans for k in members) for members in prepared.by_class]
    assert not all(spans), "some of the toy's objects keep clear of opposite edges"
    factors = []
    for k in range(60):
        shape = draw_shape(
            prepared, source, rng.generator(0, "sizes", k), k % 2, kinds=["real"], flip=True, size=(0.5, 2.0)
        )
        item = prepared.objects[shape.of]
        if edges_of(prepared, item).spans:
            assert shape.kind == "real"
            continue
        assert shape.kind == "resized"
        factor = abs(shape.warp[0])
        factors.append(factor)
        assert shape.mask.sum() == pytest.approx(rle.area(item.full) * factor**2, rel=0.2)
    assert np.median(factors) == pytest.approx(1, abs=0.3)
    assert 0.5 <= min(factors) < 0.7
    assert 1.5 < max(factors) <= 2


@pytest.mark.parametrize("kind", ["real", "warped"])
def test_the_warp_that_is_told_brings_the_objects_image_onto_the_mask(
    prepared: Prepared, source: ShapeSource, kind: str
) -> None:
    for shape in _drawn(prepared, source, kind, flip=True):
        item = prepared.objects[shape.of]
        whole, matrix = 255 * decode(item.full), np.array(shape.warp).reshape(2, 3)
        pixels = shown(whole, matrix, shape.bend, shape.mask.shape[::-1], box=box(item.full))
        assert ((pixels >= 128) == (shape.mask != 0)).mean() > (0.9 if kind == "warped" else 0.999)


def test_warped_shapes_keep_to_the_sizes_and_directions_of_their_class(prepared: Prepared, source: ShapeSource) -> None:
    """In the toy data discs are of any direction and all lines slant by 62 degrees."""
    shapes = _drawn(prepared, source, "warped", flip=True)
    for shape in shapes:
        label, form = prepared.objects[shape.of].label, measure(shape.mask)
        forms, own = source.classes[label], measure(mask_of(prepared.objects[shape.of]))
        assert forms is not None
        assert 0.85 * min(forms.sizes[0], own.size) <= form.size <= 1.15 * max(forms.sizes[1], own.size)
        if label == 1:
            apart = abs((form.angle - np.mean(forms.angles) + math.pi / 2) % math.pi - math.pi / 2)
            assert apart < math.radians(18)
    assert len({shape.mask.tobytes() for shape in shapes}) > 0.9 * len(shapes)


def test_shapes_are_pure_in_the_generators_state(prepared: Prepared, source: ShapeSource) -> None:
    for kind in ("real", "warped"):
        one, other = (_drawn(prepared, source, kind, flip=True, count=5) for _ in range(2))
        for a, b in zip(one, other, strict=True):
            assert (a.mask == b.mask).all()
            assert (a.kind, a.of, a.warp, a.bend, a.near) == (b.kind, b.of, b.warp, b.bend, b.near)


def test_traits_of_many_are_those_of_each(prepared: Prepared) -> None:
    numbers = [k for members in prepared.by_class for k in members][::-1]
    found = traits_of(prepared, numbers)
    assert list(found) == numbers
    for k in numbers:
        item, record = prepared.objects[k], prepared.dataset[prepared.objects[k].position]
        group = record.group or record.file
        assert found[k] == Traits(measure(mask_of(item)), edges_of(prepared, item), group)


def test_where_only_real_shapes_are_drawn_nothing_is_measured_and_they_are_the_same(
    prepared: Prepared, small: Settings, source: ShapeSource, tmp_path: Path
) -> None:
    bare = shape_source(prepared, small.data, ["real"], root=tmp_path, device=torch.device("cpu"))
    assert not bare.traits
    for label in range(prepared.classes):
        one, other = (
            draw_shape(prepared, own, np.random.default_rng(label), label, kinds=["real"], flip=True)
            for own in (bare, source)
        )
        assert (one.of, one.mask.tobytes()) == (other.of, other.mask.tobytes())


def test_edges_are_mirrored_with_the_shape() -> None:
    edges = Edges(left=True, bottom=True)
    assert edges.mirrored(flip_x=True, flip_y=False) == Edges(right=True, bottom=True)
    assert edges.mirrored(flip_x=False, flip_y=True) == Edges(left=True, top=True)
    assert not edges.spans
    assert Edges(top=True, bottom=True).spans


def test_a_kind_that_there_is_not_is_refused_with_those_that_there_are(
    prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for kinds in (["real", "fancy"], []):
        with pytest.raises(UsageError) as caught:
            shape_source(prepared, small.data, kinds, root=tmp_path_factory.mktemp("x"), device=torch.device("cpu"))
        assert "recombined" in caught.value.remedy


def test_masks_are_tight_whole_and_encodable(prepared: Prepared, source: ShapeSource) -> None:
    for shape in _drawn(prepared, source, "warped", flip=True, count=20):
        assert shape.mask.dtype == np.uint8
        assert box(encode(shape.mask)) == (0, 0, shape.mask.shape[1], shape.mask.shape[0])
