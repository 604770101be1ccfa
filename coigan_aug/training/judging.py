"""What the discriminators are shown, what they say, and what they pay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.losses.adversarial import discriminator_loss, image_scores, rejection_loss
from coigan_aug.losses.regularizers import gradient_penalty, lecam, r1_penalty
from coigan_aug.models.projected_discriminator import ProjectedDiscriminator
from coigan_aug.training.augment import augment, draw
from coigan_aug.training.distributed import across, own_rows
from coigan_aug.training.networks import Networks, Step

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Shown:
    """Images and their masks as a discriminator is shown them; `masks` weigh the patches and are seen where the model says."""

    image: Tensor
    masks: Tensor


def discriminate(
    networks: Networks, network: nn.Module, real: Shown, fake: Shown, wrong: Shown | None, step: Step
) -> Losses:
    network.requires_grad_(True)
    _freeze_features(network)
    train = step.settings.train
    with step.autocast():
        real_logits, real_weights = judge(networks, network, real, step)
        fake_logits, fake_weights = judge(networks, network, fake, step)
    value = discriminator_loss(real_logits, fake_logits, real_weights, fake_weights, kind=train.loss, across=across)
    losses = {train.loss: value}
    if wrong is not None:
        with step.autocast():
            rejected = judge(networks, network, wrong, step)
        losses["mismatch"] = train.mismatch * rejection_loss(*rejected, kind=train.loss, across=across)
    losses |= _penalties(networks, network, real, fake, step)
    scores = image_scores(real_logits, real_weights), image_scores(fake_logits, fake_weights)
    losses |= _lecam(networks.scores[int(network is networks.reference)], scores, train.lecam)
    if train.augment_target > 0 and network is networks.reference:
        called_real = across(scores[0].detach().sign().mean())
        move = train.batch / train.augment_images
        networks.strength.add_(move * (called_real - train.augment_target).sign()).clamp_(0, 1)
    return losses


def _lecam(past: Tensor, scores: tuple[Tensor, Tensor], weight: float) -> Losses:
    """Pull the scores [B] of real and fake images towards each other's past mean, and move that mean [2] a little."""
    losses = {"lecam": weight * lecam(*scores, real_mean=past[0], fake_mean=past[1])} if weight > 0 else {}
    past.lerp_(across(torch.stack([value.detach().mean() for value in scores])).to(past), 0.01)
    return losses


def _penalties(networks: Networks, network: nn.Module, real: Shown, fake: Shown, step: Step) -> Losses:
    """Return the penalties on gradients that fall due, weighted up by how seldom they do."""
    train = step.settings.train
    losses: Losses = {}
    if not step.due(train.r1_every) or isinstance(network, ProjectedDiscriminator):
        return losses
    for name, weight, shown in (("r1", train.r1, real), ("r2", train.r2, fake)):
        if weight > 0:
            inputs = _seen(networks, shown, step)[0].detach().requires_grad_(True)
            losses[name] = weight * train.r1_every * r1_penalty(_verdict(network, inputs), inputs)
    if train.gradient_penalty > 0:
        ends = [_seen(networks, shown, step)[0].detach() for shown in (real, fake)]
        between = own_rows(len(ends[0]), lambda rows: torch.rand(rows, generator=step.rng)).to(ends[0])[
            :, None, None, None
        ]
        inputs = torch.lerp(ends[0], ends[1], between).requires_grad_(True)
        penalty = gradient_penalty(_verdict(network, inputs), inputs)
        losses["gradient_penalty"] = train.gradient_penalty * train.r1_every * penalty
    return losses


def _verdict(network: nn.Module, inputs: Tensor) -> Tensor:
    verdict: Tensor = network(inputs)
    return verdict.flatten(1).mean(dim=1)  # one number a sample, also where patches are judged


def _freeze_features(network: nn.Module) -> None:
    if isinstance(network, ProjectedDiscriminator):
        network.features.requires_grad_(False)


def judge(networks: Networks, network: nn.Module, shown: Shown, step: Step) -> tuple[Tensor, Tensor | None]:
    """Return a discriminator's logits, and their weights where it judges patches: 1 where a patch holds some mask.

    Away from the masks every pixel is real on both sides, so those patches have nothing to tell and would only
    water the others down.
    """
    inputs, union = _seen(networks, shown, step)
    logits = network(inputs)
    if logits.ndim < 4:
        return logits, None
    return logits, F.adaptive_max_pool2d(union, logits.shape[-2:])


def _seen(networks: Networks, shown: Shown, step: Step) -> tuple[Tensor, Tensor]:
    """Return what a discriminator is shown, augmented, and the union of the masks [B, 1, H, W] moved along with it."""
    train, channels = step.settings.train, shown.image.shape[1]
    strength = float(networks.strength) if train.augment_target > 0 else 1.0
    count, _, height, width = shown.image.shape
    both = augment(shown.image, shown.masks, draw(count, (height, width), train, strength=strength, rng=step.rng))
    union = both[:, channels:].amax(dim=1, keepdim=True)
    return (both if step.settings.model.discriminator_masks else both[:, :channels]), union
