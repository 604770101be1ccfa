"""Train a U-Net of segmentation-models-pytorch, with defects inserted on the fly, and say what held-out images gain by it.

    pip install "coigan-aug[smp]"
    coigan-aug import DATA --split 0.5
    python examples/train_with_insertion.py coigan --steps 1000

Trains the same network twice on windows of the training images, without insertion and with it, and prints the IoU of each
class on the held-out images. A training loop of your own takes a line more: `insert = DefectInserter("coigan")`, and
`image, mask = insert(image, mask)` wherever images are loaded. How far apart two trainings are by chance: run it with other
seeds; `coigan-aug evaluate benefit` does so, and gives intervals.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from coigan_aug.folders import Folders
from coigan_aug.insertion import DefectInserter
from coigan_aug.store import dataset as store

Pair = tuple[np.ndarray, np.ndarray]


class Images:
    """The annotated and clean images of a split: RGB uint8 [H, W, 3], and masks uint8 [H, W], k + 1 for class k."""

    def __init__(self, source: store.Dataset, split: str) -> None:
        self.source = source
        self.positions = [k for k in source.indices(split) if not source[k].unknown]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Pair:
        image, masks = self.source.image(self.positions[index]), self.source.masks(self.positions[index])
        labels = np.zeros(image.shape[:2], np.uint8)
        for name, mask in masks.items():
            labels[mask != 0] = self.source.names.index(name) + 1
        return image, labels


class Windows(Dataset):
    """Random windows of images, another one at each look, with defects inserted into every second one that is clean."""

    def __init__(self, images: Images, side: int, steps: int, insert: DefectInserter | None, seed: int) -> None:
        self.images, self.side, self.steps, self.insert, self.seed = images, side, steps, insert, seed

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, index))
        image, labels = self.images[int(rng.integers(len(self.images)))]
        if self.insert is not None:
            image, labels = self.insert(image, labels, index=index)
        inner = np.argwhere(labels) if rng.random() < 0.5 else np.empty((0, 2))  # half of the windows round a defect
        middle = inner[rng.integers(len(inner))] if len(inner) else rng.integers(0, image.shape[:2])
        low = [
            int(np.clip(at - self.side // 2, 0, max(size - self.side, 0)))
            for at, size in zip(middle, labels.shape, strict=True)
        ]
        window = tuple(slice(start, start + self.side) for start in low)
        short = [(0, self.side - size) for size in labels[window].shape]
        pixels = np.pad(image[window], [*short, (0, 0)], mode="symmetric")
        return as_input(pixels), torch.from_numpy(np.pad(labels[window], short, mode="symmetric").astype(np.int64))


def as_input(pixels: np.ndarray) -> Tensor:
    """Turn pixels [H, W, 3] into what the network takes: float32 [3, H, W] in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255


def trained(
    windows: Windows, classes: int, *, encoder: str, weights: str | None, batch: int, workers: int, device: str
) -> nn.Module:
    """Train a U-Net on windows; return it in eval mode."""
    torch.manual_seed(windows.seed)
    network = smp.Unet(encoder, encoder_weights=weights, in_channels=3, classes=1 + classes).to(device)
    dice, entropy = smp.losses.DiceLoss("multiclass", ignore_index=None), nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    loader = DataLoader(windows, batch_size=batch, num_workers=workers, drop_last=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=len(loader))
    for images, labels in loader:
        logits = network(images.to(device))
        loss = entropy(logits, labels.to(device)) + dice(logits, labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def iou(network: nn.Module, images: Images, classes: int, *, device: str) -> list[float]:
    """Return the IoU of each class, pooled over the pixels of all images; NaN where a class is in none."""
    both, either = np.zeros(classes), np.zeros(classes)
    for k in range(len(images)):
        pixels, labels = images[k]
        height, width = labels.shape
        padded = np.pad(pixels, [(0, -height % 32), (0, -width % 32), (0, 0)], mode="symmetric")
        called = network(as_input(padded)[None].to(device))[0].argmax(dim=0).cpu().numpy()[:height, :width]
        for label in range(classes):
            own, other = called == label + 1, labels == label + 1
            both[label] += (own & other).sum()
            either[label] += (own | other).sum()
    return [float(a / b) if b else float("nan") for a, b in zip(both, either, strict=True)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train without and with insertion and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--window", type=int, default=192)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--encoder-weights", default="imagenet", help="a download; none: from nothing")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    source = store.Dataset(Folders(given.workspace).dataset)
    train, test = Images(source, "train"), Images(source, "test")
    weights = None if given.encoder_weights == "none" else given.encoder_weights
    print("| | " + " | ".join(source.names) + " | mean |")
    print("|" + "---|" * (2 + len(source.names)))
    for name, insert in {
        "real": None,
        "real, defects inserted": DefectInserter(given.workspace, p=0.5, seed=given.seed),
    }.items():
        windows = Windows(train, given.window, given.steps * given.batch, insert, given.seed)
        network = trained(
            windows,
            len(source.names),
            encoder=given.encoder,
            weights=weights,
            batch=given.batch,
            workers=given.workers,
            device=given.device,
        )
        scores = iou(network, test, len(source.names), device=given.device)
        cells = " | ".join(f"{score:.1%}" for score in (*scores, float(np.nanmean(scores))))
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
