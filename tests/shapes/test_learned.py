"""Learned shapes: maps there and back, the loss in closed form, a repeatable training that learns, its file, what is drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from coigan_aug.errors import DataError
from coigan_aug.models.shape_generator import ShapeGenerator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.shapes import fit as files
from coigan_aug.shapes.cover import pieces
from coigan_aug.shapes.draw import ShapeSource, draw_shape, shape_source
from coigan_aug.shapes.fit import (
    ShapeGeneratorFile,
    ShapeGeneratorSettings,
    example,
    fit_shape_generator,
    load_shape_generator,
    save_shape_generator,
    shape_loss,
    trained_shape_generator,
)
from coigan_aug.shapes.forms import Edges, mask_of, measure
from coigan_aug.shapes.maps import MARGIN, SIDE, Known, from_map, square, to_map, upright

CPU = torch.device("cpu")
QUICK = ShapeGeneratorSettings(width=8, latent=4, batch=8, steps=40, examples=40)
LONGER = dataclasses.replace(QUICK, steps=150, examples=120)


@pytest.fixture(scope="module")
def trained(prepared: Prepared, source: ShapeSource) -> ShapeGenerator:
    return fit_shape_generator(prepared, source.traits, LONGER, device=CPU)


@pytest.fixture(scope="module")
def drawing(source: ShapeSource, trained: ShapeGenerator) -> ShapeSource:
    return dataclasses.replace(source, generator=ShapeGeneratorFile(trained, LONGER, "0" * 64))


def _ellipse(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    inside = ((x + 0.5) / width * 2 - 1) ** 2 + ((y + 0.5) / height * 2 - 1) ** 2 <= 1
    return inside.astype(np.uint8)


def _same(a: np.ndarray, b: np.ndarray) -> float:
    """Return the overlap (intersection over union) of two masks of nearly one size, centred."""
    height, width = max(a.shape[0], b.shape[0]), max(a.shape[1], b.shape[1])
    one, other = (
        np.pad(m, [((n - s) // 2, n - s - (n - s) // 2) for n, s in zip((height, width), m.shape, strict=True)])
        for m in (a, b)
    )
    return float((one & other).sum() / (one | other).sum())


@given(st.integers(6, 250), st.integers(6, 250))
def test_an_ellipse_of_any_size_comes_back_from_its_map(width: int, height: int) -> None:
    mask = _ellipse(width, height)
    made = from_map(to_map(square(mask), Edges()), Known(0, Edges(), width, height))
    assert abs(made.shape[0] - height) <= max(2, 0.06 * height)
    assert abs(made.shape[1] - width) <= max(2, 0.06 * width)
    assert _same(made, mask) > (0.9 if min(width, height) > 15 else 0.65)


@pytest.mark.parametrize("edges", [Edges(bottom=True), Edges(left=True), Edges(top=True, right=True)])
def test_what_touches_edges_comes_back_touching_them(edges: Edges) -> None:
    whole = _ellipse(120, 120)
    rows = slice(60 if edges.top else 0, 60 if edges.bottom else 120)
    columns = slice(60 if edges.left else 0, 60 if edges.right else 120)
    mask = whole[rows, columns]
    drawn = to_map(square(mask), edges)
    made = from_map(drawn, Known(0, edges, mask.shape[1], mask.shape[0]))
    assert _same(made, mask) > 0.93
    sides = (made[:, 0], made[0], made[:, -1], made[-1])
    wanted = (mask[:, 0], mask[0], mask[:, -1], mask[-1])
    for own, other, held in zip(sides, wanted, edges, strict=True):
        if held:
            assert own.sum() == pytest.approx(other.sum(), rel=0.1)
    assert drawn.shape == (SIDE, SIDE)
    if edges.bottom:
        assert (drawn[-1] > 0).sum() == pytest.approx((drawn[-MARGIN - 1] > 0).sum(), abs=2), "it goes on"


def test_a_map_that_is_positive_nowhere_gives_a_pixel_all_the_same() -> None:
    drawn = np.full((SIDE, SIDE), -1, np.float32)
    drawn[20, 11] = -0.5
    assert from_map(drawn, Known(0, Edges(), 30, 40)).sum() >= 1


def test_a_shape_with_a_direction_stands_upright_unless_it_touches_an_edge() -> None:
    canvas = np.zeros((80, 80), np.uint8)
    cv2.line(canvas, (10, 20), (70, 50), 1, 5)
    form = measure(canvas)
    assert abs(measure(upright(canvas, form, Edges())).angle - np.pi / 2) < 0.05
    assert upright(canvas, form, Edges(left=True)) is canvas


def test_the_loss_is_l1_and_the_divergence_that_torch_knows() -> None:
    draw = torch.Generator().manual_seed(1)
    mean, log_variance = torch.randn(6, 5, generator=draw), torch.randn(6, 5, generator=draw)
    maps, decoded = torch.rand(6, 1, 8, 8, generator=draw), torch.rand(6, 1, 8, 8, generator=draw)
    theirs = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1).mean()
    own = shape_loss(decoded, maps, mean, log_variance, divergence=0.3)
    assert own.item() == pytest.approx((decoded - maps).abs().mean().item() + 0.3 * theirs.item(), rel=1e-5)


def test_example_n_is_the_same_in_any_order_and_every_class_is_seen_as_often(
    prepared: Prepared, source: ShapeSource
) -> None:
    drawn = [example(prepared, source.traits, QUICK, index) for index in range(60)]
    again = example(prepared, source.traits, QUICK, 33)
    assert (again[0] == drawn[33][0]).all()
    assert again[1] == drawn[33][1]
    assert 20 <= sum(known.label for _, known in drawn) <= 40
    assert len({one.tobytes() for one, _ in drawn}) == 60


def test_training_is_repeatable_and_reconstructs_better_than_no_training(
    prepared: Prepared, source: ShapeSource, trained: ShapeGenerator
) -> None:
    one, other = (fit_shape_generator(prepared, source.traits, QUICK, device=CPU) for _ in range(2))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    held_out = [example(prepared, source.traits, dataclasses.replace(QUICK, seed=99), k) for k in range(30)]
    maps = torch.from_numpy(np.stack([drawn for drawn, _ in held_out]))[:, None]
    labels = torch.tensor([known.label for _, known in held_out])
    features = torch.from_numpy(np.stack([known.features() for _, known in held_out]))
    with torch.no_grad():
        decoded, _, _ = trained(maps, labels, features, torch.zeros(30, QUICK.latent))
    mean_map = maps.mean(dim=0, keepdim=True)
    assert (decoded - maps).abs().mean() < 0.8 * (mean_map - maps).abs().mean()


def test_learned_shapes_are_whole_new_and_as_large_as_the_class(prepared: Prepared, drawing: ShapeSource) -> None:
    made = [
        (label, draw_shape(prepared, drawing, np.random.default_rng([k, label]), label, kinds=["learned"], flip=True))
        for label in range(prepared.classes)
        for k in range(30)
    ]
    new = [(label, shape) for label, shape in made if shape.kind == "learned"]
    assert len(new) > 0.6 * len(made)
    real = {mask_of(item).tobytes() for item in prepared.objects}
    for label, shape in new:
        assert pieces(shape.mask) == 1
        assert (shape.warp, shape.bend, shape.others) == ((), (), ())
        assert prepared.objects[shape.of].label == label
        forms = drawing.classes[label]
        assert forms is not None
        assert forms.sizes[0] / 1.1 <= measure(shape.mask).size <= 1.1 * forms.sizes[1]
        assert shape.mask.tobytes() not in real
    again = draw_shape(prepared, drawing, np.random.default_rng([3, 1]), 1, kinds=["learned"], flip=True)
    assert (again.mask == made[33][1].mask).all()


def test_a_class_of_two_objects_gets_warped_shapes(prepared: Prepared, drawing: ShapeSource) -> None:
    few = dataclasses.replace(prepared, by_class=[members[:2] for members in prepared.by_class])
    assert draw_shape(few, drawing, np.random.default_rng(0), 0, kinds=["learned"], flip=True).kind == "warped"


def test_the_file_gives_the_same_generator_back_and_is_made_once(
    prepared: Prepared, source: ShapeSource, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "fit_shape_generator", _counted(files.fit_shape_generator, calls := []))
    made = [
        trained_shape_generator(prepared, source.traits, small.data, settings, root=tmp_path, device=CPU)
        for settings in (QUICK, QUICK, dataclasses.replace(QUICK, flip=False))
    ]
    assert len(calls) == 2
    assert made[0].sha256 == made[1].sha256 != made[2].sha256
    path = tmp_path / "again.safetensors"
    save_shape_generator(path, made[0].network, QUICK, classes=prepared.classes)
    loaded = load_shape_generator(path)
    assert loaded.settings == QUICK
    for one, other in zip(loaded.network.parameters(), made[0].network.parameters(), strict=True):
        assert torch.equal(one, other)


def _counted(function, calls):
    def counted(*args, **kwargs):
        calls.append(1)
        return function(*args, **kwargs)

    return counted


def test_a_file_that_is_no_generator_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="not a shape generator") as caught:
        load_shape_generator(path)
    assert "Delete it" in caught.value.remedy


def test_a_source_holds_a_generator_only_where_learned_shapes_are_asked_for(
    prepared: Prepared, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "fit_shape_generator", _quick_fit)
    without = shape_source(prepared, small.data, ["real", "recombined"], root=tmp_path, device=CPU)
    assert without.generator is None
    assert not list(tmp_path.rglob("*.safetensors"))
    assert shape_source(prepared, small.data, ["learned"], root=tmp_path, device=CPU).generator is not None


def _quick_fit(prepared, traits, settings, **rest):
    return fit_shape_generator(prepared, traits, dataclasses.replace(settings, steps=2, examples=8), **rest)
