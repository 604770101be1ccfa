"""Where a segmenter looks: Grad-CAM for one class over a target mask, and the sheet that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from coigan_aug.annotations.records import DefectClass
from coigan_aug.imaging import Pixels
from coigan_aug.pictures import contact_sheet, mark

STRENGTH = 0.6


@dataclass(frozen=True)
class Examples:
    """Windows that show one class: images float [B, 3, H, W] in 0..1, all classes' masks [B, K, H, W] of 0 and 1."""

    images: Tensor
    masks: Tensor


def grad_cam(network: nn.Module, layer: str, images: Tensor, masks: Tensor, *, label: int) -> Tensor:
    """Return how much each place speaks for a class in the target mask: 1 at each image's strongest place, 0 for none.

    The activations A_c of the layer are weighted by the mean over all places of d score / d A_c, where the score is
    the sum of the class' logits over the mask; the weighted sum is cut off below 0 and resized to the images
    (Selvaraju et al. 2017, equations 1 and 2; for segmentation Vinogradov et al. 2020, equation 1). An image whose
    mask is empty gets 0 everywhere.

    Args:
        network: in eval mode (batch statistics would mix the images); it and its gradients are left as they were.
        layer: the name of a module of it, as in `named_modules`, whose output is [B, C, h, w].
        label: the class' channel of the logits.

    Shape:
        images [B, 3, H, W], masks [B, H, W] -> [B, H, W]; the network maps [B, 3, H, W] to [B, K, H, W].

    Raises:
        AttributeError: the network has no such layer. ValueError: the logits don't depend on the layer.
    """
    taken: list[Tensor] = []

    def take(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        taken.append(output.detach().requires_grad_())
        return taken[-1].clone()  # what follows may work in place

    hook = network.get_submodule(layer).register_forward_hook(take)
    try:
        with torch.enable_grad():
            score = (network(images)[:, label] * masks).sum()
            gradient = _gradient(score, taken, layer)
    finally:
        hook.remove()
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # [B, C, 1, 1]
    heat = functional.relu((weights * taken[-1].detach()).sum(dim=1, keepdim=True))  # [B, 1, h, w]
    heat = functional.interpolate(heat, size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    most = heat.amax(dim=(1, 2), keepdim=True)  # [B, 1, 1]
    return heat / torch.where(most > 0, most, torch.ones_like(most))


def _gradient(score: Tensor, taken: Sequence[Tensor], layer: str) -> Tensor:
    used = score.requires_grad and taken
    gradient = torch.autograd.grad(score, taken[-1], allow_unused=True)[0] if used else None
    if gradient is None:
        raise ValueError(f"the logits do not depend on the layer {layer!r}")
    return gradient


def cam_sheet(
    network: nn.Module,
    layer: str,
    real: Sequence[Examples],
    synthetic: Sequence[Examples],
    *,
    classes: Sequence[DefectClass],
) -> Pixels:
    """Draw where the network looks, uint8 [H, W, 3]: two rows a class, real examples left and synthetic ones right.

    The upper row holds the images with the masks outlined in the classes' colours, the lower the heat over them.

    Args:
        real, synthetic: the examples of each class, in the order of `classes`, as many of each class.
    """
    rows: list[list[Pixels]] = []
    for label, both in enumerate(zip(real, synthetic, strict=True)):
        shown = [pair for examples in both for pair in _shown(network, layer, examples, label, classes)]
        if shown:
            rows += [[outlined for outlined, _ in shown], [heated for _, heated in shown]]
    headings = [name for name, examples in (("real", real[0]), ("synthetic", synthetic[0])) for _ in examples.images]
    return contact_sheet(rows, headings=headings, classes=classes)


def _shown(
    network: nn.Module, layer: str, examples: Examples, label: int, classes: Sequence[DefectClass]
) -> list[tuple[Pixels, Pixels]]:
    if not len(examples.images):
        return []
    heats = grad_cam(network, layer, examples.images, examples.masks[:, label], label=label).cpu().numpy()
    images = (examples.images.permute(0, 2, 3, 1).cpu().numpy() * 255).round().astype(np.uint8)
    masks = (examples.masks != 0).to(torch.uint8).cpu().numpy()
    return [
        (mark(image, mask, classes), heat_over(image, heat))
        for image, mask, heat in zip(images, masks, heats, strict=True)
    ]


def heat_over(image: Pixels, heat: NDArray[np.floating]) -> Pixels:
    """Lay a heat map [H, W] in 0..1 over an image [H, W, 3]; where it is 0 the image stays as it is."""
    colours = cv2.applyColorMap((heat * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
    share = STRENGTH * heat[:, :, None]
    return np.asarray((image * (1 - share) + colours * share).round(), dtype=np.uint8)
