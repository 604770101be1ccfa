"""One step: every loss, backward, all-reduce and optimizer step of the training, in plain sight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.errors import CoiganError
from coigan_aug.losses.adversarial import discriminator_loss, generator_loss, image_scores, rejection_loss
from coigan_aug.losses.perceptual import smooth_masked_perceptual
from coigan_aug.losses.reconstruction import contrast_error, masked_l1, smooth_masked_l1
from coigan_aug.losses.regularizers import gradient_penalty, lecam, mode_seeking, path_length, r1_penalty
from coigan_aug.models.build import Inpainter, defect_stack
from coigan_aug.models.composite import mask_alpha
from coigan_aug.models.projected_discriminator import ProjectedDiscriminator
from coigan_aug.settings import Settings
from coigan_aug.training.augment import augment, draw
from coigan_aug.training.batches import Batch
from coigan_aug.training.distributed import average_gradients

Losses = dict[str, Tensor]


@dataclass
class Networks:
    """What a training changes, and the optimisers that change it.

    Beside the weights three tensors carry over from step to step: the mean path length, the probability of the
    discriminators' augmentation, and the mean scores that each discriminator (defect, reference) gave real and fake
    images [2, 2].
    """

    generator: Inpainter
    average: Inpainter
    defect: nn.Module
    reference: nn.Module
    generator_optimizer: torch.optim.Optimizer
    defect_optimizer: torch.optim.Optimizer
    reference_optimizer: torch.optim.Optimizer
    path_mean: Tensor
    strength: Tensor
    scores: Tensor
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
    if step.number * step.settings.train.batch < step.settings.train.pretrain:
        return pretrain_generator(networks, batch, step)
    with step.autocast():
        count = batch.base.shape[0]
        drawn = networks.generator(
            torch.cat((batch.base, batch.pair_base)),
            torch.cat((batch.condition, batch.pair_condition)),
            torch.cat((batch.latent, batch.pair_latent)),
            torch.cat((batch.masks, batch.pair_masks)),
        )
        fake, redrawn = drawn[:count], drawn[count:]
    losses = train_defect(networks, batch, fake.detach(), step)
    losses |= train_reference(networks, batch, fake.detach(), step)
    losses |= train_generator(networks, batch, fake, redrawn, step)
    return losses


def pretrain_generator(networks: Networks, batch: Batch, step: Step) -> Losses:
    """Teach the generator to fill clean windows that are blanked where the masks are."""
    alpha = mask_alpha(batch.masks, grow=step.settings.train.paired_grow, soften=0)
    blanked = torch.where(alpha > 0, 0.5, batch.base)
    with step.autocast():
        filled = networks.generator(blanked, batch.condition, batch.latent, batch.masks)
    losses = {"pretrain": masked_l1(filled, batch.base, alpha)}
    _apply(losses, networks.generator_optimizer, networks.generator, "generator")
    return {f"generator_{name}": value.detach() for name, value in losses.items()}


@dataclass(frozen=True)
class Shown:
    """Images and their masks as a discriminator is shown them; `masks` weigh the patches and are seen where the model says."""

    image: Tensor
    masks: Tensor


def train_defect(networks: Networks, batch: Batch, fake: Tensor, step: Step) -> Losses:
    """Teach the defect discriminator real objects from drawn ones, of the same shapes in the same places."""
    real = Shown(defect_stack(batch.objects, batch.masks), batch.masks)
    drawn = Shown(defect_stack(fake, batch.masks), batch.masks)
    wrong = Shown(defect_stack(batch.base, batch.masks), batch.masks)
    losses = _discriminate(networks, networks.defect, real, drawn, wrong, step)
    _apply(losses, networks.defect_optimizer, networks.defect, "defect discriminator")
    return {f"defect_{name}": value.detach() for name, value in losses.items()}


def train_reference(networks: Networks, batch: Batch, fake: Tensor, step: Step) -> Losses:
    """Teach the reference discriminator real windows from drawn ones."""
    real = Shown(batch.reference, batch.reference_masks)
    losses = _discriminate(networks, networks.reference, real, Shown(fake, batch.masks), _mismatched(batch), step)
    _apply(losses, networks.reference_optimizer, networks.reference, "reference discriminator")
    return {f"reference_{name}": value.detach() for name, value in losses.items()}


def _mismatched(batch: Batch) -> Shown:
    """Return real windows with wrong masks: half of them clean ones, half with their masks moved by half a window."""
    half = batch.base.shape[0] // 2
    shift = (batch.base.shape[-2] // 2, batch.base.shape[-1] // 2)
    moved = batch.reference_masks[half:].roll(shift, (-2, -1))
    return Shown(torch.cat((batch.base[:half], batch.reference[half:])), torch.cat((batch.masks[:half], moved)))


def _discriminate(networks: Networks, network: nn.Module, real: Shown, fake: Shown, wrong: Shown, step: Step) -> Losses:
    network.requires_grad_(True)
    _freeze_features(network)
    train = step.settings.train
    with step.autocast():
        real_logits, real_weights = _judge(networks, network, real, step)
        fake_logits, fake_weights = _judge(networks, network, fake, step)
    losses = {train.loss: discriminator_loss(real_logits, fake_logits, real_weights, fake_weights, kind=train.loss)}
    if train.mismatch > 0:
        with step.autocast():
            rejected = _judge(networks, network, wrong, step)
        losses["mismatch"] = train.mismatch * rejection_loss(*rejected, kind=train.loss)
    losses |= _penalties(networks, network, real, fake, step)
    scores = image_scores(real_logits, real_weights), image_scores(fake_logits, fake_weights)
    losses |= _lecam(networks.scores[int(network is networks.reference)], scores, train.lecam)
    if train.augment_target > 0 and network is networks.reference:
        called_real = scores[0].detach().sign().mean()
        move = train.batch / train.augment_images
        networks.strength.add_(move * (called_real - train.augment_target).sign()).clamp_(0, 1)
    return losses


def _lecam(past: Tensor, scores: tuple[Tensor, Tensor], weight: float) -> Losses:
    """Pull the scores [B] of real and fake images towards each other's past mean, and move that mean [2] a little."""
    losses = {"lecam": weight * lecam(*scores, real_mean=past[0], fake_mean=past[1])} if weight > 0 else {}
    past.lerp_(torch.stack([value.detach().mean() for value in scores]).to(past), 0.01)
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
        between = torch.rand(len(ends[0]), generator=step.rng).to(ends[0])[:, None, None, None]
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


def _judge(networks: Networks, network: nn.Module, shown: Shown, step: Step) -> tuple[Tensor, Tensor | None]:
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


def train_generator(networks: Networks, batch: Batch, fake: Tensor, redrawn: Tensor, step: Step) -> Losses:
    """Teach the generator to pass both discriminators, and to draw erased real defects again."""
    networks.defect.requires_grad_(False)
    networks.reference.requires_grad_(False)
    train = step.settings.train
    losses: Losses = {}
    with step.autocast():
        if train.adversarial > 0:
            drawn = Shown(defect_stack(fake, batch.masks), batch.masks)
            real = Shown(defect_stack(batch.objects, batch.masks), batch.masks)
            losses["adversarial"] = train.adversarial * _fool(networks, networks.defect, drawn, real, step)
        if train.reference_adversarial > 0:
            drawn, real = Shown(fake, batch.masks), Shown(batch.reference, batch.reference_masks)
            losses["reference_adversarial"] = train.reference_adversarial * _fool(
                networks, networks.reference, drawn, real, step
            )
        if train.mode_seeking > 0 and batch.latent.shape[1] > 0:
            other = networks.generator(batch.base, batch.condition, batch.pair_latent, batch.masks)
            inside = batch.masks.amax(dim=1, keepdim=True)
            ratio = mode_seeking(fake, other, (batch.latent, batch.pair_latent), inside)
            losses["mode_seeking"] = train.mode_seeking * ratio
    if train.paired > 0:
        region = mask_alpha(batch.pair_masks, grow=train.paired_grow, soften=0)
        losses["paired"] = train.paired * masked_l1(redrawn, batch.pair_target, region)
    if train.contrast > 0 and step.settings.model.contrast:
        told = batch.condition[:, batch.masks.shape[1]][:, None]
        losses["contrast"] = train.contrast * contrast_error(fake, batch.base, batch.masks, told)
    losses |= _thesis_losses(networks, batch, fake, step)
    _apply(losses, networks.generator_optimizer, networks.generator, "generator")
    return {f"generator_{name}": value.detach() for name, value in losses.items()}


def _fool(networks: Networks, network: nn.Module, drawn: Shown, real: Shown, step: Step) -> Tensor:
    """Return what the generator pays to one discriminator; the relativistic loss looks at real images, too."""
    kind = step.settings.train.loss
    logits, weights = _judge(networks, network, drawn, step)
    if kind != "relativistic":
        return generator_loss(logits, weights, kind=kind)
    with torch.no_grad():
        real_logits, real_weights = _judge(networks, network, real, step)
    return generator_loss(logits, weights, kind=kind, real_logits=real_logits, real_weights=real_weights)


def _thesis_losses(networks: Networks, batch: Batch, fake: Tensor, step: Step) -> Losses:
    """Smooth-masked L1 and perceptual loss against the base, and path length (thesis 4.4)."""
    train = step.settings.train
    inside, outside, kernel = train.object_weight, train.background_weight, train.smooth_kernel
    losses: Losses = {}
    if train.smooth_l1 > 0:
        losses["smooth_l1"] = train.smooth_l1 * smooth_masked_l1(
            fake, batch.base, batch.masks, kernel=kernel, object_weight=inside, background_weight=outside
        )
    if train.perceptual_weight > 0 and networks.features is not None:
        with step.autocast():
            value = smooth_masked_perceptual(
                networks.features, fake, batch.base, batch.masks, kernel=kernel, object_weight=inside,
                background_weight=outside,
            )  # fmt: skip
        losses["perceptual"] = train.perceptual_weight * value
    if train.path_length > 0 and step.due(train.path_length_every):
        losses["path_length"] = train.path_length * train.path_length_every * _path_length(networks, batch, step)
    return losses


def _path_length(networks: Networks, batch: Batch, step: Step) -> Tensor:
    inputs = torch.cat((batch.base, batch.condition), dim=1).detach().requires_grad_(True)
    images = networks.generator.generate(inputs[:, :3], inputs[:, 3:], batch.latent)
    noise = torch.randn(images.shape, generator=step.rng).to(images.device)
    penalty, networks.path_mean = path_length(images, inputs, noise=noise, running_mean=networks.path_mean)
    return penalty


def _apply(losses: Losses, optimizer: torch.optim.Optimizer, network: nn.Module, name: str) -> None:
    """Add up the losses, go back through them, average over the processes, and step."""
    total = torch.stack(list(losses.values())).sum()
    if not torch.isfinite(total):
        values = ", ".join(f"{key} {float(value.detach()):g}" for key, value in losses.items())
        raise CoiganError(
            f"The {name}'s loss is not finite ({values}); nothing was stepped.",
            remedy="Start a new run with half the --set train.learning_rate, or --set train.precision=float32.",
        )
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    average_gradients(network.parameters())
    optimizer.step()
