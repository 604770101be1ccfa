"""One step of a change of look: every loss of both directions, each backward and optimizer step in plain sight."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug import rng
from coigan_aug.losses.adversarial import discriminator_loss, generator_loss
from coigan_aug.losses.reconstruction import masked_l1
from coigan_aug.losses.translation import attention, attention_error, edge_error
from coigan_aug.models.composite import mask_alpha
from coigan_aug.models.translator import SeventyDiscriminator, Translator
from coigan_aug.settings import Settings
from coigan_aug.training.distributed import across
from coigan_aug.training.judging import Losses
from coigan_aug.training.learning import learn
from coigan_aug.training.networks import Step
from coigan_aug.translator_file import new_translator


@dataclass(frozen=True)
class UnpairedBatch:
    """Windows of A [B, 3, S, S], what their masks cover [B, 1, S, S], and windows of B [B, 3, S, S]; float32."""

    a: Tensor
    masks: Tensor
    b: Tensor

    def to(self, device: torch.device) -> UnpairedBatch:
        """Move to a device, in channels_last order."""
        moved = (getattr(self, item.name).to(device, non_blocking=True) for item in fields(self))
        return UnpairedBatch(*(value.contiguous(memory_format=torch.channels_last) for value in moved))

    def split(self, parts: int) -> list[UnpairedBatch]:
        """Split into parts of equal size, one less one more where that can't be."""
        pieces = (torch.tensor_split(getattr(self, item.name), parts) for item in fields(self))
        return [UnpairedBatch(*values) for values in zip(*pieces, strict=True)]


class Translators(nn.Module):
    """The generators of both directions."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.to_b, self.to_a = new_translator(settings), new_translator(settings)


class Discriminators(nn.Module):
    """The discriminators of both looks."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.of_a = SeventyDiscriminator(width=settings.translate.discriminator_width)
        self.of_b = SeventyDiscriminator(width=settings.translate.discriminator_width)


@dataclass(frozen=True)
class TranslationNetworks:
    """What a training of a change of look changes, and the optimisers that change it."""

    translators: Translators
    average: Translators
    discriminators: Discriminators
    translators_optimizer: torch.optim.Optimizer
    discriminators_optimizer: torch.optim.Optimizer


def build_translation(settings: Settings, device: torch.device) -> TranslationNetworks:
    """Build every network and optimiser from the training's seed."""
    train = settings.train
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.torch_seed(train.seed, "weights"))
        translators, discriminators = Translators(settings), Discriminators(settings)
    average = copy.deepcopy(translators).requires_grad_(False)
    for network in (translators, average, discriminators):
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def adam(network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=rate, betas=train.betas, weight_decay=train.weight_decay)

    return TranslationNetworks(
        translators, average, discriminators, adam(translators, train.learning_rate),
        adam(discriminators, train.discriminator_learning_rate),
    )  # fmt: skip


class Way(NamedTuple):
    """A way there and back: images, what they became, what became of that; and the features that either network passed."""

    image: Tensor
    made: Tensor
    back: Tensor
    there_features: list[Tensor]
    back_features: list[Tensor]


def translation_step(networks: TranslationNetworks, batch: UnpairedBatch, step: Step) -> Losses:
    """Train both discriminators, then both generators, once; return every loss.

    One pass of the generators serves both: what they made is detached for the discriminators.

    Raises:
        CoiganError: a loss is not finite; nothing of that network was stepped.
    """
    networks.translators.train()
    parts = [batch] if step.parts == 1 else batch.split(step.parts)
    ways = [_ways(networks.translators, part, step, learning=step.parts == 1) for part in parts]
    networks.discriminators.requires_grad_(True)
    made = [(from_a.made.detach(), from_b.made.detach()) for from_a, from_b in ways]
    judged = (_judged(networks.discriminators, part, *own, step) for part, own in zip(parts, made, strict=True))
    losses = learn(judged, networks.discriminators_optimizer, networks.discriminators, "discriminators", step)
    networks.discriminators.requires_grad_(False)
    again = (_ways(networks.translators, part, step, learning=True) for part in parts)  # where made without gradients
    drawn = ways if step.parts == 1 else again
    paid = (_paid(networks, part, *both, step) for part, both in zip(parts, drawn, strict=True))
    return losses | learn(paid, networks.translators_optimizer, networks.translators, "generators", step)


def _ways(translators: Translators, batch: UnpairedBatch, step: Step, *, learning: bool) -> tuple[Way, Way]:
    with step.autocast(), torch.set_grad_enabled(learning):
        return (
            _way(batch.a, translators.to_b, translators.to_a),
            _way(batch.b, translators.to_a, translators.to_b),
        )


def _way(image: Tensor, there: Translator, back: Translator) -> Way:
    made, there_features = there.traced(image)
    again, back_features = back.traced(made)
    return Way(image, made, again, there_features, back_features)


def _judged(networks: Discriminators, batch: UnpairedBatch, like_b: Tensor, like_a: Tensor, step: Step) -> Losses:
    """Return what the discriminators pay for real windows and restyled ones."""
    train = step.settings.train
    losses: Losses = {}
    for name, network, real, fake in (("a", networks.of_a, batch.a, like_a), ("b", networks.of_b, batch.b, like_b)):
        with step.autocast():
            verdicts = network(real), network(fake)
        losses[f"discriminator_{name}"] = train.discriminator_weight * discriminator_loss(*verdicts, kind=train.loss)
    return losses


def _paid(networks: TranslationNetworks, batch: UnpairedBatch, from_a: Way, from_b: Way, step: Step) -> Losses:
    """Return what the generators pay: to pass, to come back, to leave what has the look, to leave edges, to look alike."""
    own, train = step.settings.translate, step.settings.train
    judges = networks.discriminators
    weights = 1 + own.mask_weight * batch.masks if own.attention == "mask" else torch.ones_like(batch.masks)
    plain = torch.ones_like(batch.masks)
    losses: Losses = {}
    with step.autocast():
        losses["adversarial_b"] = train.adversarial * _passed(judges.of_b, from_a.made, train.loss)
        losses["adversarial_a"] = train.adversarial * _passed(judges.of_a, from_b.made, train.loss)
    losses["cycle_a"] = own.cycle * masked_l1(from_a.back, batch.a, weights, across=across)
    losses["cycle_b"] = own.cycle * masked_l1(from_b.back, batch.b, plain, across=across)
    if own.identity > 0:
        with step.autocast():
            same_b, same_a = networks.translators.to_b(batch.b), networks.translators.to_a(batch.a)
        losses["identity"] = own.identity * (F.l1_loss(same_b, batch.b) + F.l1_loss(same_a, batch.a))
    if own.edges > 0:
        near = mask_alpha(batch.masks, grow=own.edges_grow, soften=0)
        where = own.edges_elsewhere + (1 - own.edges_elsewhere) * near
        losses["edges"] = own.edges * edge_error(batch.a, from_a.made, where, across=across)
        everywhere = own.edges_elsewhere * own.edges
        losses["edges"] = losses["edges"] + everywhere * edge_error(batch.b, from_b.made, plain, across=across)
    if own.attention != "none" and own.attention_weight > 0:
        losses["attention_a"] = own.attention_weight * _alike(from_a, judges.of_b, judges.of_a, weights, step)
        if own.attention_both:
            losses["attention_b"] = own.attention_weight * _alike(from_b, judges.of_a, judges.of_b, plain, step)
    return {f"generator_{name}": value for name, value in losses.items()}


def _passed(judge: nn.Module, image: Tensor, kind: str) -> Tensor:
    return generator_loss(judge(image), kind=kind)


def _alike(way: Way, there: nn.Module, back: nn.Module, weights: Tensor, step: Step) -> Tensor:
    """Return how far the attention on the way there is from that on the way back.

    Attention is that of a generator's residual blocks for what the discriminator of its look says of its image, on average.
    """
    own, count = step.settings.translate, len(way.there_features)
    chosen = sorted({0, (count - 1) // 2, count // 2, count - 1}) if own.attention_blocks == "four" else [count - 1]
    with step.autocast():
        scores = [
            judge(image).float().mean(dim=(1, 2, 3)).sum() for judge, image in ((there, way.made), (back, way.back))
        ]
    errors = []
    for k in chosen:
        first, second = attention(way.there_features[k], scores[0]), attention(way.back_features[k], scores[1])
        small = F.adaptive_avg_pool2d(weights, (first.shape[-2], first.shape[-1]))
        errors.append(attention_error(first.detach() if own.attention_detach else first, second, small, across=across))
    return torch.stack(errors).mean()
