"""What is exported: `Inpainter.generate` for images of one size, any number at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from coigan_aug import rng as streams
from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.compose.noise import condition_channels, latent_shape
from coigan_aug.export.fourier import with_matrices
from coigan_aug.models.build import Inpainter

Inputs = tuple[Tensor, ...]  # image, condition, and the latent of a generator that has one
Size = tuple[int, int]  # height, width in px


class Drawing(nn.Module):
    """`Inpainter.generate` as a network of its own: image, condition and, where it has one, latent.

    Nothing in it is random: the noise that tells two defects apart is a part of condition and latent.

    Shape: [N, 3, H, W] in 0..1, [N, C, H, W], [N, L, Z] -> [N, 3, H, W]; of one `size`, another one is an error.
    """

    def __init__(self, generator: Inpainter, size: Size) -> None:
        super().__init__()
        self.generator = generator
        self.size = size

    def forward(self, image: Tensor, condition: Tensor, latent: Tensor | None = None) -> Tensor:
        # A recorded graph has the size's paddings in it; expanding refuses every other size in the recording, too.
        image, condition = image.expand(-1, -1, *self.size), condition.expand(-1, -1, *self.size)
        return self.generator.generate(image, condition, image if latent is None else latent)


def fixed_drawing(generator: GeneratorFile, size: Size) -> Drawing:
    """Return what draws as the generator does at one size, made of plain operations only."""
    inputs = random_inputs(generator, size, count=1, index=0)
    fixed = with_matrices(Drawing(generator.generator, size).eval(), *inputs)
    assert isinstance(fixed, Drawing)
    return fixed.requires_grad_(False)


@torch.no_grad()
def draw(generator: GeneratorFile, inputs: Inputs) -> Tensor:
    """Draw with the generator itself: [N, 3, H, W]."""
    image, condition = inputs[:2]
    return generator.generator.generate(image, condition, inputs[2] if len(inputs) > 2 else image)


def random_inputs(generator: GeneratorFile, size: Size, *, count: int, index: int) -> Inputs:
    """Draw inputs: `count` images and conditions uniform in 0..1, latents standard normal; always the same for an index."""
    rng = streams.generator(0, "export", index)
    channels = condition_channels(generator.settings.model, len(generator.classes))
    arrays = [rng.random((count, kind, *size), np.float32) for kind in (3, channels)]
    levels, numbers = latent_shape(generator.settings.model)
    if levels:
        arrays.append(rng.standard_normal((count, levels, numbers), np.float32))
    return tuple(torch.from_numpy(array) for array in arrays)
