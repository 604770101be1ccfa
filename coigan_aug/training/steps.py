"""One step: every loss, backward, all-reduce and optimizer step of the training, in plain sight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.errors import CoiganError
from coigan_aug.losses.adversarial import discriminator_loss, generator_loss
from coigan_aug.losses.perceptual import smooth_masked_perceptual
from coigan_aug.losses.reconstruction import masked_l1, smooth_masked_l1
from coigan_aug.losses.regularizers import path_length, r1_penalty
from coigan_aug.models.build import Inpainter, defect_stack
from coigan_aug.models.composite import mask_alpha
from coigan_aug.settings import Settings
from coigan_aug.training.augment import augment
from coigan_aug.training.batches import Batch
from coigan_aug.training.distributed import across, average_gradients, own_rows, said_once

Losses = dict[str, Tensor]


@dataclass
class Networks:
    """What a training changes, and the optimisers that change it."""

    generator: Inpainter
    average: Inpainter
    defect: nn.Module
    reference: nn.Module
    generator_optimizer: torch.optim.Optimizer
    defect_optimizer: torch.optim.Optimizer
    reference_optimizer: torch.optim.Optimizer
    path_mean: Tensor
    features: nn.Module | None


@dataclass(frozen=True)
class Step:
    """Where the training is: the step's number, the settings, its randomness, whether convolutions are bfloat16."""

    number: int
    settings: Settings
    rng: torch.Generator
    device: torch.device
    bfloat16: bool

    def autocast(self) -> torch.autocast:
        """Return the mixed-precision context for the networks' own passes."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16)

    def due(self, every: int) -> bool:
        """Tell whether a lazy regulariser falls due in this step."""
        return every > 0 and self.number % every == 0


def training_step(networks: Networks, batch: Batch, step: Step) -> Losses:
    """Train the defect discriminator, the reference discriminator and the generator once; return every loss.

    One pass of the generator serves all three: its output is detached for the discriminators.

    Raises:
        CoiganError: a loss is not finite; nothing of that network was stepped.
    """
    networks.generator.train()
    with step.autocast():
        count = batch.base.shape[0]
        drawn = networks.generator(
            torch.cat((batch.base, batch.pair_base)),
            torch.cat((batch.condition, batch.pair_condition)),
            torch.cat((batch.masks, batch.pair_masks)),
        )
        fake, redrawn = drawn[:count], drawn[count:]
    losses = train_defect(networks, batch, fake.detach(), step)
    losses |= train_reference(networks, batch, fake.detach(), step)
    losses |= train_generator(networks, batch, fake, redrawn, step)
    return losses


def train_defect(networks: Networks, batch: Batch, fake: Tensor, step: Step) -> Losses:
    """Teach the defect discriminator real objects from drawn ones, of the same shapes in the same places."""
    real_stack, fake_stack = defect_stack(batch.objects, batch.masks), defect_stack(fake, batch.masks)
    losses = _discriminate(networks.defect, (real_stack, batch.masks), (fake_stack, batch.masks), step)
    _apply(losses, networks.defect_optimizer, networks.defect, "defect discriminator")
    return {f"defect_{name}": value.detach() for name, value in losses.items()}


def train_reference(networks: Networks, batch: Batch, fake: Tensor, step: Step) -> Losses:
    """Teach the reference discriminator real windows from drawn ones."""
    real = (batch.reference, batch.reference_masks)
    losses = _discriminate(networks.reference, real, (fake, batch.masks), step)
    _apply(losses, networks.reference_optimizer, networks.reference, "reference discriminator")
    return {f"reference_{name}": value.detach() for name, value in losses.items()}


def _discriminate(network: nn.Module, real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor], step: Step) -> Losses:
    network.requires_grad_(True)
    with step.autocast():
        real_logits, real_weights = _judge(network, *real, step)
        fake_logits, fake_weights = _judge(network, *fake, step)
    losses = {"logistic": discriminator_loss(real_logits, fake_logits, real_weights, fake_weights, across=across)}
    train = step.settings.train
    if train.r1 > 0 and step.due(train.r1_every):
        inputs = _seen(*real, step)[0].detach().requires_grad_(True)
        verdict = network(inputs).flatten(1).mean(dim=1)  # one number a sample, also where patches are judged
        losses["r1"] = train.r1 * train.r1_every * r1_penalty(verdict, inputs)
    return losses


def _judge(network: nn.Module, image: Tensor, masks: Tensor, step: Step) -> tuple[Tensor, Tensor | None]:
    """Return a discriminator's logits, and their weights where it judges patches: 1 where a patch holds some mask.

    Away from the masks every pixel is real on both sides, so those patches have nothing to tell and would only
    water the others down.
    """
    inputs, union = _seen(image, masks, step)
    logits = network(inputs)
    if logits.ndim < 4:
        return logits, None
    return logits, F.adaptive_max_pool2d(union, logits.shape[-2:])


def _seen(image: Tensor, masks: Tensor, step: Step) -> tuple[Tensor, Tensor]:
    """Return what a discriminator is shown, augmented, and the union of the masks [B, 1, H, W] moved along with it."""
    train = step.settings.train
    both = augment(image, masks, translate=train.translate, gain=train.gain, rng=step.rng)
    union = both[:, image.shape[1] :].amax(dim=1, keepdim=True)
    return (both if step.settings.model.discriminator_masks else both[:, : image.shape[1]]), union


def train_generator(networks: Networks, batch: Batch, fake: Tensor, redrawn: Tensor, step: Step) -> Losses:
    """Teach the generator to pass both discriminators, and to draw erased real defects again."""
    networks.defect.requires_grad_(False)
    networks.reference.requires_grad_(False)
    train = step.settings.train
    losses: Losses = {}
    with step.autocast():
        if train.adversarial > 0:
            judged = _judge(networks.defect, defect_stack(fake, batch.masks), batch.masks, step)
            losses["adversarial"] = train.adversarial * generator_loss(*judged, across=across)
        if train.reference_adversarial > 0:
            judged = _judge(networks.reference, fake, batch.masks, step)
            losses["reference_adversarial"] = train.reference_adversarial * generator_loss(*judged, across=across)
    if train.paired > 0:
        region = mask_alpha(batch.pair_masks, grow=train.paired_grow, soften=0)
        losses["paired"] = train.paired * masked_l1(redrawn, batch.pair_target, region, across=across)
    losses |= _thesis_losses(networks, batch, fake, step)
    _apply(losses, networks.generator_optimizer, networks.generator, "generator")
    return {f"generator_{name}": value.detach() for name, value in losses.items()}


def _thesis_losses(networks: Networks, batch: Batch, fake: Tensor, step: Step) -> Losses:
    """Smooth-masked L1 and perceptual loss against the base, and path length (thesis 4.4)."""
    train = step.settings.train
    inside, outside, kernel = train.object_weight, train.background_weight, train.smooth_kernel
    losses: Losses = {}
    if train.smooth_l1 > 0:
        losses["smooth_l1"] = train.smooth_l1 * smooth_masked_l1(
            fake, batch.base, batch.masks, kernel=kernel, object_weight=inside, background_weight=outside,
            across=across,
        )  # fmt: skip
    if train.perceptual_weight > 0 and networks.features is not None:
        with step.autocast():
            value = smooth_masked_perceptual(
                networks.features, fake, batch.base, batch.masks, kernel=kernel, object_weight=inside,
                background_weight=outside, across=across,
            )  # fmt: skip
        losses["perceptual"] = train.perceptual_weight * value
    if train.path_length > 0 and step.due(train.path_length_every):
        losses["path_length"] = train.path_length * train.path_length_every * _path_length(networks, batch, step)
    return losses


def _path_length(networks: Networks, batch: Batch, step: Step) -> Tensor:
    inputs = torch.cat((batch.base, batch.condition), dim=1).detach().requires_grad_(True)
    images = networks.generator.generate(inputs[:, :3], inputs[:, 3:])
    seeds = own_rows(len(images), lambda rows: torch.randint(2**62, (rows,), generator=step.rng)).tolist()
    noise = torch.stack([torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(s)) for s in seeds])
    penalty, networks.path_mean = path_length(
        images, inputs, noise=noise.to(images.device), running_mean=networks.path_mean, across=across
    )
    return penalty


def _apply(losses: Losses, optimizer: torch.optim.Optimizer, network: nn.Module, name: str) -> None:
    """Add up the losses, go back through them, average over the processes, and step."""
    total = torch.stack(list(losses.values())).sum()
    if not torch.isfinite(across(total)):  # all processes stop together
        values = ", ".join(f"{key} {float(across(value.detach())):g}" for key, value in losses.items())
        error = CoiganError(
            f"The {name}'s loss is not finite ({values}); nothing was stepped.",
            remedy="Start a new run with half the --set train.learning_rate, or --set train.precision=float32.",
        )
        raise said_once(error)
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    average_gradients(network.parameters())
    optimizer.step()
