"""The segmenter learns, counts what it finds rightly, and sees the same windows in every arm that shares them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coigan_aug import rng as streams
from coigan_aug.errors import CoiganError, ConfigError, EnvironmentProblem
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.segmenter.build import build_segmenter, cam_layer
from coigan_aug.segmenter.fit import fit, schedule, segmentation_loss
from coigan_aug.segmenter.gradcam import grad_cam
from coigan_aug.segmenter.scoring import class_counts, dice, iou, predict
from coigan_aug.segmenter.windows import (
    VOID,
    Cut,
    CutMix,
    Empty,
    Mixture,
    Pool,
    anywhere,
    augment,
    draw_side,
    ringed,
    round_defect,
)
from coigan_aug.settings import SEGMENTERS, EvaluateSettings, Settings
from coigan_aug.store.dataset import Dataset

CPU = torch.device("cpu")
TINY = EvaluateSettings(
    segmenter="unet", width=8, depth=2, steps=60, batch=8, learning_rate=4e-3, average=0.0, jitter=(1.0, 1.0)
)


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_segmenter_gives_a_logit_for_background_and_each_class_and_pixel(name: str) -> None:
    network = build_segmenter(dataclasses.replace(TINY, segmenter=name), 3, seed=0).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, 50, 70)).shape == (2, 4, 50, 70)


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_segmenter_has_a_layer_to_look_into(name: str) -> None:
    network = build_segmenter(dataclasses.replace(TINY, segmenter=name), 2, seed=0).eval()
    masks = torch.ones(1, 64, 64)
    assert grad_cam(network, cam_layer(network), torch.rand(1, 3, 64, 64), masks, label=1).shape == (1, 64, 64)


def test_a_pool_of_one_class_gives_windows_round_that_class_alone(prepared: Prepared) -> None:
    small = dataclasses.replace(prepared, window=12)
    for label in (0, 1):
        pool = Pool(examples=small, label=label)
        windows = [pool.window(0, index)[1] for index in range(20)]
        assert all(masks[label].any() for masks in windows)
        assert not all(masks[1 - label].any() for masks in windows), "else the classes can't be told apart by this"


def test_the_seed_decides_the_first_weights_and_leaves_other_randomness_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (build_segmenter(TINY, 2, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem.change.0.weight"], other["stem.change.0.weight"])


def test_a_model_of_a_package_that_is_not_installed_names_the_extra() -> None:
    try:
        import segmentation_models_pytorch  # noqa: F401
    except ImportError:
        with pytest.raises(EnvironmentProblem, match="segmentation-models-pytorch") as caught:
            build_segmenter(dataclasses.replace(TINY, segmenter="smp:Unet"), 2, seed=0)
        assert 'pip install "coigan-aug[smp]"' in caught.value.remedy
    else:
        network = build_segmenter(dataclasses.replace(TINY, segmenter="smp:Unet"), 2, seed=0).eval()
        assert network(torch.rand(1, 3, 50, 70)).shape == (1, 3, 50, 70)


def test_an_unknown_segmenter_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose one of: lite0_unet, unet"):
        EvaluateSettings(segmenter="unett")


def test_a_window_is_predicted_as_the_image_that_holds_it() -> None:
    """Away from the borders: the network's sight is 2 * (2 + 4 + 4 + ...) px at most for two halvings."""
    network = build_segmenter(TINY, 2, seed=1).eval()
    image = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        whole, part = network(image), network(image[..., 32:96, 32:96])
    torch.testing.assert_close(part[..., 28:36, 28:36], whole[..., 60:68, 60:68], rtol=0, atol=1e-4)


class _Fixed(nn.Module):
    """Answers with given logits, whatever it sees."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(x.shape[0], *self.logits.shape)


def test_counts_are_those_of_a_loop_over_pixels(toy: Dataset, small: Settings, tmp_path: Path) -> None:
    examples = load_examples(toy, [0, 2], small.data, cache_root=tmp_path)
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 72, 96))).float()
    found = class_counts(_Fixed(logits), examples, [0, 2], device=CPU)
    for row, position in enumerate((0, 2)):
        masks = toy.masks(position)
        for k, name in enumerate(toy.names):
            expected = [0, 0, 0]
            for y in range(72):
                for x in range(96):
                    said, true = int(logits[:, y, x].argmax()) == k + 1, bool(masks[name][y, x])
                    expected[0] += said and true
                    expected[1] += said and not true
                    expected[2] += true and not said
            assert found[row, k].tolist() == expected


def test_binary_counts_are_those_of_the_union(toy: Dataset, small: Settings, tmp_path: Path) -> None:
    examples = load_examples(toy, [0], small.data, cache_root=tmp_path)
    union = np.maximum.reduce(list(toy.masks(0).values()))
    logits = torch.from_numpy(np.stack([0.5 - union, union - 0.5])).float()
    found = class_counts(_Fixed(logits), examples, [0], device=CPU, binary=True)
    assert found.tolist() == [[[int(union.sum()), 0, 0]]]


def test_iou_and_dice_follow_their_definitions() -> None:
    counts = np.array([[3, 1, 2], [0, 0, 4], [0, 0, 0]])
    np.testing.assert_allclose(iou(counts), [3 / 6, 0, np.nan])
    np.testing.assert_allclose(dice(counts), [6 / 9, 0, np.nan])


def test_the_loss_is_cross_entropy_plus_dice_of_each_window_by_hand() -> None:
    logits = torch.tensor([[[[0.0, 0.0]], [[0.0, 0.0]]], [[[0.0, 0.0]], [[2.0, -2.0]]]])
    masks = torch.tensor([[[[0.0, 0.0]]], [[[1.0, 0.0]]]])
    p = torch.sigmoid(torch.tensor(2.0))
    entropy = (2 * torch.log(torch.tensor(2.0)) - 2 * torch.log(p)) / 4
    missed = 1 - 2 * p / (p + (1 - p) + 1)  # only the second window holds a mask
    torch.testing.assert_close(segmentation_loss(logits, masks), entropy + missed)


def test_where_masks_overlap_the_first_class_counts() -> None:
    sure = torch.tensor([[[[-9.0]], [[9.0]], [[-9.0]]]])
    both, first = torch.ones(1, 2, 1, 1), torch.tensor([[[[1.0]], [[0.0]]]])
    dice = 0.5  # the mean of nothing missed in one class and all in the other
    torch.testing.assert_close(segmentation_loss(sure, both), segmentation_loss(sure, first) + dice, atol=1e-4, rtol=0)


def test_a_batch_without_masks_has_no_dice() -> None:
    logits = torch.zeros(2, 4, 4, 4)
    torch.testing.assert_close(segmentation_loss(logits, torch.zeros(2, 3, 4, 4)), torch.log(torch.tensor(4.0)))


def test_the_pretrained_segmenter_begins_with_imagenets_weights_and_lets_them_learn(prepared: Prepared) -> None:
    settings = dataclasses.replace(TINY, segmenter="lite0_unet", steps=2)
    one, other = (build_segmenter(settings, 2, seed=seed) for seed in (0, 1))
    first = "encoder.0.0.weight"
    assert torch.equal(one.state_dict()[first], other.state_dict()[first])
    assert not torch.equal(one.state_dict()["head.weight"], other.state_dict()["head.weight"])
    mixture = _mixture(prepared)
    fit(one, lambda step: mixture.batch(0, step, size=4), settings, device=CPU)
    assert not torch.equal(one.state_dict()[first], other.state_dict()[first])


def test_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    rates = [schedule(step, 200) for step in range(200)]
    assert max(rates) == rates[9] == rates[10] == 1
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-3


def _mixture(prepared: Prepared, **more: object) -> Mixture:
    return Mixture(real=prepared, **more)  # type: ignore[arg-type]


def test_real_windows_are_the_same_in_every_arm_of_a_seed(prepared: Prepared) -> None:
    pool = Pool(examples=prepared)
    alone, _ = _mixture(prepared).batch(3, 5, size=8)
    mixed, _ = _mixture(prepared, added=[pool], share=0.25).batch(3, 5, size=8)
    both, _ = _mixture(prepared, added=[pool], negatives=Empty(examples=prepared), share=0.25).batch(3, 5, size=8)
    assert mixed.shape == both.shape == alone.shape
    assert torch.equal(alone[:6], mixed[:6])
    assert not torch.equal(alone[6:], mixed[6:])
    assert torch.equal(alone[:4], both[:4])


def test_half_of_a_batch_is_real_defects_whatever_is_added(prepared: Prepared) -> None:
    """What is added, and counterfeit negatives, take the places of windows from anywhere alone."""
    nothing = _Blank(prepared)
    for more in ({}, {"added": [nothing], "share": 0.25}, {"added": [nothing], "share": 0.5, "negatives": nothing}):
        for step in range(6):
            _, masks = _mixture(prepared, **more).batch(1, step, size=8)
            assert (masks[:4].amax(dim=(1, 2, 3)) == 1).all()
            added = int(8 * more.get("share", 0))
            assert (masks[8 - added :] == 0).all() or not added


@dataclasses.dataclass(frozen=True)
class _Blank:
    """A source of windows without anything."""

    examples: Examples

    def window(self, seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        side = self.examples.window
        return np.zeros((side, side, 3), np.uint8), np.zeros((self.examples.classes, side, side), np.uint8)


def test_with_extra_slots_every_arm_gets_as_many_windows_and_loses_none(prepared: Prepared) -> None:
    pool = Pool(examples=prepared)
    alone, _ = _mixture(prepared, share=0.25, extra=True).batch(3, 5, size=8)
    mixed, _ = _mixture(prepared, added=[pool], share=0.25, extra=True).batch(3, 5, size=8)
    plain, _ = _mixture(prepared).batch(3, 5, size=8)
    assert alone.shape == mixed.shape == (10, 3, 32, 32)
    assert torch.equal(alone[:8], plain)
    assert torch.equal(mixed[:8], plain)
    assert not torch.equal(alone[8:], mixed[8:])


def test_a_ring_hides_the_borders_of_thick_masks_and_all_round_thin_ones() -> None:
    """Truth: distances to the nearest pixel of the other kind, by a double loop over squares."""
    random = np.random.default_rng(3)
    mask = np.zeros((40, 40), np.uint8)
    mask[5:20, 6:30] = mask[25:33, 3] = mask[36:38, 10:30] = mask[0:4, 35:40] = 1
    masks = np.stack([mask * (random.random(mask.shape) < 0.5), np.zeros_like(mask)])
    masks[1] = mask - masks[0]
    for ring in (1, 2, 3):
        found = ringed(masks, ring)
        for y, x in np.ndindex(mask.shape):
            near = mask[max(y - ring, 0) : y + ring + 1, max(x - ring, 0) : x + ring + 1]
            if not mask[y, x]:
                assert (found[:, y, x] == (VOID if near.any() else 0)).all(), (ring, y, x)
            elif (found[:, y, x] != masks[:, y, x]).any():
                assert (found[:, y, x] == VOID).all()
                assert not near.all(), "only at a border"
        assert (found[:, 25:33, 3] == masks[:, 25:33, 3]).all(), "a line stays"
        assert (found[:, 5, 8:28] == VOID).all()
        assert (found[:, 5 + ring, 6 + ring : 30 - ring] != VOID).all()
    assert (ringed(masks, 0) == masks).all()


def test_only_added_windows_have_a_ring(prepared: Prepared) -> None:
    class Square:
        def window(self, seed: int, index: int) -> Cut:
            masks = np.zeros((prepared.classes, prepared.window, prepared.window), np.uint8)
            masks[0, 8:24, 8:24] = 1
            return np.zeros((*masks.shape[1:], 3), np.uint8), masks

    mixture = _mixture(prepared, added=[Square()], share=0.25, ring=2)
    _, masks = mixture.batch(0, 0, size=8)
    assert [bool((window == VOID).any()) for window in masks] == [False] * 6 + [True] * 2
    assert (masks[6] == VOID).sum() == prepared.classes * (20 * 20 - 12 * 12)


@pytest.mark.parametrize("fade", [0, 20])
def test_the_share_of_added_windows_is_kept_over_the_steps(prepared: Prepared, fade: int) -> None:
    counts, asked = [], []

    class Noting(_Blank):
        def window(self, seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
            asked.append(index)
            return super().window(seed, index)

    for step in range(20):
        before = len(asked)
        _mixture(prepared, added=[Noting(prepared)], share=0.35 if not fade else 0.2, fade=fade).batch(0, step, size=8)
        counts.append(len(asked) - before)
    assert asked == list(range(len(asked))), "each window is another one"
    assert sum(counts) == (32 if fade else 56)  # 0.2 and 0.35 of 160
    quarters = np.reshape(counts, (4, 5)).sum(axis=1)
    # A line from 0.4 to 0 has 0.35, 0.25, 0.15 and 0.05 for the means of its quarters.
    np.testing.assert_allclose(quarters, [14, 10, 6, 2] if fade else [14] * 4, atol=1)


def test_mixed_sources_take_turns(prepared: Prepared) -> None:
    asked: list[str] = []

    @dataclasses.dataclass(frozen=True)
    class Named(_Blank):
        name: str = ""

        def window(self, seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
            asked.append(self.name)
            return super().window(seed, index)

    mixture = _mixture(prepared, added=[Named(prepared, "a"), Named(prepared, "b")], share=0.25)
    for step in range(3):
        mixture.batch(0, step, size=8)
    assert asked == ["a", "b"] * 3


def test_an_image_counts_once_however_many_objects_it_has(prepared: Prepared) -> None:
    """Five of six objects lie on one image: it is drawn half of the time, not five sixths."""
    label = 0
    first, second = sorted({prepared.objects[k].position for k in prepared.by_class[label]})[:2]
    one, other = (
        next(k for k in prepared.by_class[label] if prepared.objects[k].position == p) for p in (first, second)
    )
    many = dataclasses.replace(prepared, by_class=[[one] * 5 + [other], []])
    pixels = {p: np.asarray(prepared.cache[p]) for p in (first, second)}
    drawn = [round_defect(np.random.default_rng(k), many, (1.0, 1.0))[0] for k in range(200)]
    hits = sum(_is_part(window[..., 0], pixels[first]) for window in drawn)
    assert 70 <= hits <= 130, "two in a hundred thousand by chance"


def _is_part(window: np.ndarray, image: np.ndarray) -> bool:
    grey = image if image.ndim == 2 else image[..., 0]
    views = np.lib.stride_tricks.sliding_window_view(grey, window.shape)
    return bool((views[:, :, 0, :8] == window[0, :8]).all(axis=-1).any())


def test_jitter_shows_windows_between_the_two_sizes(prepared: Prepared) -> None:
    sides = [draw_side(np.random.default_rng(k), 32, (0.5, 2.0)) for k in range(400)]
    assert min(sides) >= 16
    assert max(sides) <= 64
    assert 28 <= np.median(sides) <= 36, "as often larger as smaller"
    for k in range(20):
        pixels, masks = anywhere(np.random.default_rng(k), prepared, (0.5, 2.0))
        assert pixels.shape == (32, 32, 3)
        assert masks.shape == (2, 32, 32)
        assert set(np.unique(masks)) <= {0, 1}


def test_cutmix_takes_a_rectangle_of_pixels_with_their_masks(prepared: Prepared) -> None:
    """Every pixel and its labels come from one of two windows, those of the other in a rectangle."""
    mix, shares = CutMix(examples=prepared), []
    for index in range(60):
        pixels, masks = mix.window(0, index)
        rng = streams.generator(0, "added", index)
        (under, below), (over, above) = anywhere(rng, prepared, (1.0, 1.0)), round_defect(rng, prepared, (1.0, 1.0))
        from_other = (pixels == over).all(axis=2) & (masks == above).all(axis=0)
        from_base = (pixels == under).all(axis=2) & (masks == below).all(axis=0)
        assert (from_base | from_other).all()
        rows, columns = np.nonzero(~from_base)
        if len(rows):
            assert from_other[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
        shares.append((~from_base).mean())
    assert 0.2 < np.mean(shares) < 0.5, "half the area on average, less what lies beyond the window"


def test_averaged_weights_are_tested_and_lag_behind_the_last(prepared: Prepared) -> None:
    """With a share of 0 the last weights stay; otherwise the mean that the recursion gives."""
    seen: list[torch.Tensor] = []
    settings = dataclasses.replace(TINY, steps=6, average=0.9)
    network, mixture = build_segmenter(settings, prepared.classes, seed=0), _mixture(prepared)

    def draw(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(network.head.weight.detach().clone())
        return mixture.batch(0, step, size=4)

    fit(network, draw, settings, device=CPU)
    last = build_segmenter(settings, prepared.classes, seed=0)
    fit(last, lambda step: mixture.batch(0, step, size=4), dataclasses.replace(settings, average=0.0), device=CPU)
    expected, after = seen[1], [*seen[2:], last.head.weight.detach()]
    for count, value in enumerate(after, start=1):
        kept = min(0.9, (1 + count) / (10 + count))
        expected = kept * expected + (1 - kept) * value
    torch.testing.assert_close(network.head.weight.detach(), expected)


def test_a_pretrained_encoder_learns_at_its_share_of_the_rate(prepared: Prepared) -> None:
    """AdamW's first step moves every weight by its rate, whatever the gradient."""
    settings = dataclasses.replace(TINY, segmenter="lite0_unet", steps=1, encoder_rate=0.25, learning_rate=1e-3)
    network = build_segmenter(settings, 2, seed=0)
    before = {name: value.clone() for name, value in network.named_parameters()}
    fit(network, lambda step: _mixture(prepared).batch(0, step, size=4), settings, device=CPU)
    moved = {name: float((value - before[name]).detach().abs().max()) for name, value in network.named_parameters()}
    assert moved["head.weight"] == pytest.approx(1e-3, rel=0.05)
    assert moved["encoder.0.0.weight"] == pytest.approx(0.25e-3, rel=0.05)


def test_flips_move_image_and_mask_alike_and_photometry_leaves_the_mask() -> None:
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    masks = (pixels[None, ..., 0] > 128).astype(np.uint8)
    for index in range(8):
        rng = np.random.default_rng(index)
        image, moved = augment(rng, pixels, masks, flip=True, photometric=0.0)
        np.testing.assert_array_equal(image[0] * 255 > 128.5, moved[0] != 0)
        _, bright = augment(np.random.default_rng(index), pixels, masks, flip=True, photometric=0.5)
        np.testing.assert_array_equal(moved, bright)


def _fitted(prepared: Prepared, settings: EvaluateSettings) -> nn.Module:
    network, mixture = build_segmenter(settings, prepared.classes, seed=0), _mixture(prepared)
    fit(network, lambda step: mixture.batch(0, step, size=settings.batch), settings, device=CPU)
    return network


def test_a_segmenter_learns_its_training_images(prepared: Prepared) -> None:
    network = _fitted(prepared, TINY)
    positions = sorted(prepared.by_record)
    scores = iou(class_counts(network, prepared, positions, device=CPU).sum(axis=0))
    assert scores.min() > 0.3, scores
    assert not network.training
    assert predict(network, np.asarray(prepared.cache[positions[0]]), device=CPU).shape == (2, 72, 96)


def test_the_same_seed_trains_the_same_segmenter(prepared: Prepared) -> None:
    few = dataclasses.replace(TINY, steps=4)
    first, again = (_fitted(prepared, few).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_loss_that_is_not_finite_stops_the_training_and_names_the_step(prepared: Prepared) -> None:
    def broken(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((2, 3, 32, 32), float("nan")), torch.zeros(2, 2, 32, 32)

    network = build_segmenter(TINY, 2, seed=0)
    with pytest.raises(CoiganError, match="not finite at step 0"):
        fit(network, broken, TINY, device=CPU)
