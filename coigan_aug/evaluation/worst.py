"""The test images on which real images alone do worst, and what each arm makes of them: where to look for the reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from coigan_aug.annotations import rle
from coigan_aug.evaluation.arms import REAL, Arm, Bench, kept_network
from coigan_aug.evaluation.measures import average_precision
from coigan_aug.evaluation.tally import BINS, REACH, Looked, counted_by, known_pixels, look, piece_of, truth_of
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, to_rgb, write_image
from coigan_aug.pictures import contact_sheet, mark
from coigan_aug.segmenter.gradcam import heat_over

PICTURE = "ten-worst.png"
COUNT = 10
MOST_LOOKED_AT = 200
MOST_ARMS = 6
_AROUND = 1.5  # sides of the box round all defects, or a training window's


def ten_worst(
    bench: Bench, arms: Sequence[Arm], seed: int, *, folder: Path, device: torch.device
) -> tuple[tuple[str, str], ...]:
    """Draw the picture into a folder and return its title and file name; nothing where the segmenters are not kept.

    An image's score is its pixel AP of any defect; of each piece the worst image counts. At most 200 images are looked at,
    evenly spread, and six arms shown, real alone first.
    """
    networks = {arm.name: kept_network(bench, arm, seed, device=device) for arm in arms[:MOST_ARMS]}
    shown = {name: network for name, network in networks.items() if network is not None}
    if REAL not in shown:
        return ()
    scores = _scores(bench, shown[REAL], device)
    rows = [_row(bench, position, list(shown.values()), device) for position in _worst(bench, scores)]
    headings = ["the defects", *shown]
    write_image(folder / PICTURE, contact_sheet(rows, headings=headings, classes=bench.held.test.dataset.classes))
    title = f"The {len(rows)} test pieces on which real images alone do worst, and what each arm makes of them"
    return ((title, PICTURE),)


def _scores(bench: Bench, network: nn.Module, device: torch.device) -> dict[int, float]:
    """Return the pixel AP of any defect of some test images that have one, by their positions."""
    defective = bench.held.defective
    return {
        position: _score(bench, network, position, device)
        for position in defective[:: -(-len(defective) // MOST_LOOKED_AT)]
    }


@torch.no_grad()
def _score(bench: Bench, network: nn.Module, position: int, device: torch.device) -> float:
    test = bench.held.test
    known = known_pixels(test.dataset[position])
    truth = truth_of(test, position, binary=True)[known] > 0
    negative, positive = counted_by(truth, look(network, test, position, device=device).at(known).defect)
    return float(average_precision(positive[None], negative[None])[0])


def _worst(bench: Bench, scores: dict[int, float]) -> list[int]:
    """Return the worst image of each of the worst pieces, the worst first."""
    first: dict[str, int] = {}
    for position in sorted(scores, key=lambda position: (scores[position], position)):
        first.setdefault(piece_of(bench.held.test.dataset, position), position)
    return list(first.values())[:COUNT]


@torch.no_grad()
def _row(bench: Bench, position: int, networks: Sequence[nn.Module], device: torch.device) -> list[Pixels]:
    """Show an image's defects outlined, and how likely each network thinks a defect at each pixel."""
    test = bench.held.test
    dataset, image = test.dataset, to_rgb(test.dataset.stored(position))
    region = _around(bench, position)
    cut = image[region.slices]
    masks = dataset.masks(position, region)
    empty = np.zeros(cut.shape[:2], np.uint8)
    outlined = mark(cut, np.stack([masks.get(name, empty) for name in dataset.names]), dataset.classes)
    looks = (look(network, test, position, device=device) for network in networks)
    return [outlined, *(heat_over(cut, _likely(looked)[region.slices]) for looked in looks)]


def _likely(looked: Looked) -> np.ndarray:
    """Return how likely a defect is at each pixel, 0..1: float64 [H, W]."""
    odds = (looked.defect + 0.5) * (2 * REACH / BINS) - REACH
    return 1 / (1 + np.exp(-odds))


def _around(bench: Bench, position: int) -> Box:
    """Return a square round all defects of an image, clipped to it."""
    record = bench.held.test.dataset[position]
    hull = rle.box(rle.union([item.rle for item in record.annotations]))
    least = round(bench.settings.evaluate.window / bench.settings.evaluate.scale)
    side = max(round(_AROUND * hull.longer), least)
    return hull.around(side, side).shifted_into((record.height, record.width)).clip((record.height, record.width))
