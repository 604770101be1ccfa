"""Projection: the latent with which a generator draws a real defect anew, as nearly as it can, on its own place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Rle
from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.compose.noise import draw_latent
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.losses.perceptual import load_features, smooth_masked_perceptual
from coigan_aug.losses.reconstruction import masked_l1
from coigan_aug.synthesis.gan import Patch, cut_patches
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.latents import Latent

TRIES, STEPS = 8, 40
RATE = 0.2  # of Adam's steps, for latents whose rows have a mean square of 1
FEATURES = 0.05  # weight of the feature distance beside the pixels' L1 in 0..1
Features = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True, slots=True)
class Projection:
    """The latent [L, Z] that redraws a defect best, and mean absolute differences to the real one inside its mask.

    In grey levels of 255, at the generator's working scale: of random latents in the mean (`random`), of the best of them
    (`best`), and of this latent (`projected`).
    """

    latent: Latent
    random: float
    best: float
    projected: float


def load_projecting() -> Features:
    """Load what `project` compares features with, once for many projections; it comes with its package."""
    features = load_features("efficientnet_lite0")
    assert features is not None
    return features.requires_grad_(False).eval()


def project(
    generator: GeneratorFile, base: Pixels, defect: PlannedDefect, image: Pixels, *, features: Features,
    steps: int = STEPS,
) -> Projection:  # fmt: skip
    """Find the latent, a row for each level, with which a generator redraws a defect on the base without it.

    Of eight random latents the nearest one is taken, then moved down the gradient of the differences inside the mask: of
    pixels, and of the features of a classifier. The nearest latent on the way is returned. The same arguments on the same
    machine give the same latent.

    Args:
        base: the image with the defect erased, uint8 [H, W(, 3)].
        defect: its class, its mask in the image, its contrast.
        image: the image with the defect, as large.

    Raises:
        ValueError: the generator has no latent (`engines.check_latent`), or base and image are not as large.
    """
    if base.shape[:2] != image.shape[:2]:
        raise ValueError(f"base is {base.shape[:2]}, image {image.shape[:2]}")
    job = Job(1, 0, Box.of(base.shape), (defect,))
    (patch,), (real,) = cut_patches(base, job, generator), cut_patches(image, job, generator)
    device = next(generator.generator.parameters()).device
    see = _Seen(generator, patch, real.base.to(device), features, device)
    rng = streams.generator(0, "project", 0)
    tries = [draw_latent(rng, generator.settings.model, mixing=0.0) for _ in range(TRIES)]
    if tries[0].size == 0:
        raise ValueError("the generator has no latent")
    with torch.no_grad():
        random = [float(see.pixels(see.draw(torch.from_numpy(z).to(device)))) for z in tries]
    nearest = int(np.argmin(random))
    best, latent = random[nearest], _on_sphere(torch.from_numpy(tries[nearest]).to(device))
    kept = latent.clone()
    latent.requires_grad_(True)
    optimizer = torch.optim.Adam([latent], lr=RATE, betas=(0.9, 0.99))
    for step in range(steps + 1):
        with torch.enable_grad():
            drawn = see.draw(latent)
            pixels = see.pixels(drawn)
            off = float(pixels.detach())
            if off < best:
                best, kept = off, latent.detach().clone()
            if step == steps:
                break
            (latent.grad,) = torch.autograd.grad(pixels + FEATURES * see.distance(drawn), latent)
        optimizer.step()
        with torch.no_grad():
            latent.copy_(_on_sphere(latent))
    found = kept.detach().cpu().numpy()
    return Projection(found, 255 * float(np.mean(random)), 255 * random[nearest], 255 * best)


@dataclass(frozen=True)
class _Seen:
    """A rectangle to redraw, and what it looks like in reality: [3, h, w] in 0..1."""

    generator: GeneratorFile
    patch: Patch
    real: Tensor
    features: Features
    device: torch.device

    @property
    def mask(self) -> Tensor:
        return self.patch.holes.amax(dim=0).to(self.device, torch.float32)[None, None]  # [1, 1, h, w]

    def draw(self, latent: Tensor) -> Tensor:
        """Draw with a latent [L, Z]: [1, 3, h, w] in 0..1, the base outside the mask."""
        base, holes = self.patch.base[None].to(self.device), self.patch.holes[None].to(self.device)
        network = self.generator.generator
        drawn = network.generate(network.seen(base, holes), self.patch.condition[None].to(self.device), latent[None])
        return drawn.clamp(0, 1) * self.mask + base * (1 - self.mask)

    def pixels(self, drawn: Tensor) -> Tensor:
        """Return the mean absolute difference inside the mask."""
        return masked_l1(drawn, self.real[None], self.mask)

    def distance(self, drawn: Tensor) -> Tensor:
        """Return the mean squared difference of the features inside the mask."""
        base = self.patch.base[None].to(self.device)
        real = self.real[None] * self.mask + base * (1 - self.mask)
        return smooth_masked_perceptual(
            self.features, drawn, real, self.mask, kernel=3, object_weight=1.0, background_weight=0.0
        )


def _on_sphere(latent: Tensor) -> Tensor:
    return latent.detach() * latent.detach().square().mean(dim=-1, keepdim=True).clamp_min(1e-12).rsqrt()


def defect_of(label: int, mask: Rle, contrast: float) -> PlannedDefect:
    """Return a real defect as one to draw anew: its class (by position), its mask in its image, its contrast."""
    return PlannedDefect(label, mask, None, (), contrast=contrast, shape="given")
