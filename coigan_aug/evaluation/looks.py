"""Where a segmenter looks: Grad-CAM on held-out real and on synthetic examples of each class, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from coigan_aug.evaluation.arms import Arm, Bench, kept_network
from coigan_aug.geometry import Box
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import Examples
from coigan_aug.segmenter.build import cam_layer
from coigan_aug.segmenter.gradcam import Examples as Shown
from coigan_aug.segmenter.gradcam import cam_sheet
from coigan_aug.segmenter.windows import Pool

PICTURE = "where-it-looks.png"
EACH = 4


def where_it_looks(
    bench: Bench, arms: Sequence[Arm], seed: int, *, about: str, folder: Path, device: torch.device
) -> tuple[tuple[str, str], ...]:
    """Draw the picture into a folder and return its title and file name; nothing where no pool of drawn images was added.

    The segmenter is that of the arm `about`; its real examples are held-out ones.
    """
    arm = next((arm for arm in arms if about in arm.sources), None)
    pool = bench.added.get(about)
    if arm is None or not isinstance(pool, Pool) or bench.settings.evaluate.binary:
        return ()
    network = kept_network(bench, arm, seed, device=device)
    if network is None:
        return ()
    classes, labels = bench.real.dataset.classes, range(bench.real.classes)
    real = [_examples(bench.held.test, label, device) for label in labels]
    synthetic = [_examples(pool.examples, label, device) for label in labels]
    sheet = cam_sheet(_Classes(network), f"network.{cam_layer(network)}", real, synthetic, classes=classes)
    write_image(folder / PICTURE, sheet)
    title = f"Where the segmenter trained on {arm.name} looks: {EACH} held-out real and {EACH} synthetic examples of each class"
    return ((title, PICTURE),)


class _Classes(nn.Module):
    """A segmenter's logits without those of the background."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.network(x)[:, 1:])


def _examples(examples: Examples, label: int, device: torch.device) -> Shown:
    """Cut a window round the first object of a class on each of the first images that have one; empty cells fill up."""
    firsts: dict[int, Box] = {}
    for k in examples.by_class[label]:
        firsts.setdefault(examples.objects[k].position, examples.objects[k].box)
    side, places = examples.window, list(firsts.items())
    chosen = [places[k * len(places) // EACH] for k in range(EACH)] if places else []
    regions = [(position, _round(examples, position, item)) for position, item in chosen]
    images = [examples.pixels(position, region).transpose(2, 0, 1) for position, region in regions]
    masks = [examples.masks(position, region) for position, region in regions]
    images += [np.zeros((3, side, side), np.uint8)] * (EACH - len(images))
    masks += [np.zeros((examples.classes, side, side), np.uint8)] * (EACH - len(masks))
    return Shown(
        torch.from_numpy(np.stack(images)).to(device).float() / 255,
        torch.from_numpy(np.stack(masks)).to(device).float(),
    )


def _round(examples: Examples, position: int, item: Box) -> Box:
    """Return the window round the middle of a box, inside the image where that is large enough."""
    side = examples.window
    shape = [
        max(length, side) for length in examples.cache[position].shape[:2]
    ]  # a smaller image is at the left and top
    return item.around(side, side).shifted_into(shape)
