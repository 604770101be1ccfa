"""New shapes from a shape generator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from coigan_aug.geometry import Box
from coigan_aug.models.shape_generator import ShapeGenerator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.shapes.forms import ClassForms, Edges, Traits, mask_of, measure
from coigan_aug.shapes.maps import Known, Map, from_map, upright
from coigan_aug.shapes.recombine import accepted, near_edges, touching
from coigan_aug.shapes.shape import Shape
from coigan_aug.shapes.warp import warp_tight
from coigan_aug.shapes.warped import Mirrors, draw_change, mirrored, mirrored_mask, near_of

TRIES = 8
FEWEST = 3  # objects of a class that there must be
CALM = 0.8  # share of the normal distribution's spread that latents have: what is rare in training is drawn badly
SPREAD = 0.1  # standard deviation of the logarithm of a side's length, about that of a training object

Rng = np.random.Generator


def learned(
    prepared: Prepared, forms: ClassForms, traits: Mapping[int, Traits], network: ShapeGenerator, rng: Rng, chosen: int,
    *, mirrors: Mirrors, min_area: int,
) -> Shape | None:  # fmt: skip
    """Draw a shape of a training object's class, of about its size, which touches the edges that it does; or None.

    The object (a position in `objects`, as in `traits`) gives its box, mirrored, each side longer or shorter by about a
    tenth, and the place. What is drawn is bent, turned and rescaled as `warped` does. Size and length lie in the class'
    ranges, give or take a tenth; it is in one piece, of at least `min_area` px.

    None: nothing of the kind came of a few tries.
    """
    for _ in range(TRIES):
        mirror = mirrors(rng, chosen)
        edges = mirrored(traits[chosen].edges, mirror)
        known = _known(prepared, rng, chosen, edges, mirrored_mask(mask_of(prepared.objects[chosen]), mirror))
        mask = from_map(draw_map(network, rng, known), known)
        if not touching(mask, edges):
            continue
        change, bend = draw_change(rng, mask, forms, edges=edges, mirror=np.eye(2))
        final = warp_tight(mask, change, bend, box=Box.of(mask.shape)).mask
        if final.sum() >= min_area and accepted(measure(final), forms):
            return Shape(final, "learned", chosen, near=near_edges(near_of(prepared, chosen, mirror), edges))
    return None


def _known(prepared: Prepared, rng: Rng, chosen: int, edges: Edges, mask: np.ndarray) -> Known:
    """Draw a box about that of an object's mask [h, w]; as long as it where it reaches from edge to edge."""
    height, width = upright(mask, measure(mask), edges).shape
    across, down = np.exp(rng.normal(0, SPREAD, 2)).tolist()
    across, down = 1.0 if edges.left and edges.right else across, 1.0 if edges.top and edges.bottom else down
    return Known(prepared.objects[chosen].label, edges, max(across * width, 1), max(down * height, 1))


@torch.no_grad()
def draw_map(network: ShapeGenerator, rng: Rng, known: Known) -> Map:
    """Draw a map [side, side] from a latent of the normal distribution."""
    latent = torch.from_numpy(rng.normal(0, CALM, (1, network.latent)).astype(np.float32))
    features = torch.from_numpy(known.features())[None]
    return np.asarray(network.decode(latent, torch.tensor([known.label]), features)[0, 0].numpy(), np.float32)
