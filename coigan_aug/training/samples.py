"""Sample grids that a person can judge: fixed samples, drawn by the averaged generator, at most twice as large as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from coigan_aug.annotations.records import DefectClass
from coigan_aug.compose.composer import Stream
from coigan_aug.imaging import Pixels
from coigan_aug.models.build import Inpainter
from coigan_aug.pictures import cell_of, contact_sheet, mark
from coigan_aug.training.batches import stack

COLUMNS = ("base", "masks", "drawn", "real defects", "erased", "drawn again", "real")


@torch.no_grad()
def sample_grid(
    generator: Inpainter, stream: Stream, *, rows: int, classes: Sequence[DefectClass], device: torch.device
) -> Pixels:
    """Draw the first `rows` samples of a stream: uint8 [H, W, 3], one sample a row, with a heading and a class key."""
    batch = stack([stream[index] for index in range(rows)])
    generator.eval()
    drawn = _draw(generator, batch.base, batch.condition, batch.latent, batch.masks, device=device)
    again = _draw(generator, batch.pair_base, batch.pair_condition, batch.pair_latent, batch.pair_masks, device=device)
    lines = []
    for k in range(rows):
        base, real = _bytes(batch.base[k]), _bytes(batch.pair_target[k])
        marked = mark(base, batch.masks[k].numpy().astype(np.uint8), classes)
        shown = [base, marked, _bytes(drawn[k]), _bytes(batch.objects[k])]
        lines.append([*shown, _bytes(batch.pair_base[k]), _bytes(again[k]), real])
    return contact_sheet(lines, headings=COLUMNS, classes=classes, cell=cell_of(batch.base.shape[-1]))


def _draw(generator: Inpainter, *seen: Tensor, device: torch.device) -> Tensor:
    out: Tensor = generator(*(value.to(device) for value in seen))
    return out.cpu()


def _bytes(image: Tensor) -> Pixels:
    """Turn float [3, H, W] in 0..1 into uint8 [H, W, 3]."""
    return (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
