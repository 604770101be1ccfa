"""Segmenters by name: the package's own, torchvision's, and those of segmentation-models-pytorch where installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from coigan_aug.errors import ConfigError, EnvironmentProblem
from coigan_aug.models.layers import pad_to_multiple
from coigan_aug.precision import at_least_float32
from coigan_aug.segmenter.lite0_unet import Lite0UNet
from coigan_aug.segmenter.unet import SegmentationUNet
from coigan_aug.settings import EvaluateSettings

METADATA = "coigan-aug segmenter"

_TORCHVISION = {
    "lraspp": "lraspp_mobilenet_v3_large",
    "deeplabv3": "deeplabv3_mobilenet_v3_large",
    "fcn_resnet50": "fcn_resnet50",
}
_PRIOR = 3.0  # the first logit of background: defects are rare, and learning that first would cost hundreds of steps
_MULTIPLE = 32  # of the sides that segmentation-models-pytorch takes


def build_segmenter(settings: EvaluateSettings, classes: int, *, seed: int) -> nn.Module:
    """Build a segmenter; what of its weights is not pretrained is random, and `seed` decides it.

    Shape of what it maps: [B, 3, H, W] in 0..1 -> [B, 1 + classes, H, W] logits, background first.

    Raises:
        EnvironmentProblem: the package of an `smp:` model is not installed. ConfigError: it has no such model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _build(settings, classes)


def _build(settings: EvaluateSettings, classes: int) -> nn.Module:
    if settings.segmenter in ("unet", "lite0_unet"):
        small = settings.segmenter == "unet"
        network: SegmentationUNet | Lite0UNet = (
            SegmentationUNet(classes=classes, width=settings.width, depth=settings.depth)
            if small
            else Lite0UNet(classes=classes, width=settings.width, stride=settings.stride)
        )
        with torch.no_grad():
            network.head.bias[0] = _PRIOR  # type: ignore[index]
        return network
    if settings.segmenter.startswith("smp:"):
        return _smp(settings.segmenter.removeprefix("smp:"), classes)
    from torchvision.models import segmentation  # loading torchvision takes as long as loading torch

    build: Callable[..., nn.Module] = getattr(segmentation, _TORCHVISION[settings.segmenter])
    return _Torchvision(build(weights=None, weights_backbone=None, num_classes=1 + classes))


def pretrained_part(network: nn.Module) -> nn.Module | None:
    """Return the part of a segmenter whose weights were trained elsewhere; None where all of it is new."""
    return network.encoder if isinstance(network, Lite0UNet) else None


def cam_layer(network: nn.Module) -> str:
    """Return the name of the layer whose activations show where a segmenter looks: its coarsest features."""
    if isinstance(network, SegmentationUNet):
        return f"downs.{len(network.downs) - 1}"
    if isinstance(network, Lite0UNet):
        return "top"
    inner = network.network
    if isinstance(network, _Padded) or not isinstance(inner, nn.Module):
        return "network.decoder"
    return f"network.backbone.{list(dict(inner.backbone.named_children()))[-1]}"  # type: ignore[union-attr]


class _Torchvision(nn.Module):
    """Give a torchvision segmenter the shape of the others: logits alone, ImageNet's normalisation before."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return at_least_float32(self.network(_normalised(x))["out"])


class _Padded(nn.Module):
    """Pad an image to the multiple that the network takes, and cut its answer to the image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        out = at_least_float32(self.network(pad_to_multiple(_normalised(x), _MULTIPLE)))
        return out[..., : x.shape[-2], : x.shape[-1]]


def _normalised(x: Tensor) -> Tensor:
    mean, std = (x.new_tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (x - mean) / std


def _smp(name: str, classes: int) -> nn.Module:
    try:
        smp: Any = importlib.import_module("segmentation_models_pytorch")
    except ImportError as error:
        raise EnvironmentProblem(
            f"evaluate.segmenter=smp:{name} needs segmentation-models-pytorch.",
            remedy='pip install "coigan-aug[smp]"',
        ) from error
    try:
        return _Padded(smp.create_model(name, encoder_name="resnet18", encoder_weights=None, classes=1 + classes))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"segmentation-models-pytorch has no model {name!r}: {error}") from error
