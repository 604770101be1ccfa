"""One step: every loss, backward, all-reduce and optimizer step of the training, in plain sight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from coigan_aug.losses.adversarial import generator_loss
from coigan_aug.losses.patches import patch_distance, random_kernels
from coigan_aug.losses.perceptual import smooth_masked_perceptual
from coigan_aug.losses.reconstruction import contrast_error, masked_l1, smooth_masked_l1
from coigan_aug.losses.regularizers import path_length
from coigan_aug.models.build import defect_stack
from coigan_aug.models.composite import mask_alpha
from coigan_aug.models.patch_discriminator import PatchDiscriminator
from coigan_aug.models.projected_discriminator import ProjectedDiscriminator
from coigan_aug.models.wavelet_discriminator import WaveletDiscriminator
from coigan_aug.training.batches import Batch
from coigan_aug.training.distributed import across, own_rows, rank, world
from coigan_aug.training.judging import Losses, Shown, Trial, discriminate, judge, penalties, told_rightly
from coigan_aug.training.learning import learn
from coigan_aug.training.networks import Networks, Step

PAIRED_GROW = 2
"""The paired losses look this far round the mask, px: erasing took the defect's soft edge with it."""
PATCH_SIDE, PATCH_KERNELS = 5, 32
"""The side of the patches that are compared, px, and the directions in which, other ones in each step."""


def training_step(networks: Networks, batch: Batch, step: Step) -> Losses:
    """Train the defect discriminator, the reference discriminator and the generator once; return every loss.

    One pass of the generator serves all three: its output is detached for the discriminators.

    Raises:
        CoiganError: a loss is not finite; nothing of that network was stepped.
    """
    networks.generator.train()
    parts = [batch] if step.parts == 1 else batch.split(step.parts)
    drawn = [_draw(networks, part, step) for part in parts]
    seen = [(part, fake.detach()) for part, (fake, _) in zip(parts, drawn, strict=True)]
    trials = (defect_trial(part, fake, step) for part, fake in seen)
    losses = _teach(networks.defect, networks.defect_optimizer, "defect", trials, step)
    trials = (reference_trial(part, fake, step) for part, fake in seen)
    losses |= _teach(networks.reference, networks.reference_optimizer, "reference", trials, step)
    again = (_draw(networks, part, step, learning=True) for part in parts)  # where they were drawn without gradients
    made = (
        generator_losses(networks, part, *images, step)
        for part, images in zip(parts, drawn if step.parts == 1 else again, strict=True)
    )
    losses |= learn(made, networks.generator_optimizer, networks.generator, "generator", step)
    if not step.settings.train.share_step:
        lengths = (path_losses(networks, part, step) for part in parts)
        losses |= learn(lengths, networks.generator_optimizer, networks.generator, "generator", step)
    return losses


def _draw(networks: Networks, batch: Batch, step: Step, *, learning: bool = False) -> tuple[Tensor, Tensor]:
    """Draw the planned defects and the erased ones in one pass; without gradients where they will be drawn again."""
    with step.autocast(), torch.set_grad_enabled(learning or step.parts == 1):
        count = batch.base.shape[0]
        drawn = networks.generator(
            torch.cat((batch.base, batch.pair_base)),
            torch.cat((batch.condition, batch.pair_condition)),
            torch.cat((batch.latent, batch.pair_latent)),
            torch.cat((batch.masks, batch.pair_masks)),
        )
    return drawn[:count], drawn[count:]


def defect_trial(batch: Batch, fake: Tensor, step: Step) -> Trial:
    """Show real objects and drawn ones, of the same shapes in the same places unless `data.shapes` is different."""
    wrong = _mistaken(batch, step) if step.settings.train.mismatch > 0 else None
    return Trial(_real_defects(batch), Shown(defect_stack(fake, batch.masks), batch.masks), wrong)


def _real_defects(batch: Batch) -> Shown:
    return Shown(defect_stack(batch.objects, batch.object_masks), batch.object_masks)


def reference_trial(batch: Batch, fake: Tensor, step: Step) -> Trial:
    """Show real windows and drawn ones."""
    wrong = _mismatched(batch, step) if step.settings.train.mismatch > 0 else None
    return Trial(_real_window(batch, step), _drawn_window(batch, fake, step), wrong)


def _real_window(batch: Batch, step: Step) -> Shown:
    return Shown(batch.reference, batch.reference_masks, everywhere=_whole(step))


def _drawn_window(batch: Batch, fake: Tensor, step: Step) -> Shown:
    return Shown(fake, batch.masks, everywhere=_whole(step))


def _whole(step: Step) -> bool:
    """Tell whether windows are judged as a whole: of any tile, most have no mask that patches could be weighed by."""
    return step.settings.data.reference == "tiles"


def _teach(
    network: nn.Module, optimizer: torch.optim.Optimizer, who: str, trials: Iterable[Trial], step: Step
) -> Losses:
    """Train a discriminator on the trials of all parts of a batch; return its losses by name.

    The penalties on its gradients share the step of its losses, or take one of their own after it. One that is too good
    (`train.discriminator_accuracy`) learns nothing: its accuracy is all there is then.
    """
    train, name = step.settings.train, f"{who} discriminator"
    told: Losses = {}
    if train.discriminator_accuracy < 1:
        trials = list(trials)
        share = across(torch.stack([told_rightly(network, trial, step) for trial in trials]).mean())
        told = {f"{who}_accuracy": share}
        if float(share) > train.discriminator_accuracy:  # the same in all processes
            return told
    if train.share_step:
        paid = (discriminate(network, trial, step) | penalties(network, trial, step) for trial in trials)
        losses = learn(paid, optimizer, network, name, step)
    else:
        shown = list(trials)
        losses = learn((discriminate(network, trial, step) for trial in shown), optimizer, network, name, step)
        losses |= learn((penalties(network, trial, step) for trial in shown), optimizer, network, name, step)
    return told | {f"{who}_{key}": value for key, value in losses.items()}


def _mistaken(batch: Batch, step: Step) -> Shown:
    """Return what is no defect of its class: clean surface in the masks for half of the batch, then other classes' objects."""
    swapped = _swapped(batch.object_masks, step)
    if swapped is None:
        return Shown(defect_stack(batch.base, batch.masks), batch.masks)
    clean = _part_of(batch, 2) == 0
    masks = torch.where(clean, batch.masks, swapped)
    return Shown(defect_stack(torch.where(clean, batch.base, batch.objects), masks), masks)


def _mismatched(batch: Batch, step: Step) -> Shown:
    """Return real windows with wrong masks, a third of the batch each: clean windows, masks moved, masks of other classes."""
    _, _, height, width = batch.base.shape
    part = _part_of(batch, 3)
    wrong = batch.reference_masks.roll((height // 2, width // 2), (-2, -1))
    swapped = _swapped(batch.reference_masks, step)
    wrong = wrong if swapped is None else torch.where(part == 2, swapped, wrong)
    clean = part == 0
    return Shown(torch.where(clean, batch.base, batch.reference), torch.where(clean, batch.masks, wrong))


def _swapped(masks: Tensor, step: Step) -> Tensor | None:
    """Give each class's mask to another class, the next or a further one as the steps go on; None where there is one class."""
    classes = masks.shape[1]
    return masks.roll(1 + step.number % (classes - 1), 1) if classes > 1 else None


def _part_of(batch: Batch, parts: int) -> Tensor:
    """Return which of so many equal parts of the batch of all processes each sample is in: [B, 1, 1, 1]."""
    count = batch.base.shape[0]
    position = torch.arange(rank() * count, (rank() + 1) * count, device=batch.base.device)
    return (position * parts // (count * world()))[:, None, None, None]


def generator_losses(networks: Networks, batch: Batch, fake: Tensor, redrawn: Tensor, step: Step) -> Losses:
    """Teach the generator to pass both discriminators, and to draw erased real defects again."""
    networks.defect.requires_grad_(False)
    networks.reference.requires_grad_(False)
    train = step.settings.train
    losses: Losses = {}
    with step.autocast():
        if train.adversarial > 0:
            drawn = Shown(defect_stack(fake, batch.masks), batch.masks)
            losses["adversarial"] = train.adversarial * _fool(networks.defect, drawn, _real_defects(batch), step)
        if train.reference_adversarial > 0:
            drawn, real = _drawn_window(batch, fake, step), _real_window(batch, step)
            losses["reference_adversarial"] = train.reference_adversarial * _fool(networks.reference, drawn, real, step)
    region = mask_alpha(batch.pair_masks, grow=PAIRED_GROW, soften=0)
    if train.paired > 0:
        losses["paired"] = train.paired * masked_l1(redrawn, batch.pair_target, region, across=across)
    if train.patches > 0:
        kernels = random_kernels(PATCH_KERNELS, channels=3, side=PATCH_SIDE, rng=step.rng)
        losses["patches"] = train.patches * patch_distance(redrawn, batch.pair_target, region, kernels, across=across)
    if train.contrast > 0 and step.settings.model.contrast:
        contrast = batch.condition[:, batch.masks.shape[1]][:, None]
        losses["contrast"] = train.contrast * contrast_error(fake, batch.base, batch.masks, contrast, across=across)
    losses |= _thesis_losses(networks, batch, fake, step)
    losses = {f"generator_{name}": value for name, value in losses.items()}
    return losses | (path_losses(networks, batch, step) if train.share_step else {})


def _fool(network: nn.Module, drawn: Shown, real: Shown, step: Step) -> Tensor:
    """Return what the generator pays to one discriminator; the relativistic loss looks at real images, too."""
    kind = step.settings.train.loss
    logits, weights = judge(network, drawn, step)
    if kind != "relativistic":
        return generator_loss(logits, weights, kind=kind, across=across)
    with torch.no_grad():
        real_logits, real_weights = judge(network, real, step)
    return generator_loss(logits, weights, kind=kind, real_logits=real_logits, real_weights=real_weights)


def _thesis_losses(networks: Networks, batch: Batch, fake: Tensor, step: Step) -> Losses:
    """Smooth-masked L1 and perceptual losses against the base (thesis 4.4 and equation 2.20)."""
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
                background_weight=outside, channels=train.perceptual_channels, across=across,
            )  # fmt: skip
        losses["perceptual"] = train.perceptual_weight * value
    if train.discriminator_perceptual > 0:
        with step.autocast():
            value = smooth_masked_perceptual(
                partial(_stages, networks.reference, batch, step), fake, batch.base, batch.masks, kernel=kernel,
                object_weight=inside, background_weight=outside, across=across,
            )  # fmt: skip
        losses["discriminator_perceptual"] = train.discriminator_perceptual * value
    return losses


def _stages(network: nn.Module, batch: Batch, step: Step, image: Tensor) -> Sequence[Tensor]:
    """Return a discriminator's features of whole images, with the batch's masks beside them where it sees masks."""
    assert isinstance(network, WaveletDiscriminator | PatchDiscriminator | ProjectedDiscriminator)
    return network.stages(torch.cat((image, batch.masks), dim=1) if step.settings.model.discriminator_masks else image)


def path_losses(networks: Networks, batch: Batch, step: Step) -> Losses:
    """Return the path length penalty where it falls due, weighted up by how seldom it does."""
    train = step.settings.train
    if train.path_length == 0 or not step.due(train.path_length_every):
        return {}
    weight = train.path_length * train.path_length_every
    return {"generator_path_length": weight * _path_length(networks, batch, step)}


def _path_length(networks: Networks, batch: Batch, step: Step) -> Tensor:
    base = networks.generator.seen(batch.base, batch.masks)
    inputs = torch.cat((base, batch.condition), dim=1).detach().requires_grad_(True)
    images = networks.generator.generate(inputs[:, :3], inputs[:, 3:], batch.latent)
    seeds = own_rows(len(images), lambda rows: torch.randint(2**62, (rows,), generator=step.rng)).tolist()
    noise = torch.stack([torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(s)) for s in seeds])
    penalty, networks.path_mean = path_length(
        images, inputs, noise=noise.to(images.device), running_mean=networks.path_mean,
        per=step.settings.train.path_length_per, across=across,
    )  # fmt: skip
    return penalty
