"""A step of the thesis' recipe: what each network pays and when it is stepped, against a training loop written out here."""

from __future__ import annotations

import copy
import dataclasses
import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.compose.composer import Stream
from coigan_aug.losses.regularizers import path_length
from coigan_aug.models.wavelet_discriminator import WaveletDiscriminator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.training import steps
from coigan_aug.training.batches import Batch, stack
from coigan_aug.training.networks import Networks, Step, build_networks
from coigan_aug.training.steps import training_step

CPU = torch.device("cpu")


@pytest.fixture
def thesis(small: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The losses of the recipe `coigan` on small networks, without the perceptual one."""
    narrow = functools.partial(WaveletDiscriminator, max_channels=16)
    monkeypatch.setattr("coigan_aug.models.build.WaveletDiscriminator", narrow)
    model = dataclasses.replace(
        small.model, generator="ffc", width=4, depth=2, blocks=1, discriminator="wavelet", multiplier=1,
        discriminator_masks=False, noise="replace", noise_blur=5,
    )  # fmt: skip
    train = dataclasses.replace(
        small.train, learning_rate=0.002, discriminator_learning_rate=0.002, betas=(0.0, 0.998), weight_decay=0.01,
        adversarial=20.0, reference_adversarial=8.0, paired=0.0, smooth_l1=15.0, r1=3.0, path_length=5.0,
        discriminator_weight=5.0, share_step=False, path_length_per="column", translate=0.0, gain=0.0,
    )  # fmt: skip
    return dataclasses.replace(small, model=model, train=train)


def _trained(
    prepared: Prepared, settings: Settings, number: int = 0
) -> tuple[Networks, Networks, Batch, dict[str, Tensor]]:
    """Take a step in float64; return the networks before and after, the batch and the losses."""
    networks = build_networks(prepared, settings, CPU, weights=None)
    for name in ("generator", "average", "defect", "reference"):
        getattr(networks, name).double()
    before = copy.deepcopy(networks)
    stream = Stream(prepared, settings, 7)
    batch = stack([stream[k] for k in range(2)])
    batch = Batch(*(getattr(batch, field.name).double() for field in dataclasses.fields(Batch)))
    losses = training_step(networks, batch, Step(number, settings, torch.Generator().manual_seed(5), CPU, False))
    return before, networks, batch, losses


def _stacked(image: Tensor, masks: Tensor) -> Tensor:
    """Cut out each class by hand: three channels a class."""
    return torch.cat([image * masks[:, k : k + 1] for k in range(masks.shape[1])], dim=1)


def _adam(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=0.002, betas=(0.0, 0.998), weight_decay=0.01)


def _drawn(networks: Networks, batch: Batch) -> Tensor:
    """Draw in training mode, pairs along with the batch as the step does, which batch normalisation notices."""
    networks.generator.train()
    both = [
        torch.cat(parts)
        for parts in (
            (batch.base, batch.pair_base), (batch.condition, batch.pair_condition), (batch.latent, batch.pair_latent),
            (batch.masks, batch.pair_masks),
        )
    ]  # fmt: skip
    return networks.generator(*both)[: len(batch.base)]


def _same(one: nn.Module, other: nn.Module) -> None:
    for (name, value), (_, wanted) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-11, msg=name)


def test_discriminators_pay_five_times_their_loss_then_take_a_step_for_r1(prepared: Prepared, thesis: Settings) -> None:
    """Zero, back, step for 5 (softplus(-real) + softplus(fake)); then again for 3 x 16 of the squared gradient."""
    before, after, batch, losses = _trained(prepared, thesis)
    fake = _drawn(copy.deepcopy(before), batch).detach()
    shown = {
        "defect": (_stacked(batch.objects, batch.masks), _stacked(fake, batch.masks)),
        "reference": (batch.reference, fake),
    }
    for who, (real, drawn) in shown.items():
        network = getattr(before, who)
        optimizer = _adam(network)
        paid = 5 * (F.softplus(-network(real)).mean() + F.softplus(network(drawn)).mean())
        assert losses[f"{who}_logistic"].item() == pytest.approx(paid.item(), rel=1e-9)
        optimizer.zero_grad()
        paid.backward()
        optimizer.step()
        given = real.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(network(given).sum(), given, create_graph=True)
        penalty = 3 * 16 * slope.pow(2).reshape(len(given), -1).sum(1).mean()
        assert losses[f"{who}_r1"].item() == pytest.approx(penalty.item(), rel=1e-9)
        optimizer.zero_grad()
        penalty.backward()
        optimizer.step()
        _same(getattr(after, who), network)


def test_the_generator_pays_the_thesis_weights_then_takes_a_step_for_path_length(
    prepared: Prepared, thesis: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 and 8 times softplus(-D), 5 times the thesis' L1; then 5 x 4 times the penalty on the lengths of columns."""
    noises: list[Tensor] = []

    def noting(*given: Tensor, noise: Tensor, **others: Any) -> tuple[Tensor, Tensor]:
        noises.append(noise)
        return path_length(*given, noise=noise, **others)

    monkeypatch.setattr(steps, "path_length", noting)
    before, after, batch, losses = _trained(prepared, thesis)
    generator, optimizer = before.generator, _adam(before.generator)
    fake = _drawn(before, batch)
    terms = {
        "adversarial": 20 * F.softplus(-after.defect(_stacked(fake, batch.masks))).mean(),
        "reference_adversarial": 8 * F.softplus(-after.reference(fake)).mean(),
    }
    union = batch.masks.sum(dim=1, keepdim=True)
    smooth = F.conv2d(union, torch.full((1, 1, 31, 31), 1 / 31**2, dtype=torch.float64), padding=15)
    weights = 0.1 * smooth + (1 - smooth)
    terms["smooth_l1"] = 5 * ((fake - batch.base).abs() * weights).sum() / weights.sum()
    for name, value in terms.items():
        assert losses[f"generator_{name}"].item() == pytest.approx(value.item(), rel=1e-9), name
    optimizer.zero_grad()
    torch.stack(list(terms.values())).sum().backward()
    optimizer.step()

    inputs = torch.cat((batch.base, batch.condition), dim=1).requires_grad_(True)
    images = generator.network(inputs)
    images = images.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1) if generator.grey else images
    (noise,) = noises
    assert noise.std().item() == pytest.approx(1, abs=0.05)
    (slope,) = torch.autograd.grad((images * noise).sum() / 32, inputs, create_graph=True)
    lengths = slope.pow(2).sum(dim=2).mean(dim=1).sqrt()
    mean = 0.01 * lengths.mean().detach()
    penalty = 5 * 4 * (lengths - mean).pow(2).mean()
    assert losses["generator_path_length"].item() == pytest.approx(penalty.item(), rel=1e-4)  # 1e-8 under the root
    assert after.path_mean.item() == pytest.approx(mean.item(), rel=1e-4)
    optimizer.zero_grad()
    penalty.backward()
    optimizer.step()
    for value, wanted in zip(after.generator.parameters(), generator.parameters(), strict=True):
        torch.testing.assert_close(value, wanted, rtol=0, atol=1e-4)  # of steps of 2e-3 each


def test_regularisers_that_are_not_due_take_no_step(prepared: Prepared, thesis: Settings) -> None:
    _, networks, _, losses = _trained(prepared, thesis, number=1)
    assert not any(name.endswith(("r1", "path_length")) for name in losses)
    for optimizer in (networks.generator_optimizer, networks.defect_optimizer, networks.reference_optimizer):
        assert {int(state["step"]) for state in optimizer.state.values()} == {1}


def test_a_shared_step_is_one_for_the_sum(prepared: Prepared, thesis: Settings) -> None:
    """One step of Adam for both together: each weight has the state of a single step, and moves otherwise."""
    train = dataclasses.replace(thesis.train, share_step=True)
    _, apart, _, losses = _trained(prepared, thesis)
    before, together, _, shared = _trained(prepared, dataclasses.replace(thesis, train=train))
    assert set(losses) == set(shared)
    counts = [
        {int(state["step"]) for state in networks.generator_optimizer.state.values()} for networks in (apart, together)
    ]
    assert counts[0] >= {2}
    assert counts[1] == {1}
    pairs = zip(before.generator.parameters(), together.generator.parameters(), strict=True)
    assert all((one - other).abs().max() < 2 * 0.00201 for one, other in pairs)


def test_the_loss_in_the_discriminators_features_is_their_weighted_squared_error(
    prepared: Prepared, thesis: Settings
) -> None:
    """In each layer of the reference discriminator after its step: errors of drawn and base, mean over its channels."""
    train = dataclasses.replace(thesis.train, discriminator_perceptual=7.0, object_weight=1.0)
    before, after, batch, losses = _trained(prepared, dataclasses.replace(thesis, train=train))
    fake = _drawn(before, batch)
    layers = zip(after.reference.stages(fake), after.reference.stages(batch.base), strict=True)  # type: ignore[operator]
    expected = 7 * torch.stack([(one - other).square().mean() for one, other in layers]).mean()
    assert losses["generator_discriminator_perceptual"].item() == pytest.approx(expected.item(), rel=1e-9)
    assert expected > 0


@pytest.mark.parametrize(("bias", "learns"), [(0.0, True), (9.0, False)])
def test_a_discriminator_that_is_too_good_learns_nothing_in_the_step(
    prepared: Prepared, thesis: Settings, bias: float, learns: bool
) -> None:
    """One that answers by what it is shown tells all rightly; one that calls everything real, half."""

    class Judge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            bright = (x.flatten(1).sum(dim=1, keepdim=True) > 0) * 2.0 - 1  # what is drawn is black below
            return self.weight * (1 + bias * bright)

    train = dataclasses.replace(thesis.train, discriminator_accuracy=0.8)
    settings = dataclasses.replace(thesis, train=train)
    networks = build_networks(prepared, settings, CPU, weights=None)
    networks.defect = Judge()
    networks.defect_optimizer = torch.optim.AdamW(networks.defect.parameters(), lr=0.1)
    stream = Stream(prepared, settings, 7)
    batch = stack([stream[k] for k in range(2)])
    step = Step(1, settings, torch.Generator().manual_seed(5), CPU, False)
    trial = steps.defect_trial(batch, 0 * batch.base, step)
    losses = steps._teach(networks.defect, networks.defect_optimizer, "defect", [trial], step)
    assert losses["defect_accuracy"].item() == (0.5 if learns else 1.0)
    assert ("defect_logistic" in losses) == learns
    assert (networks.defect.weight.item() != 1) == learns


@pytest.mark.parametrize("reference", ["tiles", "defects"])
def test_of_any_tile_all_patches_count_and_of_windows_with_defects_those_with_masks(
    prepared: Prepared, small: Settings, reference: str
) -> None:
    """Clean references have nothing to be weighed by: from them the discriminator learns only where all patches count."""
    data = dataclasses.replace(small.data, reference=reference)
    train = dataclasses.replace(small.train, translate=0.0, gain=0.0, discriminator_weight=5.0)
    settings = dataclasses.replace(small, data=data, train=train)
    networks = build_networks(prepared, settings, CPU, weights=None)
    stream = Stream(prepared, settings, 7)
    batch = stack([stream[k] for k in range(2)])
    batch = dataclasses.replace(batch, reference_masks=0 * batch.reference_masks)
    step = Step(1, settings, torch.Generator().manual_seed(5), CPU, False)
    trial = steps.reference_trial(batch, batch.base, step)
    shown = [torch.cat(pair, dim=1) for pair in ((batch.reference, batch.reference_masks), (batch.base, batch.masks))]
    real, drawn = (networks.reference(image) for image in shown)
    if reference == "tiles":
        expected = F.softplus(-real).mean() + F.softplus(drawn).mean()
    else:
        cover = F.adaptive_max_pool2d(batch.masks.amax(dim=1, keepdim=True), drawn.shape[-2:])
        expected = (F.softplus(drawn) * cover).sum() / cover.sum()
    losses = steps._teach(networks.reference, networks.reference_optimizer, "reference", [trial], step)
    assert losses["reference_logistic"].item() == pytest.approx(5 * expected.item(), rel=1e-5)
    assert all(value.isfinite().all() for value in networks.reference.parameters())
