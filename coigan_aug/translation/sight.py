"""What a segmenter of the line that is translated finds of its own defects, in whole images."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import resize
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.imaging import Pixels, to_rgb
from coigan_aug.segmenter.scoring import predict


@dataclass(frozen=True)
class Sight:
    """A segmenter in eval mode, the scale at which it sees images, and its classes by name."""

    network: nn.Module
    scale: float
    names: tuple[str, ...]
    device: torch.device

    def finds(self, image: Pixels, record: ImageRecord) -> list[float]:
        """Return of each annotation of an image [H, W(, 3)] the share of its mask that is called its class."""
        height, width = (max(round(side * self.scale), 1) for side in image.shape[:2])
        pixels = to_rgb(image)
        if (height, width) != image.shape[:2]:
            pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        predicted = predict(self.network, pixels, device=self.device)
        shares = []
        for item in record.annotations:
            mask = resize(rle.decode(item.rle), height=height, width=width) != 0
            shares.append(float(predicted[self.names.index(item.label)][mask].mean()) if mask.any() else 0.0)
        return shares
