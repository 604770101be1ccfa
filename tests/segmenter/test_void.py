"""Void pixels take no part in learning and scoring. Truth: they are painted white, and loops over the other pixels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coigan_aug.annotations.masks import cover
from coigan_aug.geometry import Box
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.segmenter.fit import fit, parted, segmentation_loss
from coigan_aug.segmenter.scoring import class_counts
from coigan_aug.segmenter.windows import VOID, CutMix, Mixture, anywhere, shown
from coigan_aug.settings import EvaluateSettings, Settings
from coigan_aug.store.dataset import Dataset
from tests.voids import WHITE, void_of, write_toy_with_void

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_toy_with_void(tmp_path_factory.mktemp("void"), count=6)


@pytest.fixture(scope="module")
def examples(dataset: Dataset, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return load_examples(dataset, range(6), small.data, cache_root=tmp_path_factory.mktemp("cache"))


def _by_hand(logits: np.ndarray, masks: np.ndarray, void: np.ndarray) -> float:
    """Add up cross-entropy and Dice pixel by pixel, in float64, over those that are not void."""
    batch, classes, height, width = masks.shape
    entropy, count, missed, present = 0.0, 0, 0.0, 0
    places = [(y, x) for y in range(height) for x in range(width)]
    for b in range(batch):
        odds = np.exp(logits[b]) / np.exp(logits[b]).sum(axis=0)
        known = [place for place in places if not void[b][place]]
        for y, x in known:
            label = next((k + 1 for k in range(classes) if masks[b, k, y, x] == 1), 0)
            entropy, count = entropy - np.log(odds[label, y, x]), count + 1
        for k in range(classes):
            own = sum(masks[b, k, y, x] == 1 for y, x in known)
            if own:
                both = sum(odds[k + 1, y, x] for y, x in known if masks[b, k, y, x] == 1)
                missed, present = missed + 1 - 2 * both / (sum(odds[k + 1, y, x] for y, x in known) + own), present + 1
    return entropy / max(count, 1) + missed / max(present, 1)


def test_the_loss_is_that_of_the_pixels_that_are_not_void() -> None:
    draw = np.random.default_rng(3)
    logits, void = draw.normal(size=(3, 3, 5, 6)), draw.random((3, 5, 6)) < 0.3
    masks = (draw.random((3, 2, 5, 6)) < 0.2).astype(np.float32)
    marked = np.where(void[:, None], np.float32(VOID), masks)
    inputs = torch.tensor(logits, requires_grad=True)
    own, where = parted(torch.from_numpy(marked))
    loss = segmentation_loss(inputs, own, void=where)
    assert loss.item() == pytest.approx(_by_hand(logits, masks, void), rel=1e-9)
    loss.backward()
    moved = inputs.grad.abs().amax(dim=1).numpy() > 0
    assert np.array_equal(moved, ~void)


def test_masks_without_void_are_taken_as_they_are() -> None:
    masks = torch.ones(2, 2, 3, 3)
    own, void = parted(masks)
    assert own is masks
    assert void is None


def test_windows_that_are_all_void_teach_nothing() -> None:
    logits = torch.zeros(1, 2, 3, 3, requires_grad=True)
    masks, void = parted(torch.full((1, 1, 3, 3), float(VOID)))
    loss = segmentation_loss(logits, masks, void=void)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


class _Map(nn.Module):
    """Logits that are weights of their own, whatever the image."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(1, 2, 6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(x), -1, -1, -1)


def test_training_leaves_what_is_said_of_void_pixels_as_it_was() -> None:
    masks = np.zeros((2, 1, 6, 6), np.float32)
    masks[:, :, :2], masks[:, :, 4:] = 1, VOID
    network = _Map()
    settings = EvaluateSettings(steps=3, batch=2, average=0.0, precision="float32")
    fit(network, lambda step: (torch.zeros(2, 3, 6, 6), torch.from_numpy(masks)), settings, device=CPU)
    assert not network.logits[0, :, 4:].any()
    assert (network.logits[0, 1, :2] > 0).all()
    assert (network.logits[0, 1, 2:4] < 0).all()


@pytest.mark.parametrize("binary", [False, True])
def test_void_moves_with_the_pixels_of_a_window(examples: Examples, binary: bool) -> None:
    mixture = Mixture(real=examples, added=[CutMix(examples=examples)], share=0.4, photometric=0.0, binary=binary)
    seen = 0
    for step in range(12):
        images, masks = (values.numpy() for values in mixture.batch(5, step, size=8))
        white = (images > 254.5 / 255).all(axis=1)
        for mask in masks.transpose(1, 0, 2, 3):
            assert np.array_equal(mask == VOID, white)
        assert set(np.unique(masks)) <= {0.0, 1.0, float(VOID)}
        seen += int(white.sum())
    assert seen > 1000


def test_a_window_beyond_the_image_mirrors_void_as_pixels(examples: Examples) -> None:
    for region in (Box(50, -7, 32, 32), Box(-9, 50, 32, 32), Box(-20, -20, 140, 140)):
        pixels, void = examples.pixels(0, region), examples.void_in(0, region)
        assert np.array_equal(pixels[..., 0] == WHITE, void != 0)
    assert np.array_equal(
        shown(examples, 0, Box(58, -3, 32, 32))[1][0] == VOID, examples.void_in(0, Box(58, -3, 32, 32))
    )


def test_at_a_smaller_scale_a_pixel_with_any_void_in_it_is_void_unless_it_is_a_masks(
    dataset: Dataset, small: Settings, tmp_path: Path
) -> None:
    half = load_examples(dataset, [0], dataclasses.replace(small.data, scale=0.5), cache_root=tmp_path)
    full = void_of(dataset[0])
    touched = np.array([[full[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].any() for x in range(48)] for y in range(36)])
    whole = Box(0, 0, 48, 36)
    assert np.array_equal(half.void_in(0, whole) != 0, touched)
    masks = half.masks(0, whole)
    _, marked = shown(dataclasses.replace(half, window=48), 0, Box(0, -6, 48, 48))
    expected = np.where(touched & (masks.max(axis=0) == 0), VOID, masks)
    assert np.array_equal(marked[:, 6:42], expected)
    assert np.array_equal(cover(full, height=72, width=96), full)


def test_a_window_that_is_shown_smaller_has_void_where_it_shows_any(examples: Examples) -> None:
    region = Box(40, 0, 64, 64)
    small = dataclasses.replace(examples, window=32)
    pixels, masks = shown(small, 0, region)
    void = examples.void_in(0, region)
    touched = np.array([[void[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].any() for x in range(32)] for y in range(32)])
    assert pixels.shape[0] == 32
    assert np.array_equal(masks[0] == VOID, touched & (masks[0] != 1) & (masks[1] != 1))
    assert touched.any()


class _Bright(nn.Module):
    """Calls a pixel a line where it is bright, so every void one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grey = x.mean(dim=1, keepdim=True)
        return torch.cat((torch.zeros_like(grey), torch.full_like(grey, -9), grey - 0.8), dim=1)


def test_what_is_said_of_void_pixels_is_no_false_alarm(examples: Examples, dataset: Dataset) -> None:
    found = class_counts(_Bright(), examples, [0, 1], device=CPU)
    for row, position in enumerate((0, 1)):
        image, void = np.asarray(examples.cache[position]), void_of(dataset[position])
        true = dataset.masks(position).get("line", np.zeros(image.shape, np.uint8)) != 0
        said = image / np.float32(255) > 0.8
        expected = [(said & true).sum(), (said & ~true & ~void).sum(), (~said & true).sum()]
        assert found[row, 1].tolist() == expected
        assert (said & void).sum() == void.sum()


def test_windows_anywhere_are_cut_as_without_void(examples: Examples) -> None:
    """What is void changes what is learnt of a window, not which windows there are."""
    bare = dataclasses.replace(examples, void={})
    for seed in range(20):
        pixels, masks = anywhere(np.random.default_rng(seed), examples, (1.0, 1.0))
        others, plain = anywhere(np.random.default_rng(seed), bare, (1.0, 1.0))
        assert np.array_equal(pixels, others)
        assert np.array_equal(np.where(masks == VOID, 0, masks), plain)


def test_no_record_has_void_where_none_was_given(toy: Dataset, small: Settings, tmp_path: Path) -> None:
    assert load_examples(toy, [0, 1], small.data, cache_root=tmp_path).void == {}
