"""Finding directions: latents drawn on fixed masks, traits measured inside, regressed on the styles, tried on other masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations.rle import Rle
from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.compose.noise import draw_latent
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.models.style_unet import StyleUNetGenerator
from coigan_aug.progress import Report, silent
from coigan_aug.synthesis.gan import Patch, blend, cut_patches, draw_patches
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.style import Direction, packed
from coigan_aug.synthesis.traits import TRAITS, measure_traits, spearman

AMOUNTS = (-1.5, -0.75, 0.75, 1.5)  # tried, in standard deviations of the trait
LEAST_SPEARMAN, MOST_DRAG = 0.7, 0.3
LEAST_TOLD = 0.1  # R squared: the styles tell nothing of a trait below, which is left out
STYLES = 1000  # whose covariance is taken
APART = (0.0, 0.3, 1.0, 3.0)  # how little the other traits are kept from changing: each is tried
RIDGE = 0.01  # of the styles' mean variance
FLAT = 1e-9  # a trait whose variance is no larger does not vary
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A mask to draw in, on its base: uint8 [H, W(, 3)]; `name` says which object it is of."""

    name: str
    base: Pixels
    defect: PlannedDefect
    patch: Patch

    @property
    def mask(self) -> Rle:
        """The mask, in the image."""
        return self.defect.rle


@dataclass(frozen=True)
class Steering:
    """A generator with a latent, to be drawn with by style; `seed` is of the latents that are drawn."""

    generator: GeneratorFile
    device: torch.device
    seed: int = 0

    @property
    def network(self) -> StyleUNetGenerator:
        """The network that takes styles."""
        network = self.generator.generator.network
        assert isinstance(network, StyleUNetGenerator)
        return network

    def scene(self, name: str, base: Pixels, defect: PlannedDefect) -> Scene:
        """Make a mask ready to draw in; the noise is always the same there."""
        job = Job(1, 0, Box.of(base.shape), (defect,), seed=self.seed)
        (patch,) = cut_patches(base, job, self.generator)
        return Scene(name, base, defect, patch)

    def latent(self, stream: str, number: int) -> torch.Tensor:
        """Draw a latent [L, Z], its rows alike."""
        rng = streams.generator(self.seed, stream, number)
        return torch.from_numpy(draw_latent(rng, self.generator.settings.model, mixing=0.0))

    @torch.no_grad()
    def style(self, latent: torch.Tensor) -> Array:
        """Return the style that a latent of equal rows gives every level: [Z]."""
        return np.asarray(self.network.styles(latent[None].to(self.device))[0, 0].cpu().numpy(), np.float64)

    def draw(self, scene: Scene, latent: torch.Tensor, shift: Array | None = None) -> Pixels:
        """Draw a scene with a latent, its styles shifted."""
        added = None if shift is None else torch.from_numpy(shift.astype(np.float32))
        patch = replace(scene.patch, latent=latent, shift=added)
        (delta,) = draw_patches([patch], self.generator, self.device)
        return blend(scene.base, patch, delta, self.generator)

    def traits(self, scene: Scene, latent: torch.Tensor, shift: Array | None = None) -> Array:
        """Draw and measure: float64 [4], as `TRAITS` names them."""
        made = self.draw(scene, latent, shift)
        return measure_traits(scene.base, made, scene.mask, margin=margin_of(self.generator.settings))


@dataclass(frozen=True)
class Found:
    """Directions [T, Z] before they are tried, R squared of each trait, and the standard deviation of each trait, [T]."""

    vectors: Array
    explained: Array
    spread: Array


def find_directions(
    steering: Steering, scenes: Sequence[Scene], *, latents: int, report: Report = silent
) -> list[Found]:
    """Draw latents on the scenes in turn, measure the traits, and regress them on the styles; a try for each of `APART`.

    Each latent is drawn twice, its style shifted at random one way and the other, as far as styles differ: what both have in
    common, the latent and the scene, falls out, and what is left is what a step changes.
    """
    usual = np.stack([steering.style(steering.latent("styles", k)) for k in range(STYLES)])
    covariance = np.cov(usual.T)
    spread = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance)))
    shifts, values, which = [], [], []
    for k in range(latents):
        latent, place = steering.latent("directions", k), k % len(scenes)
        shift = spread @ streams.generator(steering.seed, "shifts", k).standard_normal(len(spread))
        values.append([steering.traits(scenes[place], latent, sign * shift) for sign in (1, -1)])
        shifts.append(shift)
        which.append(place)
        report(k + 1, latents)
    return regress(np.stack(shifts), np.array(values), np.array(which), covariance)


def regress(shifts: Array, values: Array, which: NDArray[np.intp], covariance: Array) -> list[Found]:
    """Find for each trait the direction among styles that changes it by one standard deviation, and the others little.

    Traits are standardised scene by scene and their differences regressed on the shifts by least squares with a slight ridge,
    B [Z, T]. A step S B a, S being the styles' covariance, is the most usual one of those that change the traits alike. With
    M = B' S B, a = (M + softness * diag M)^-1 e_k, brought to change trait k by 1: softness 0 changes no other trait as the
    regression has it, a large one is the way that changes trait k most. Traits of which the shifts tell under 0.1 (R squared)
    get no direction, and are let change.

    Args:
        shifts: of the styles, [n, Z].
        values: traits with the shift and with its opposite, [n, 2, T].
        which: the scene of each, [n].
        covariance: of the styles, [Z, Z].

    Returns:
        One for each softness in `APART`.
    """
    scaled, spreads = np.zeros_like(values[:, 0]), []
    for place in np.unique(which):
        own = values[which == place]
        spread = own.std(axis=(0, 1))
        spreads.append(spread)
        scaled[which == place] = np.where(spread > FLAT, (own[:, 0] - own[:, 1]) / 2 / np.maximum(spread, FLAT), 0)
    ridge = RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    slopes = np.linalg.solve(shifts.T @ shifts / len(shifts) + ridge, shifts.T @ scaled / len(shifts))  # [Z, T]
    total = (scaled**2).sum(axis=0)
    explained = np.where(total > FLAT, 1 - ((scaled - shifts @ slopes) ** 2).sum(axis=0) / np.maximum(total, FLAT), 0)
    told, found = explained >= LEAST_TOLD, []
    for softness in APART:
        vectors = np.zeros((values.shape[2], shifts.shape[1]))
        if told.any():
            own = slopes[:, told]
            inner = own.T @ covariance @ own
            steps = covariance @ own @ np.linalg.inv(inner + softness * np.diag(np.diag(inner)))
            vectors[told] = (steps / (own * steps).sum(axis=0)).T
        found.append(Found(vectors, explained, np.mean(spreads, axis=0)))
    return found


def choose(
    steering: Steering, scenes: Sequence[Scene], tries: Sequence[Found], *, series: int, report: Report
) -> Found:
    """Choose for each trait the try that changes it most surely and drags least, on the scenes that it was found on."""
    tried = []
    for place, found in enumerate(tries):

        def reached(done: int, total: int, note: str = "", place: int = place) -> None:
            report(place * total + done, len(tries) * total)

        tried.append(try_directions(steering, scenes, found, series=series, report=reached, stream="choose"))
    vectors = np.zeros_like(tries[0].vectors)
    for k in range(len(vectors)):
        best = max(range(len(tries)), key=lambda place: _worth(tried[place][k]))
        vectors[k] = tries[best].vectors[k]
    return replace(tries[0], vectors=vectors)


def _worth(direction: Direction) -> tuple[bool, float]:
    """Rank tries: kept ones first, then by agreement less half of what they drag."""
    return direction.kept, direction.spearman - max(abs(value) for value in direction.drags.values()) / 2


def try_directions(
    steering: Steering, scenes: Sequence[Scene], found: Found, *, series: int, report: Report = silent,
    stream: str = "try directions",
) -> list[Direction]:  # fmt: skip
    """Try directions on other scenes and latents, and keep or drop them.

    Each series is a scene and a latent, drawn plain and at `AMOUNTS` along each direction. Changes count in the standard
    deviations of `found`.
    """
    changes = np.zeros((len(TRAITS), series, len(AMOUNTS), len(TRAITS)))
    total = series * (1 + len(TRAITS) * len(AMOUNTS))
    done = 0
    for k in range(series):
        scene, latent = scenes[k % len(scenes)], steering.latent(stream, k)
        plain = steering.traits(scene, latent)
        done += 1
        for direction, vector in enumerate(found.vectors):
            for place, amount in enumerate(AMOUNTS):
                moved = steering.traits(scene, latent, amount * vector) if vector.any() else plain
                changes[direction, k, place] = (moved - plain) / np.maximum(found.spread, FLAT)
                done += 1
                report(done, total)
    return [
        judged(name, found.vectors[k], float(found.explained[k]), changes[k], own=k) for k, name in enumerate(TRAITS)
    ]


def judged(name: str, vector: Array, explained: float, changes: Array, *, own: int) -> Direction:
    """Keep or drop a direction by what it changed.

    Args:
        changes: of the traits in standard deviations, [series, amounts, T].
        own: which trait it is for.
    """
    amounts = np.broadcast_to(np.array(AMOUNTS), changes.shape[:2])
    agreement = spearman(amounts.ravel(), changes[..., own].ravel())
    slopes = (changes * amounts[..., None]).sum(axis=(0, 1)) / (amounts**2).sum()  # through 0, [T]
    steep = float(slopes[own])
    drags = {
        other: round(float(slopes[k]) / steep, 3) if abs(steep) > FLAT else 0.0
        for k, other in enumerate(TRAITS)
        if k != own
    }
    worst = max(drags, key=lambda other: abs(drags[other]))
    if not vector.any():
        why = f"the styles tell too little of it (R squared {explained:.2f})"
    elif agreement < LEAST_SPEARMAN:
        why = f"on other masks its Spearman correlation is {agreement:.2f}, under {LEAST_SPEARMAN}"
    elif abs(drags[worst]) > MOST_DRAG:
        why = f"it drags {worst} along, by {drags[worst]:+.2f} of a standard deviation for each of its own"
    else:
        why = ""
    return Direction(
        name=name, vector=packed(vector.astype(np.float32)), explained=round(explained, 3),
        spearman=round(agreement, 3), drags=drags, why=why,
    )  # fmt: skip
