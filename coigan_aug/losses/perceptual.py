"""A perceptual loss on the features of a frozen classifier."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.errors import EnvironmentProblem
from coigan_aug.losses.reconstruction import Across, alone, weight_map, weighted_mean
from coigan_aug.precision import at_least_float32
from coigan_aug.pretrained import (
    LITE0_MEAN,
    LITE0_STD,
    FeatureStages,
    Wording,
    efficientnet_lite0,
    fill,
    read_weights,
)

FEATURES = ("resnet50", "efficientnet_lite0", "none")

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_WORDING = Wording(
    name="The perceptual weights",
    unreadable="Give another file with --perceptual-weights FILE, or --set train.perceptual=none.",
    unfit="Give a file that fits train.perceptual with --perceptual-weights FILE, or leave the option out.",
)


def load_features(name: str, *, weights: Path | None = None) -> nn.Module | None:
    """Load a frozen feature network by its name in `FEATURES`; None for "none".

    "resnet50" is torchvision's, dilated to strides 4, 8, 8, 8, and downloads its ImageNet weights (98 MB,
    checked by hash, cached) unless `weights` names the file. "efficientnet_lite0" comes with its package
    and needs no network. What is asked for again is not loaded again, unless the file has changed. Raises ValueError
    for an unknown name, EnvironmentProblem when the weights cannot be had or do not fit.
    """
    if name not in FEATURES:
        raise ValueError(f"perceptual network {name!r} is none of {', '.join(FEATURES)}")
    if name == "none":
        return None
    status = weights.stat() if weights is not None and weights.exists() else None
    return _loaded(name, weights, status and (status.st_size, status.st_mtime_ns))


@functools.lru_cache(maxsize=1)
def _loaded(name: str, weights: Path | None, stamp: tuple[int, int] | None) -> FeatureStages:
    """Load a network; `stamp` tells a file from what it was before. It is frozen, so who asks again may have the same."""
    return _resnet50(weights) if name == "resnet50" else _efficientnet_lite0(weights)


def smooth_masked_perceptual(
    features: Callable[[Tensor], Sequence[Tensor]],
    output: Tensor,
    target: Tensor,
    masks: Tensor,
    *,
    kernel: int = 31,
    object_weight: float,
    background_weight: float,
    channels: str = "mean",
    across: Across = alone,
) -> Tensor:
    """Return the squared difference of the features, weighted by `weight_map`, mean over the layers.

    "mean": each layer's squared error is averaged over its channels, and the map resized to the layer by antialiased
    bilinear interpolation, so that thin masks are never stepped over. "sum": as the thesis does, the squared error is
    summed over the channels, so that wide layers count more (256, 512, 1024 and 2048 times the mean for the layers of
    ResNet50), and the map resized by plain bilinear interpolation between corners. 0 where all weights are 0.

    The thesis' features are those of a ResNet50 that was trained to segment scenes (ADE20K, deep stem); those here were
    trained to classify (ImageNet). Their values are of another size, so its weight is of the same order here, not equal.

    Source: Suvorov et al. 2022, section 2.2.1 (high receptive field perceptual loss), and with a discriminator's own
    features section 2.2.3 (DiscPL); thesis 4.4.2 and equation 2.20.

    Shape: output and target [B, 3, H, W] in 0..1, masks [B, K, H, W] -> scalar, float32 at least.
    """
    weights = weight_map(masks, kernel=kernel, object_weight=object_weight, background_weight=background_weight)
    with torch.no_grad():
        expected = features(target)
    error = _summed_error if channels == "sum" else _mean_error
    layers = [error(got, want, weights, across) for got, want in zip(features(output), expected, strict=True)]
    return torch.stack(layers).mean()


def _mean_error(got: Tensor, want: Tensor, weights: Tensor, across: Across) -> Tensor:
    error = (at_least_float32(got) - at_least_float32(want)).square().mean(dim=1, keepdim=True)
    size = (error.shape[-2], error.shape[-1])
    return weighted_mean(error, F.interpolate(weights, size=size, mode="bilinear", antialias=True), across=across)


def _summed_error(got: Tensor, want: Tensor, weights: Tensor, across: Across) -> Tensor:
    error = (at_least_float32(got) - at_least_float32(want)).square().sum(dim=1, keepdim=True)
    size = (error.shape[-2], error.shape[-1])
    return weighted_mean(error, F.interpolate(weights, size=size, mode="bilinear", align_corners=True), across=across)


def _resnet50(weights: Path | None) -> FeatureStages:
    from torchvision.models import resnet50  # loading torchvision takes as long as loading torch

    state = read_weights(weights, wording=_WORDING) if weights else _download_resnet50()
    net = resnet50(replace_stride_with_dilation=[False, True, True])
    fill(net, state, source=weights, wording=_WORDING)
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    return FeatureStages((stem, net.layer2, net.layer3, net.layer4), mean=_IMAGENET[0], std=_IMAGENET[1])


def _download_resnet50() -> dict[str, Tensor]:
    from torchvision.models import ResNet50_Weights

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
    stages, _ = efficientnet_lite0(weights, wording=_WORDING)
    return FeatureStages(stages, mean=LITE0_MEAN, std=LITE0_STD)
