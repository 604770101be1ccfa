"""Training an eraser: clean training windows with holes that grow along it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.rle import Mask, decode_box
from coigan_aug.compose.placement import fit
from coigan_aug.errors import CoiganError
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.losses.reconstruction import masked_l1
from coigan_aug.models.eraser import Eraser
from coigan_aug.partway import Partway
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent

SMALLEST, LARGEST = 0.15, 0.8  # sides of the largest hole at the beginning and at the end, in windows
MOST = 0.4  # of a window may be holes; the first may be larger
CONTINUE = "Continue with the same command. --set data.erase=telea does without this training."
GROWN = (1, 3)  # px that a real object's mask is grown by, least and most

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class EraserSettings:
    """An eraser and its training."""

    seed: int = 7
    """of the first weights and of the examples"""
    width: int = 24
    """channels of the first stage"""
    depth: int = 3
    """downsamplings"""
    batch: int = 12
    """examples in a step"""
    images: int = 12_000
    """length of the training, examples seen"""
    learning_rate: float = 1e-3
    """AdamW's step at the beginning"""
    gradients: float = 0.5
    """weight of the differences between neighbours, against blur"""


def fit_eraser(
    prepared: Prepared, settings: EraserSettings, *, device: torch.device, bfloat16: bool, report: Report = silent,
    kept: Path | None = None,
) -> Eraser:  # fmt: skip
    """Train an eraser on the clean windows of the training images; it comes back in eval mode, on the CPU.

    AdamW with a learning rate that falls to nothing by a cosine.

    Args:
        kept: the file from which a training that was stopped goes on; None can't be stopped so.

    Raises:
        CoiganError: the loss is not finite. Stopped: Ctrl-C or SIGTERM; what there is lies in `kept`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(streams.torch_seed(settings.seed, "eraser weights"))
        eraser = Eraser(width=settings.width, depth=settings.depth, grey=prepared.grey)
    eraser.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(eraser.parameters(), lr=settings.learning_rate, betas=(0.5, 0.99), weight_decay=1e-2)
    holes = Holes(prepared, settings.seed, settings.images)
    steps = max(settings.images // settings.batch, 1)
    with Partway(kept, {"network": eraser}, optimizer, remedy=CONTINUE).watched() as partway:
        for step in range(partway.begun, steps):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            image, hole = _batch(holes, step * settings.batch, settings.batch, device)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16):
                filled = eraser(image, hole)
            loss = filling_loss(filled, image, hole, gradients=settings.gradients)
            if step % 20 == 0:
                if not math.isfinite(loss.item()):
                    raise CoiganError(
                        f"The eraser's loss is not finite at step {step}.", remedy="--set data.erase=telea"
                    )
                report((step + 1) * settings.batch, settings.images, f"loss {loss.item():.4f}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            partway.after(step + 1, steps)
    report(settings.images, settings.images)
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
        steep = [after - before for after, before in (_neighbours(x, axis) for x in (filled, image))]
        loss = loss + 0.5 * gradients * masked_l1(steep[0], steep[1], near)
    return loss


def _neighbours(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    length = x.shape[axis] - 1
    return x.narrow(axis, 1, length), x.narrow(axis, 0, length)


@dataclass(frozen=True)
class Holes:
    """The stream of `count` examples that `seed` names: sample n is the same in any order."""

    prepared: Prepared
    seed: int
    count: int

    def __getitem__(self, index: int) -> tuple[Pixels, Mask]:
        """Return a clean window, uint8 [S, S, 3], and the holes to fill in it, uint8 [S, S] of 0 and 1."""
        rng = streams.generator(self.seed, "eraser", index)
        pixels = _clean(self.prepared, rng)
        limit = SMALLEST + (LARGEST - SMALLEST) * index / self.count
        return pixels, _holes(self.prepared, rng, side=max(round(limit * self.prepared.window), 2))


def _clean(prepared: Prepared, rng: Rng) -> Pixels:
    """Cut a clean window: shifted by up to a quarter in an image without defects and void, else as the windows were cut.

    It is never mirrored, so that light from one side stays there.
    """
    side = prepared.window
    window = prepared.clean[int(rng.integers(len(prepared.clean)))]
    left, top = window.left, window.top
    if prepared.is_clean(window.position):
        height, width = prepared.cache[window.position].shape[:2]
        reach = side // 4
        left = int(np.clip(left + rng.integers(-reach, reach + 1), 0, max(width - side, 0)))
        top = int(np.clip(top + rng.integers(-reach, reach + 1), 0, max(height - side, 0)))
    return prepared.pixels(window.position, Box(left, top, side, side))


def _holes(prepared: Prepared, rng: Rng, *, side: int) -> Mask:
    """Draw up to four holes of at most `side` px each, as long as they cover no more than MOST of a window together."""
    window = prepared.window
    out = np.zeros((window, window), np.uint8)
    for _ in range(4):
        rectangle = rng.random() < 0.5
        shape = np.ones(rng.integers(1, side + 1, 2).tolist(), np.uint8) if rectangle else _shape(prepared, rng, side)
        left, top = (int(rng.integers(window - length + 1)) for length in shape.shape[::-1])
        more = out.copy()
        more[top : top + shape.shape[0], left : left + shape.shape[1]] |= shape
        out = more if not out.any() or more.mean() <= MOST else out
    return out


def _shape(prepared: Prepared, rng: Rng, side: int) -> Mask:
    labels = [k for k, members in enumerate(prepared.by_class) if members]
    members = prepared.by_class[labels[int(rng.integers(len(labels)))]]
    item = prepared.objects[members[int(rng.integers(len(members)))]]
    mask = np.rot90(decode_box(item.scaled, item.box), int(rng.integers(4)))
    more = int(rng.integers(GROWN[0], GROWN[1] + 1))
    rows, columns = fit(rng, mask, height=max(side - 2 * more, 1), width=max(side - 2 * more, 1))
    return grow(np.pad(mask[rows, columns], more), more)[:side, :side]
