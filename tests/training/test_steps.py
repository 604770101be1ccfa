"""A step trains what it should, and nothing else; the numbers are held by a golden file."""

from __future__ import annotations

import copy
import dataclasses
import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from coigan_aug.compose.composer import Stream
from coigan_aug.errors import CoiganError
from coigan_aug.losses.patches import patch_distance, random_kernels
from coigan_aug.models.composite import mask_alpha
from coigan_aug.models.layers import EqualConv2d
from coigan_aug.models.wavelet_discriminator import WaveletDiscriminator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.training import steps
from coigan_aug.training.batches import Batch, batches, stack
from coigan_aug.training.judging import Draws, augment, draw
from coigan_aug.training.networks import Networks, Step, build_networks, update_ema
from coigan_aug.training.steps import training_step

CPU = torch.device("cpu")
GOLDEN = Path(__file__).parent.parent / "golden" / "three_steps.txt"


def _step(number: int, settings: Settings) -> Step:
    return Step(number, settings, torch.Generator().manual_seed(number), CPU, bfloat16=False)


def _networks(prepared: Prepared, settings: Settings, *, double: bool = False) -> Networks:
    networks = build_networks(prepared, settings, CPU, weights=None)
    if double:
        for name in ("generator", "average", "defect", "reference"):
            getattr(networks, name).double()
    return networks


def _batch(prepared: Prepared, settings: Settings, *, start: int = 0, double: bool = False) -> Batch:
    batch = next(batches(Stream(prepared, settings, 7), start=start, batch=4, rank=0, world=1, workers=0))
    if double:
        batch = Batch(*(getattr(batch, field.name).double() for field in dataclasses.fields(Batch)))
    return batch


def three_steps(prepared: Prepared, settings: Settings) -> str:
    """Train three steps in float64 and write every loss; `python -m tests.golden` would be this, by hand."""
    networks = _networks(prepared, settings, double=True)
    lines = []
    for number in range(3):
        losses = training_step(
            networks, _batch(prepared, settings, start=4 * number, double=True), _step(number, settings)
        )
        lines += [f"{number} {name} {float(value):.10f}" for name, value in losses.items()]
    return "\n".join(lines) + "\n"


def test_three_steps_in_float64_give_the_golden_losses(prepared: Prepared, small: Settings) -> None:
    """Holds every loss against silent change; to renew it on purpose, write what `three_steps` returns."""
    found = [line.split() for line in three_steps(prepared, small).splitlines()]
    expected = [line.split() for line in GOLDEN.read_text().splitlines()]
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    values = [float(row[2]) for row in found]
    tolerance = 1e-4 if cv2.__version__.startswith("5.") else 0.01  # OpenCV 4 erases alike, not equally
    np.testing.assert_allclose(values, [float(row[2]) for row in expected], rtol=tolerance, atol=1e-6)


def test_every_network_learns_in_a_step_and_the_average_follows(prepared: Prepared, small: Settings) -> None:
    networks = _networks(prepared, small)
    before = {
        name: copy.deepcopy(getattr(networks, name).state_dict()) for name in ("generator", "defect", "reference")
    }
    training_step(networks, _batch(prepared, small), _step(0, small))
    for name, state in before.items():
        after = getattr(networks, name).state_dict()
        assert all(not torch.equal(state[key], after[key]) for key in state if state[key].numel() > 1), name
    start = copy.deepcopy(networks.average.state_dict())
    assert all(torch.equal(start[key], before["generator"][key]) for key in start)
    update_ema(networks.average, networks.generator, decay=0.995, step=1000)
    for key, value in networks.average.state_dict().items():
        expected = start[key] * 0.995 + networks.generator.state_dict()[key] * 0.005
        torch.testing.assert_close(value, expected)


def test_the_average_copies_buffers_too() -> None:
    model, average = torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)
    model(torch.randn(4, 2, 3, 3) + 5)
    update_ema(average, model, decay=0.9, step=0)
    assert torch.equal(average.running_mean, model.running_mean)


def test_two_windows_are_learnt_by_heart(prepared: Prepared, small: Settings) -> None:
    """Erased defects are drawn again: the paired loss falls to a third in 100 steps on two samples."""
    train = dataclasses.replace(small.train, adversarial=0.0, reference_adversarial=0.0, learning_rate=3e-3)
    settings = dataclasses.replace(small, train=train)
    networks = _networks(prepared, settings)
    stream = Stream(prepared, settings, 7)
    batch = stack([stream[k] for k in range(2)])
    assert batch.pair_masks.any()
    seen = [float(training_step(networks, batch, _step(1, settings))["generator_paired"]) for _ in range(100)]
    assert seen[-1] < seen[0] / 3


def test_a_loss_that_is_not_finite_stops_before_the_step_and_is_named(prepared: Prepared, small: Settings) -> None:
    networks = _networks(prepared, small)
    batch = _batch(prepared, small)
    before = copy.deepcopy(networks.generator.state_dict())
    broken = dataclasses.replace(batch, pair_target=batch.pair_target * float("nan"))
    with pytest.raises(CoiganError, match=r"generator's loss is not finite .*paired nan"):
        training_step(networks, broken, _step(0, small))
    assert all(torch.equal(before[key], value) for key, value in networks.generator.state_dict().items())


def test_the_thesis_losses_join_in_when_they_have_a_weight(prepared: Prepared, small: Settings) -> None:
    train = dataclasses.replace(small.train, smooth_l1=1.0, path_length=1.0, path_length_every=2, paired=0.0)
    settings = dataclasses.replace(small, train=train)
    networks = _networks(prepared, settings)
    first = training_step(networks, _batch(prepared, settings), _step(0, settings))
    second = training_step(networks, _batch(prepared, settings), _step(1, settings))
    assert {"generator_smooth_l1", "generator_path_length"} <= set(first)
    assert "generator_path_length" not in second
    assert "generator_paired" not in first
    assert float(networks.path_mean) > 0


def test_the_patches_of_what_is_drawn_again_are_paid_for(prepared: Prepared, small: Settings) -> None:
    settings = dataclasses.replace(small, train=dataclasses.replace(small.train, patches=3.0, translate=0, gain=0))
    batch, networks = _batch(prepared, settings), _networks(prepared, settings)
    step, plain = _step(0, settings), torch.Generator().manual_seed(0)
    with torch.no_grad():
        redrawn = networks.generator(batch.pair_base, batch.pair_condition, batch.pair_latent, batch.pair_masks)
    region = mask_alpha(batch.pair_masks, grow=steps.PAIRED_GROW, soften=0)
    losses = training_step(networks, batch, step)
    kernels = random_kernels(steps.PATCH_KERNELS, channels=3, side=steps.PATCH_SIDE, rng=plain)
    expected = 3 * patch_distance(redrawn, batch.pair_target, region, kernels)
    assert float(expected) > 0
    assert float(losses["generator_patches"]) == pytest.approx(float(expected), rel=0.2)  # other kernels were drawn


def test_a_lazy_penalty_pays_in_one_step_what_it_would_have_paid_in_all(prepared: Prepared, small: Settings) -> None:
    """Due in every fourth step, and four times as heavy: over four steps the sum is that of every step, weight by weight."""
    found = []
    for every in (1, 4):
        changes = {"path_length": 0.5, "path_length_every": every, "r1": 0.3, "r2": 0.2, "r1_every": every}
        settings = dataclasses.replace(small, train=dataclasses.replace(small.train, **changes))
        networks, batch = _networks(prepared, settings), _batch(prepared, settings)
        found.append(training_step(networks, batch, _step(0, settings)))
        later = [training_step(networks, batch, _step(number, settings)) for number in (1, 2, 3, 4)]
        due = ["generator_path_length" in losses and "defect_r1" in losses for losses in later]
        assert due == ([True] * 4 if every == 1 else [False, False, False, True])
    for name in ("defect_r1", "defect_r2", "generator_path_length"):  # of networks that no step has changed yet
        assert found[0][name] > 0
        torch.testing.assert_close(found[1][name], 4 * found[0][name])


def test_two_processes_see_the_samples_of_one(prepared: Prepared, small: Settings) -> None:
    stream = Stream(prepared, small, 7)
    alone = batches(stream, start=8, batch=4, rank=0, world=1, workers=0)
    parts = [batches(stream, start=8, batch=4, rank=rank, world=2, workers=0) for rank in (0, 1)]
    for _ in range(2):
        whole, halves = next(alone), [next(part) for part in parts]
        assert torch.equal(whole.base, torch.cat([half.base for half in halves]))
        assert torch.equal(whole.condition, torch.cat([half.condition for half in halves]))


@pytest.mark.slow
def test_loader_processes_give_the_batches_of_one_process(prepared: Prepared, small: Settings) -> None:
    stream = Stream(prepared, small, 7)
    alone = batches(stream, start=0, batch=4, rank=0, world=1, workers=0)
    loaded = batches(stream, start=0, batch=4, rank=0, world=1, workers=2)
    for _ in range(3):
        one, other = next(alone), next(loaded)
        for field in dataclasses.fields(Batch):
            assert torch.equal(getattr(one, field.name), getattr(other, field.name))
    loaded.close()


def _draws(settings: Settings, count: int, side: int, *, seed: int = 1, **changes: object) -> Draws:
    train = dataclasses.replace(settings.train, **{"translate": 0.0, "gain": 0.0, **changes})  # type: ignore[arg-type]
    return draw(count, (side, side), train, rng=torch.Generator().manual_seed(seed))


def test_augmentation_moves_image_and_masks_alike(small: Settings) -> None:
    masks = (torch.rand(6, 2, 16, 16) > 0.5).float()
    marked = torch.cat((masks, masks[:, :1]), dim=1)
    made = augment(marked, masks, _draws(small, 6, 16, translate=0.25))
    assert torch.equal(made[:, :2], made[:, 3:])
    assert not torch.equal(made[:, :2], masks)


def test_augmentation_brightens_the_image_alone(small: Settings) -> None:
    image, masks = torch.rand(6, 3, 16, 16) + 0.1, (torch.rand(6, 2, 16, 16) > 0.5).float()
    bright = augment(image, masks, _draws(small, 6, 16, gain=0.5))
    assert torch.equal(bright[:, 3:], masks)
    ratio = (bright[:, :3] / image).flatten(1)
    assert ratio.std(dim=1).max() < 1e-6
    assert 0.5 <= ratio.min() < ratio.max() <= 1.5
    assert torch.equal(augment(image, image[:, :0], _draws(small, 6, 16)), image)


def test_a_shift_is_the_one_that_was_drawn_and_brings_in_black(small: Settings) -> None:
    image = torch.rand(8, 1, 16, 16) + 0.1
    draws = _draws(small, 8, 16, translate=0.25)
    made = augment(image, image[:, :0], draws)
    for k, (y, x) in enumerate(draws.shift):
        by_hand = torch.zeros(16, 16)
        for row in range(16):
            for column in range(16):
                if 0 <= row + y < 16 and 0 <= column + x < 16:
                    by_hand[row, column] = image[k, 0, row + y, column + x]
        assert torch.equal(made[k, 0], by_hand)
    assert {abs(y) for y, _ in draws.shift} | {abs(x) for _, x in draws.shift} <= set(range(5))


def test_augmentation_passes_gradients(small: Settings) -> None:
    image = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    draws = _draws(small, 2, 8, seed=3, translate=0.25, gain=0.2)
    draws = dataclasses.replace(draws, factor=draws.factor.double())
    assert torch.autograd.gradcheck(lambda x: augment(x, x[:, :0], draws), (image,))


def test_patches_away_from_the_masks_do_not_count(prepared: Prepared, small: Settings) -> None:
    """What a patch discriminator says of places without a mask changes no adversarial loss."""

    class Fixed(torch.nn.Module):
        def __init__(self, bias: torch.Tensor) -> None:
            super().__init__()
            self.bias = torch.nn.Parameter(bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.bias + 0 * x.sum()

    train = dataclasses.replace(small.train, translate=0.0, r1=0.0, learning_rate=1e-7)
    settings = dataclasses.replace(small, train=train)
    batch = _batch(prepared, settings)
    cover = torch.nn.functional.adaptive_max_pool2d(batch.masks.amax(dim=1, keepdim=True), 8)
    assert 0 < cover.mean() < 1
    found = []
    for elsewhere in (0.0, 9.0):
        networks = _networks(prepared, settings)
        networks.defect = Fixed(torch.where(cover > 0, 0.5, elsewhere))
        networks.defect_optimizer = torch.optim.AdamW(networks.defect.parameters(), lr=1e-7)
        found.append(training_step(networks, batch, _step(0, settings)))
    for name in ("defect_logistic", "generator_adversarial"):
        assert float(found[0][name]) == pytest.approx(float(found[1][name]), rel=1e-5)


@pytest.mark.parametrize("loss", ["relativistic", "hinge", "least_squares", "wasserstein"])
def test_every_adversarial_loss_trains_every_network(prepared: Prepared, small: Settings, loss: str) -> None:
    penalty = 10.0 if loss == "wasserstein" else 0.0
    train = dataclasses.replace(small.train, loss=loss, gradient_penalty=penalty, r2=0.1, mismatch=0.5)
    settings = dataclasses.replace(small, train=train)
    networks = _networks(prepared, settings)
    before = {
        name: copy.deepcopy(getattr(networks, name).state_dict()) for name in ("generator", "defect", "reference")
    }
    losses = training_step(networks, _batch(prepared, settings), _step(0, settings))
    assert {f"{who}_{what}" for who in ("defect", "reference") for what in (loss, "r1", "r2", "mismatch")} <= set(
        losses
    )
    assert ("defect_gradient_penalty" in losses) == (loss == "wasserstein")
    for name, state in before.items():
        after = getattr(networks, name).state_dict()
        assert all(not torch.equal(state[key], after[key]) for key in state if state[key].numel() > 1), name


@pytest.mark.parametrize("reference", ["projected", "wavelet", "patch"])
def test_a_style_generator_trains_against_every_reference_discriminator(
    prepared: Prepared, small: Settings, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    narrow = functools.partial(WaveletDiscriminator, max_channels=32)
    monkeypatch.setattr("coigan_aug.models.build.WaveletDiscriminator", narrow)
    model = dataclasses.replace(
        small.model, generator="style_unet", latent=8, blocks=1, reference_discriminator=reference, multiplier=1
    )
    settings = dataclasses.replace(small, model=model)
    networks = _networks(prepared, settings)
    before = copy.deepcopy(networks.generator.state_dict())
    for number in range(2):
        training_step(networks, _batch(prepared, settings), _step(number, settings))
    after = networks.generator.state_dict()
    assert all(not torch.equal(before[key], after[key]) for key in before if before[key].numel() > 1)


def test_wrong_masks_are_rejected_more_and_more(prepared: Prepared, small: Settings) -> None:
    """With the adversarial game switched off, the discriminators still learn which masks do not belong."""
    train = dataclasses.replace(small.train, mismatch=1.0, translate=0.0, discriminator_learning_rate=2e-3)
    settings = dataclasses.replace(small, train=train)
    networks = _networks(prepared, settings)
    found = [
        training_step(networks, _batch(prepared, settings, start=4 * n), _step(n + 1, settings)) for n in range(30)
    ]
    for who in ("defect", "reference"):
        values = [float(losses[f"{who}_mismatch"]) for losses in found]
        assert np.mean(values[-10:]) < 0.8 * np.mean(values[:5]), who


def test_a_batch_in_parts_trains_as_the_whole_batch_does(
    prepared: Prepared, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every mean is over samples of equal weight, two parts give the gradients of the whole: the weights agree."""
    narrow = functools.partial(WaveletDiscriminator, max_channels=32)
    monkeypatch.setattr("coigan_aug.models.build.WaveletDiscriminator", narrow)
    train = dataclasses.replace(
        small.train, translate=0.0, gain=0.0, reference_adversarial=0.0, adversarial=0.0, paired=0.0, smooth_l1=1.0,
        background_weight=1.0, object_weight=1.0, r1_every=1,
    )  # fmt: skip
    model = dataclasses.replace(small.model, discriminator="wavelet", multiplier=1)
    settings = dataclasses.replace(small, train=train, model=model)
    batch = _batch(prepared, settings, double=True)
    states = []
    for parts in (1, 2):
        networks = _networks(prepared, settings, double=True)
        for network in (networks.defect, networks.reference):
            _drop_batch_deviation(network)
        step = dataclasses.replace(_step(0, settings), parts=parts)
        losses = training_step(networks, batch, step)
        states.append((losses, networks))
    for name, value in states[0][0].items():
        torch.testing.assert_close(states[1][0][name], value, rtol=1e-9, atol=1e-12)
    for name in ("generator", "defect", "reference"):
        one, other = (getattr(networks, name).state_dict() for _, networks in states)
        for key, value in one.items():
            torch.testing.assert_close(other[key], value, rtol=1e-6, atol=1e-8)


def _drop_batch_deviation(network: torch.nn.Module) -> None:
    """Take out the one layer that looks at a batch together, by giving its channel no weight."""
    for module in network.modules():
        if isinstance(module, EqualConv2d) and module.weight.shape[1] % 2 == 1:
            module.weight.data[:, -1] = 0
            module.weight.register_hook(lambda gradient: torch.cat((gradient[:, :-1], 0 * gradient[:, -1:]), dim=1))


def test_wrong_masks_are_wrong_in_place_or_in_class(prepared: Prepared, small: Settings) -> None:
    """A batch of six: two clean windows, two whose masks lie half a window off, two whose masks are another class's."""
    stream = Stream(prepared, small, 7)
    batch, step = stack([stream[k] for k in range(6)]), _step(0, small)
    shown = steps._mismatched(batch, step)
    assert torch.equal(shown.image[:2], batch.base[:2]) and torch.equal(shown.masks[:2], batch.masks[:2])
    assert torch.equal(shown.image[2:], batch.reference[2:])
    side = prepared.window
    for k in (2, 3):
        moved = torch.zeros_like(batch.reference_masks[k])
        for label, row, column in batch.reference_masks[k].nonzero().tolist():
            moved[label, (row + side // 2) % side, (column + side // 2) % side] = 1
        assert torch.equal(shown.masks[k], moved)
    for k in (4, 5):
        assert torch.equal(shown.masks[k], batch.reference_masks[k].flip(0)), "two classes: each is the other"
    stacked = steps._mistaken(batch, step)
    for k in range(3):
        assert torch.equal(stacked.image[k, :3], batch.base[k] * batch.masks[k, :1])
    for k in range(3, 6):
        assert torch.equal(stacked.image[k, :3], batch.objects[k] * batch.masks[k, 1:]), "objects of the other class"
        assert torch.equal(stacked.masks[k], batch.masks[k].flip(0))


def test_with_one_class_no_mask_is_of_another(prepared: Prepared, small: Settings) -> None:
    stream = Stream(prepared, small, 7)
    batch = stack([stream[k] for k in range(6)])
    first = {name: getattr(batch, name)[:, :1] for name in ("masks", "object_masks", "reference_masks")}
    one = dataclasses.replace(batch, **first)
    shown, step = steps._mismatched(one, _step(0, small)), _step(0, small)
    assert not any(
        torch.equal(shown.masks[k], one.reference_masks[k]) for k in range(2, 6) if one.reference_masks[k].any()
    )
    assert torch.equal(steps._mistaken(one, step).image, one.base * one.masks)
