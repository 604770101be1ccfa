"""The segmenter learns, counts what it finds rightly, and sees the same windows in every arm that shares them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coigan_aug.errors import CoiganError, ConfigError, EnvironmentProblem
from coigan_aug.prepare.examples import load_examples
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.segmenter.build import build_segmenter, cam_layer
from coigan_aug.segmenter.fit import fit, schedule, segmentation_loss
from coigan_aug.segmenter.gradcam import grad_cam
from coigan_aug.segmenter.scoring import class_counts, dice, iou, predict
from coigan_aug.segmenter.windows import Mixture, augment
from coigan_aug.settings import SEGMENTERS, EvaluateSettings, Settings
from coigan_aug.store.dataset import Dataset

CPU = torch.device("cpu")
TINY = EvaluateSettings(segmenter="unet", width=8, depth=2, steps=60, batch=8)


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
    fit(one, lambda step: mixture.batch(0, step, size=4), settings, device=CPU, bfloat16=False)
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
    alone, _ = _mixture(prepared).batch(3, 5, size=8)
    mixed, _ = _mixture(prepared, extra=prepared, share=0.25).batch(3, 5, size=8)
    assert torch.equal(alone[2:], mixed[2:])
    assert not torch.equal(alone[:2], mixed[:2])


@pytest.mark.parametrize("fade", [0, 20])
def test_the_share_of_added_windows_is_kept_over_the_steps(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch, fade: int
) -> None:
    seen = []
    window = Mixture._window

    def note(self: Mixture, seed: int, index: int, *, added: bool) -> object:
        seen.append(added)
        return window(self, seed, index, added=added)

    monkeypatch.setattr(Mixture, "_window", note)
    for step in range(20):
        _mixture(prepared, extra=prepared, share=0.35, fade=fade).batch(0, step, size=8)
    assert sum(seen) == 56  # 0.35 of 160
    quarters = np.reshape(seen, (4, 40)).sum(axis=1)
    # A line from 0.7 to 0 has 0.6125, 0.4375, 0.2625 and 0.0875 for the means of its quarters.
    np.testing.assert_allclose(quarters, [24.5, 17.5, 10.5, 3.5] if fade else [14] * 4, atol=1)


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
    fit(network, lambda step: mixture.batch(0, step, size=settings.batch), settings, device=CPU, bfloat16=False)
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
        fit(network, broken, TINY, device=CPU, bfloat16=False)
