"""What the discriminators are shown, brightened and shifted, what they say, and what they pay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.losses.adversarial import accuracy, discriminator_loss, rejection_loss
from coigan_aug.losses.regularizers import gradient_penalty, r1_penalty
from coigan_aug.models.projected_discriminator import ProjectedDiscriminator
from coigan_aug.settings import TrainSettings
from coigan_aug.training.distributed import across, own_rows
from coigan_aug.training.networks import Step

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Shown:
    """Images and their masks as a discriminator is shown them; masks are seen where the model says.

    Where patches are judged, those that hold some mask count, or with `everywhere` all alike.
    """

    image: Tensor
    masks: Tensor
    everywhere: bool = False


class Trial(NamedTuple):
    """What a discriminator is to tell apart: real images and drawn ones; and what it must call fake, too."""

    real: Shown
    drawn: Shown
    wrong: Shown | None


def discriminate(network: nn.Module, trial: Trial, step: Step) -> Losses:
    """Return what a discriminator pays for real, drawn and (where given) wrongly masked images, by name; it then learns.

    Penalties on its gradients come besides (`penalties`).
    """
    network.requires_grad_(True)
    if isinstance(network, ProjectedDiscriminator):
        network.features.requires_grad_(False)
    train = step.settings.train
    with step.autocast():
        real_logits, real_weights = judge(network, trial.real, step)
        fake_logits, fake_weights = judge(network, trial.drawn, step)
    value = discriminator_loss(real_logits, fake_logits, real_weights, fake_weights, kind=train.loss, across=across)
    losses = {train.loss: train.discriminator_weight * value}
    if trial.wrong is not None:
        with step.autocast():
            rejected = judge(network, trial.wrong, step)
        losses["mismatch"] = train.mismatch * rejection_loss(*rejected, kind=train.loss, across=across)
    return losses


@torch.no_grad()
def told_rightly(network: nn.Module, trial: Trial, step: Step) -> Tensor:
    """Return the share of real and drawn images that a discriminator tells rightly before it learns: scalar in 0..1."""
    with step.autocast():
        real_logits, real_weights = judge(network, trial.real, step)
        fake_logits, fake_weights = judge(network, trial.drawn, step)
    return accuracy(real_logits, fake_logits, real_weights, fake_weights, kind=step.settings.train.loss)


def penalties(network: nn.Module, trial: Trial, step: Step) -> Losses:
    """Return the penalties on gradients that fall due, weighted up by how seldom they do."""
    train = step.settings.train
    losses: Losses = {}
    if not step.due(train.r1_every) or isinstance(network, ProjectedDiscriminator):
        return losses
    for name, weight, shown in (("r1", train.r1, trial.real), ("r2", train.r2, trial.drawn)):
        if weight > 0:
            inputs = _seen(shown, step)[0].detach().requires_grad_(True)
            losses[name] = weight * train.r1_every * r1_penalty(_verdict(network, inputs), inputs)
    if train.gradient_penalty > 0:
        ends = [_seen(shown, step)[0].detach() for shown in (trial.real, trial.drawn)]
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


def judge(network: nn.Module, shown: Shown, step: Step) -> tuple[Tensor, Tensor | None]:
    """Return a discriminator's logits, and their weights where it judges patches: 1 where a patch holds some mask.

    Away from the masks every pixel is real on both sides, so those patches have nothing to tell and would only
    water the others down. None where all count alike.
    """
    inputs, union = _seen(shown, step)
    logits = network(inputs)
    if logits.ndim < 4 or shown.everywhere:
        return logits, None
    return logits, F.adaptive_max_pool2d(union, logits.shape[-2:])


def _seen(shown: Shown, step: Step) -> tuple[Tensor, Tensor]:
    """Return what a discriminator is shown, augmented, and the union of the masks [B, 1, H, W] moved along with it."""
    train, channels = step.settings.train, shown.image.shape[1]
    count, _, height, width = shown.image.shape
    both = augment(shown.image, shown.masks, draw(count, (height, width), train, rng=step.rng))
    union = both[:, channels:].amax(dim=1, keepdim=True)
    return (both if step.settings.model.discriminator_masks else both[:, :channels]), union


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is done to each sample of a batch [B]: factors of brightness, shifts (down, right) in px."""

    factor: Tensor
    shift: list[tuple[int, int]]


def draw(count: int, size: tuple[int, int], train: TrainSettings, *, rng: torch.Generator) -> Draws:
    """Draw for `count` samples of that height and width.

    Process r of several takes the draws of its own samples, so `rng` must stand at the same place in all.
    """
    height, width = size

    def uniform(*columns: int) -> Tensor:
        return own_rows(count, lambda rows: torch.rand(rows, *columns, generator=rng))

    factor = 1 + train.gain * (2 * uniform() - 1)
    reach = torch.tensor((round(train.translate * height), round(train.translate * width)))
    shift = (uniform(2) * (2 * reach + 1)).floor() - reach
    return Draws(factor=factor, shift=[(int(y), int(x)) for y, x in shift.tolist()])


def augment(image: Tensor, masks: Tensor, draws: Draws) -> Tensor:
    """Brighten each sample's image; then shift it with its masks. What is shifted in from outside is black and unmasked.

    Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training".

    Shape: [B, C, H, W], [B, K, H, W] -> [B, C + K, H, W].
    """
    bright = image * draws.factor.to(image)[:, None, None, None]
    both = torch.cat((bright, masks), dim=1)
    return torch.stack([_shifted(sample, y, x) for sample, (y, x) in zip(both, draws.shift, strict=True)])


def _shifted(sample: Tensor, y: int, x: int) -> Tensor:
    _, height, width = sample.shape
    padded = F.pad(sample, (abs(x), abs(x), abs(y), abs(y)))
    return padded[:, abs(y) + y : abs(y) + y + height, abs(x) + x : abs(x) + x + width]
