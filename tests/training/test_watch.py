"""The distance that a training is watched by: small for real defects, larger for none, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from coigan_aug.compose.composer import Stream
from coigan_aug.models.build import Inpainter, build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.training.watch import _crops, begin_watch, distance

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("coarse")


class Pasting(torch.nn.Module):
    """Stands in for a generator: puts the real objects of the fixed samples where their masks are, or nothing."""

    def __init__(self, stream: Stream, *, samples: int, pastes: bool) -> None:
        super().__init__()
        taken = [stream[index] for index in range(samples)]
        self.objects = {sample.base.tobytes(): torch.from_numpy(sample.objects) for sample in taken}
        self.pastes = pastes

    def forward(
        self, base: torch.Tensor, condition: torch.Tensor, latent: torch.Tensor, masks: torch.Tensor
    ) -> torch.Tensor:
        objects = torch.stack([self.objects[image.contiguous().numpy().tobytes()] for image in base])
        inside = masks.amax(dim=1, keepdim=True) > 0
        return torch.where(inside & torch.tensor(self.pastes), objects, base)


def test_pasted_real_defects_are_nearer_to_real_ones_than_clean_surface_is(prepared: Prepared, small: Settings) -> None:
    stream = Stream(prepared, small, 8)
    watch = begin_watch(stream, device=CPU, samples=24)
    real, none = (distance(watch, Pasting(stream, samples=24, pastes=pastes)) for pastes in (True, False))  # type: ignore[arg-type]
    assert real < 0.5 * none


def test_the_distance_of_a_generator_is_the_same_each_time(prepared: Prepared, small: Settings) -> None:
    torch.manual_seed(0)
    generator: Inpainter = build_generator(small.model, prepared.classes)
    found = [distance(begin_watch(Stream(prepared, small, 8), device=CPU, samples=8), generator) for _ in range(2)]
    assert found[0] == found[1]


def test_crops_hold_one_classs_mask_with_its_surroundings() -> None:
    images, masks = torch.rand(1, 3, 64, 64), torch.zeros(1, 2, 64, 64)
    masks[0, 1, 10:14, 20:60] = 1
    ((pixels, mask),) = list(_crops(images, masks))
    assert pixels.shape == (60, 60, 3) and mask.shape == (60, 60)
    assert mask.sum() >= 160
    expected = (images[0, :, 12, 40] * 255).round().numpy().astype(np.uint8)
    assert (pixels[30, 30] == expected).all(), "the mask's middle is the crop's"


@pytest.mark.parametrize("height", [1, 3])
def test_tiny_masks_get_at_least_sixteen_pixels(height: int) -> None:
    masks = torch.zeros(1, 1, 32, 32)
    masks[0, 0, :height, 5] = 1
    ((pixels, _),) = list(_crops(torch.rand(1, 3, 32, 32), masks))
    assert pixels.shape == (16, 16, 3)
