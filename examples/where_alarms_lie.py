"""Where are the pixels that segmenters of the benefit test call a defect and that are none: at borders, elsewhere, where?

    python examples/where_alarms_lie.py coigan/folds/2 --config examples/benefit/ball-screw.yaml \
        --segmenters coigan/folds/2/results/trainings/KEY/fold-1/segmenters --only real-0 --out stains.jpg

At the thresholds that find 50, 60 and 70 % of the defects' pixels it prints how many other pixels are above: by their distance
to the nearest defect of the image, and on images that have none. The picture shows the images with most of them far from any.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from coigan_aug.config import load_settings
from coigan_aug.evaluation.arms import METADATA, evaluated_at
from coigan_aug.evaluation.tally import BINS, known_pixels, look, truth_of
from coigan_aug.imaging import Pixels, to_rgb, write_image
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.weights import read_weights

RECALLS = (0.5, 0.6, 0.7)
NEAR, FAR = 10, 40
SHOWN = 6
WIDTH = 500
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Pixel:
    """Counts by score: of defects, and of others near a defect, farther, far from it, and on images without one: [5, BINS]."""

    counts: Counts

    def threshold(self, recall: float) -> int:
        """Return the highest bin from which on so large a share of the defects' pixels lies."""
        found = np.cumsum(self.counts[0, ::-1]) / max(self.counts[0].sum(), 1)
        return BINS - 1 - int(np.searchsorted(found, recall))


def main() -> None:
    """Read the command line, look, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--segmenters", type=Path, required=True)
    parser.add_argument("--only", action="append", help="a segmenter by the name of its file; default: all")
    parser.add_argument("--out", type=Path, help="where the picture goes")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    settings, dataset = load_settings(file=asked.config), Dataset(asked.workspace / "dataset")
    seen = evaluated_at(settings.data, settings.evaluate)
    test = load_examples(dataset, dataset.indices("test"), seen, cache_root=asked.workspace / "cache")
    files = sorted(asked.segmenters.glob("*.safetensors"))
    networks = {
        file.stem: read(file, settings, test.classes) for file in files if file.stem in (asked.only or [file.stem])
    }
    thresholds = {name: tell(name, count(network, test)) for name, network in networks.items()}
    if asked.out and networks:
        write_image(asked.out, draw(networks, thresholds, test))


def read(file: Path, settings: Settings, classes: int) -> nn.Module:
    """Read a segmenter that the benefit test kept."""
    network = build_segmenter(settings.evaluate, classes, seed=0)
    network.load_state_dict(read_weights(file, METADATA, bare=True, remedy=f"Delete {file}.")[1])
    return network.eval()


@torch.no_grad()
def count(network: nn.Module, test: Examples) -> Pixel:
    """Count all test pixels by what they are and by score."""
    counts = np.zeros((5, BINS), np.int64)
    for position in test.positions:
        known = known_pixels(test.dataset[position])
        scores = look(network, test, position, device=torch.device("cpu")).defect
        flat = kinds(test, position)[known].ravel() * BINS + scores[known].ravel()
        counts += np.bincount(flat, minlength=5 * BINS).reshape(5, BINS)
    return Pixel(counts)


def kinds(test: Examples, position: int) -> Counts:
    """Say of each pixel of an image which of the five kinds it is: [H, W]."""
    defect = truth_of(test, position, binary=True) > 0
    if not defect.any():
        return np.full(defect.shape, 4)
    distance = cv2.distanceTransform((~defect).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(defect, 0, 1 + np.digitize(distance, (NEAR, FAR)))


def tell(name: str, pixels: Pixel) -> int:
    """Print the counts above each threshold; return that of the middle one."""
    for recall in RECALLS:
        found, *others = pixels.counts[:, pixels.threshold(recall) :].sum(axis=1).tolist()
        share = found / max(found + sum(others), 1)
        print(f"{name}: recall {recall:.0%}, precision {share:.1%}; other px: {others[0]:,} within {NEAR} px of a defect,"
              f" {others[1]:,} within {FAR}, {others[2]:,} farther, {others[3]:,} on images without")  # fmt: skip
    return pixels.threshold(RECALLS[1])


@torch.no_grad()
def draw(networks: dict[str, nn.Module], thresholds: dict[str, int], test: Examples) -> Pixels:
    """Show the images with most pixels far from any defect that the last network calls one, with what each calls one."""
    defective = [position for position in test.positions if test.dataset[position].annotations]
    called = {position: [calls(network, test, position, thresholds[name]) for name, network in networks.items()]
              for position in defective}  # fmt: skip
    far = {position: int((masks[-1] & (kinds(test, position) == 3)).sum()) for position, masks in called.items()}
    worst = sorted(defective, key=lambda position: -far[position])[:SHOWN]
    return np.concatenate([row(test, position, called[position]) for position in worst])


def calls(network: nn.Module, test: Examples, position: int, threshold: int) -> NDArray[np.bool_]:
    """Return which pixels of an image a network calls a defect."""
    return look(network, test, position, device=torch.device("cpu")).defect >= threshold


def row(test: Examples, position: int, called: Sequence[NDArray[np.bool_]]) -> Pixels:
    """Show an image, then once for each network with what it calls a defect in yellow, defects outlined in red."""
    image, truth = to_rgb(test.dataset.stored(position)), truth_of(test, position, binary=True)
    outlines, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cells = [image]
    for mask in called:
        shown = image.copy()
        shown[mask] = (0.4 * shown[mask] + 0.6 * np.array([255, 230, 0])).astype(np.uint8)
        cells.append(cv2.drawContours(shown, outlines, -1, (255, 0, 0), 2))
    size = (WIDTH, round(WIDTH * image.shape[0] / image.shape[1]))
    return np.concatenate([np.asarray(cv2.resize(cell, size, interpolation=cv2.INTER_AREA)) for cell in cells], axis=1)


if __name__ == "__main__":
    main()
