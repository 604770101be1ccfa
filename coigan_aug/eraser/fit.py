"""Training an eraser on clean windows; short enough to start again when it is killed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coigan_aug import rng
from coigan_aug.eraser.holes import Holes
from coigan_aug.errors import CoiganError
from coigan_aug.losses.adversarial import discriminator_loss, generator_loss
from coigan_aug.losses.reconstruction import masked_l1
from coigan_aug.models.eraser import Eraser
from coigan_aug.models.patch_discriminator import PatchDiscriminator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent


@dataclass(frozen=True, kw_only=True)
class EraserSettings:
    """An eraser and its training."""

    seed: int = 7
    width: int = 24
    depth: int = 3
    batch: int = 12
    images: int = 12_000
    learning_rate: float = 1e-3
    gradients: float = 0.5
    smooth: float = 0.0
    adversarial: float = 0.0


def fit_eraser(
    prepared: Prepared, settings: EraserSettings, *, device: torch.device, bfloat16: bool, report: Report = silent
) -> Eraser:
    """Train an eraser on the clean windows of the training images; it comes back in eval mode, on the CPU.

    L1 on the filled pixels and, against blur, on the differences between neighbours there and across the hole's edge.
    AdamW with a learning rate that falls to nothing by a cosine.

    Raises:
        CoiganError: the loss is not finite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.torch_seed(settings.seed, "eraser weights"))
        eraser = Eraser(width=settings.width, depth=settings.depth, grey=prepared.grey)
        judge = PatchDiscriminator(in_channels=4, width=32, layers=3)
    eraser.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    judge.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(eraser.parameters(), lr=settings.learning_rate, betas=(0.5, 0.99), weight_decay=1e-2)
    judge_optimizer = torch.optim.AdamW(judge.parameters(), lr=3e-4, betas=(0.0, 0.99))
    holes = Holes(prepared, settings.seed, settings.images)
    steps = max(settings.images // settings.batch, 1)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        image, hole = _batch(holes, step * settings.batch, settings.batch, device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
            filled = eraser(image, hole)
        loss = filling_loss(filled, image, hole, gradients=settings.gradients)
        if settings.smooth > 0:
            rough = (filled.float() - image).contiguous()
            for _ in range(2):
                rough = torch.nn.functional.avg_pool2d(rough, 5, stride=1, padding=2)
            loss = loss + settings.smooth * masked_l1(rough, torch.zeros_like(rough), hole)
        if settings.adversarial > 0:
            weights = torch.nn.functional.max_pool2d(hole, 8)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
                real, fake = judge(torch.cat((image, hole), 1)), judge(torch.cat((filled.detach(), hole), 1))
                judged = discriminator_loss(real, fake, weights, weights)
            judge_optimizer.zero_grad(set_to_none=True)
            judged.backward()
            judge_optimizer.step()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
                loss = loss + settings.adversarial * generator_loss(judge(torch.cat((filled, hole), 1)), weights)
        if step % 50 == 0 and not math.isfinite(loss.item()):
            raise CoiganError(f"The eraser's loss is not finite at step {step}.")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            report((step + 1) * settings.batch, settings.images, f"{loss.item():.4f}")
    return eraser.cpu().eval()


def _batch(holes: Holes, start: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    drawn = [holes[index] for index in range(start, start + count)]
    images = np.stack([pixels for pixels, _ in drawn]).transpose(0, 3, 1, 2)
    image = torch.from_numpy(np.ascontiguousarray(images)).to(device).float() / 255
    hole = torch.from_numpy(np.stack([hole for _, hole in drawn]))[:, None].to(device).float()
    return image.contiguous(memory_format=torch.channels_last), hole


def filling_loss(filled: Tensor, image: Tensor, hole: Tensor, *, gradients: float) -> Tensor:
    """Return L1 in the hole, plus `gradients` times L1 of the differences between neighbours of which one is in it.

    Shape: filled and image [B, 3, H, W], hole [B, 1, H, W] -> scalar.
    """
    loss = masked_l1(filled, image, hole)
    for axis in (2, 3):
        near = torch.maximum(*_neighbours(hole, axis))
        steep = [_difference(x, axis) for x in (filled, image)]
        loss = loss + 0.5 * gradients * masked_l1(steep[0], steep[1], near)
    return loss


def _neighbours(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    length = x.shape[axis] - 1
    return x.narrow(axis, 1, length), x.narrow(axis, 0, length)


def _difference(x: Tensor, axis: int) -> Tensor:
    after, before = _neighbours(x, axis)
    return after - before
