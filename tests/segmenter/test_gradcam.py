"""Grad-CAM against closed forms on networks small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from coigan_aug.annotations.records import DefectClass
from coigan_aug.segmenter.gradcam import Examples, cam_sheet, grad_cam, heat_over

CLASSES = (DefectClass(name="spot", colour=(230, 75, 60)), DefectClass(name="line", colour=(60, 150, 230)))


class TwoStep(nn.Module):
    """features: the image itself, seen through a screen; head: fixed weights from channels to classes."""

    def __init__(self, weights: list[list[float]], screen: Tensor | None = None, *, shrink: int = 1) -> None:
        super().__init__()
        self.features = nn.Identity()
        self.other = nn.Identity()
        self.shrink = shrink
        self.screen = screen
        self.head = nn.Conv2d(3, len(weights), 1, bias=False)
        self.head.weight = nn.Parameter(torch.tensor(weights)[:, :, None, None])

    def forward(self, images: Tensor) -> Tensor:
        seen = images if self.screen is None else images * self.screen
        features = self.features(functional.avg_pool2d(seen, self.shrink))
        return functional.interpolate(self.head(features), size=images.shape[2:], mode="nearest")


WEIGHTS = [[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]


def _images(batch: int = 2, side: int = 6) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("label", [0, 1])
def test_a_linear_head_gives_the_weighted_image_whatever_the_mask(label: int) -> None:
    """d score / d A_c = w_c on the mask, so its mean is w_c |mask| / HW: the map is relu(sum w_c A_c), scaled to 1."""
    images = _images()
    masks = torch.zeros(2, 6, 6)
    masks[0, 2:4, 1:5] = 1
    masks[1, 5, 5] = 1
    found = grad_cam(TwoStep(WEIGHTS).eval(), "features", images, masks, label=label)
    wanted = (images * torch.tensor(WEIGHTS[label])[None, :, None, None]).sum(1).clamp(min=0)
    wanted = wanted / wanted.amax(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(found, wanted)
    assert found.min() == 0
    assert found.amax(dim=(1, 2)).tolist() == [1, 1]


def test_channel_weights_come_from_the_gradient_inside_the_mask() -> None:
    """A head that squares: d score / d A_c = 2 A_c on the mask, so the weights are the means of 2 A_c over it / HW."""

    class Square(TwoStep):
        def forward(self, images: Tensor) -> Tensor:
            return self.features(images).square().sum(1, keepdim=True)

    images, masks = _images(), (torch.arange(72).reshape(2, 6, 6) % 5 == 0).float()
    found = grad_cam(Square(WEIGHTS), "features", images, masks, label=0)
    for image, mask, heat in zip(images, masks, found, strict=True):
        weights = [
            sum(2 * float(v) * float(m) for v, m in zip(c.flatten(), mask.flatten(), strict=True)) for c in image
        ]
        wanted = sum(weight * channel for weight, channel in zip(weights, image, strict=True))
        torch.testing.assert_close(heat, wanted / wanted.max())


def test_a_network_blind_to_a_region_gives_nothing_there() -> None:
    screen = torch.ones(1, 1, 6, 6)
    screen[:, :, :, 3:] = 0
    masks = torch.ones(2, 6, 6)
    found = grad_cam(TwoStep([[1.0, 1.0, 1.0]], screen), "features", _images(), masks, label=0)
    assert (found[:, :, 3:] == 0).all()
    assert (found[:, :, :3] > 0).all()


def test_a_coarse_layer_is_resized_to_the_image() -> None:
    images = torch.zeros(1, 3, 8, 8)
    images[:, :, :4, :4] = 1
    found = grad_cam(TwoStep([[1.0, 1.0, 1.0]], shrink=4), "features", images, torch.ones(1, 8, 8), label=0)
    wanted = functional.interpolate(torch.tensor([[[[1.0, 0], [0, 0]]]]), size=(8, 8), mode="bilinear")[0]
    torch.testing.assert_close(found, wanted)


def test_an_empty_mask_gives_nothing_and_its_neighbour_in_the_batch_is_as_alone() -> None:
    images, masks = _images(), torch.zeros(2, 6, 6)
    masks[1] = 1
    network = TwoStep(WEIGHTS).eval()
    found = grad_cam(network, "features", images, masks, label=0)
    assert (found[0] == 0).all()
    torch.testing.assert_close(found[1], grad_cam(network, "features", images[1:], masks[1:], label=0)[0])


def test_hooks_and_gradients_leave_no_trace_even_after_an_error() -> None:
    network = TwoStep(WEIGHTS).eval().requires_grad_(False)
    with torch.no_grad():
        grad_cam(network, "features", _images(), torch.ones(2, 6, 6), label=1)
    with pytest.raises(ValueError, match="do not depend on the layer 'other'"):
        grad_cam(network, "other", _images(), torch.ones(2, 6, 6), label=1)
    with pytest.raises(IndexError):
        grad_cam(network, "features", _images(), torch.ones(2, 6, 6), label=7)
    assert not network.features._forward_hooks
    assert not network.other._forward_hooks
    assert all(parameter.grad is None for parameter in network.parameters())
    with pytest.raises(AttributeError):
        grad_cam(network, "nowhere", _images(), torch.ones(2, 6, 6), label=0)


def test_layers_that_work_in_place_are_allowed() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1)).eval()
    plain = nn.Sequential(network[0], nn.ReLU(), network[2])
    masks = torch.ones(2, 6, 6)
    torch.testing.assert_close(
        grad_cam(network, "0", _images(), masks, label=0), grad_cam(plain, "0", _images(), masks, label=0)
    )


def test_heat_of_zero_leaves_the_image_and_full_heat_colours_it() -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    out = heat_over(image, heat)
    assert (out[1:] == 100).all()
    assert np.ptp(out[0, 0].astype(int)) > 50


def test_the_sheet_has_two_rows_a_class_with_the_real_examples_left() -> None:
    def examples(count: int, level: float) -> Examples:
        masks = torch.zeros(count, 2, 6, 6)
        masks[:, :, 2:4, 2:4] = 1
        return Examples(torch.full((count, 3, 6, 6), level), masks)

    blind = TwoStep([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]).eval()  # relu cuts the first class off
    sheet = cam_sheet(blind, "features", [examples(2, 0.2)] * 2, [examples(1, 0.8)] * 2, classes=CLASSES)
    assert sheet.shape == (48 + 4 * 192, 3 * 192, 3)
    cells = sheet[48:].reshape(4, 192, 3, 192, 3)[:, 100, :, 100].tolist()  # the middle of each
    assert cells[0][0] == cells[0][1] == [51, 51, 51]
    assert cells[0][2] == [204, 204, 204]
    assert cells[1] == cells[0], "the first class is seen nowhere"
    assert cells[3] != cells[2], "the second everywhere"
