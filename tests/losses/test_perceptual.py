"""The perceptual loss: its networks stay frozen, its masks restrict it, its weights load or say why not."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet50

from coigan_aug.errors import EnvironmentProblem
from coigan_aug.losses import perceptual
from coigan_aug.losses.perceptual import FEATURES, FeatureStages, load_features, smooth_masked_perceptual


@pytest.fixture(scope="module")
def lite() -> nn.Module:
    features = load_features("efficientnet_lite0")
    assert features is not None
    return features


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(resnet50().state_dict(), path)
    return path


def images(seed: int, *, batch: int = 1, size: int = 32) -> Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


def left_half(size: int = 64) -> Tensor:
    masks = torch.zeros(1, 2, size, size)
    masks[:, 0, :, : size // 2] = 1
    return masks


class Pixels(nn.Module):
    """Features with a known answer: the image, and its mean over 2 x 2 pixels."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return x, nn.functional.avg_pool2d(x, 2)


def test_none_is_no_network_and_an_unknown_name_is_refused() -> None:
    assert load_features("none") is None
    with pytest.raises(ValueError, match=f"'vgg'.*{', '.join(FEATURES)}"):
        load_features("vgg")


def test_lite_features_are_frozen_and_stay_in_eval_mode(lite: nn.Module) -> None:
    parent = nn.Sequential(lite).train()
    assert not any(module.training for module in lite.modules())
    assert not any(p.requires_grad for p in parent.parameters())
    before = {name: buffer.clone() for name, buffer in lite.named_buffers()}
    lite(images(0))
    assert all(torch.equal(buffer, before[name]) for name, buffer in lite.named_buffers())


@pytest.mark.parametrize("size", [32, 64])
def test_lite_features_have_four_stages_at_strides_2_to_16(lite: nn.Module, size: int) -> None:
    shapes = [tuple(f.shape) for f in lite(images(0, batch=2, size=size))]
    channels = (16, 24, 40, 112)
    assert shapes == [(2, c, size // s, size // s) for c, s in zip(channels, (2, 4, 8, 16), strict=True)]


def test_lite_weights_are_the_trained_ones(lite: nn.Module) -> None:
    """Trained first-layer statistics match the range the images are brought to.

    Over ImageNet the mean colour is known, and a convolution maps it to the running mean of the next
    normalisation; random weights or another normalisation would not correlate.
    """
    conv, norm = lite.stages[0][0], lite.stages[0][1]  # type: ignore[index,union-attr]
    colour = (torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1) - lite.mean) / lite.std  # type: ignore[operator]
    predicted = conv.weight.sum(dim=(2, 3)) @ colour.flatten()
    assert torch.corrcoef(torch.stack((predicted, norm.running_mean)))[0, 1] > 0.9


def test_equal_images_cost_nothing_and_different_ones_something(lite: nn.Module) -> None:
    def loss(output: Tensor, target: Tensor) -> float:
        masks = left_half(32)
        return smooth_masked_perceptual(lite, output, target, masks, object_weight=0.5, background_weight=1.0).item()

    assert loss(images(0), images(0)) == 0
    assert loss(images(0), images(1)) > 1e-3


def test_loss_of_known_features_by_hand() -> None:
    """The left half weighs 1, the right 0; channels are averaged."""
    output, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    output[:, 0, :, :2] = 3.0  # squared 9, in one of three channels
    output[:, :, :, 2:] = 100.0
    same = FeatureStages([nn.Identity()], mean=(0, 0, 0), std=(1, 1, 1))
    loss = smooth_masked_perceptual(
        same, output, target, left_half(4), kernel=1, object_weight=1.0, background_weight=0.0
    )
    assert loss.item() == pytest.approx(3.0)


def test_uniform_weights_reduce_to_the_mean_of_plain_squared_errors() -> None:
    output, target = images(0), images(1)
    loss = smooth_masked_perceptual(
        Pixels(), output, target, torch.zeros(1, 1, 32, 32), object_weight=0.0, background_weight=2.0
    )
    layers = [(a - b).square().mean() for a, b in zip(Pixels()(output), Pixels()(target), strict=True)]
    torch.testing.assert_close(loss, torch.stack(layers).mean())


def test_a_mask_restricts_what_is_compared(lite: nn.Module) -> None:
    """A change at the far right weighs next to nothing when only the left half counts."""
    target = images(0, size=64)
    output = target.clone()
    output[..., 56:] = 1 - output[..., 56:]

    def loss(*, object_weight: float, background_weight: float) -> float:
        return smooth_masked_perceptual(
            lite,
            output,
            target,
            left_half(),
            kernel=1,
            object_weight=object_weight,
            background_weight=background_weight,
        ).item()

    assert loss(object_weight=1, background_weight=0) < 0.1 * loss(object_weight=0, background_weight=1)


def test_a_one_pixel_mask_is_not_stepped_over_by_coarse_layers() -> None:
    masks = torch.zeros(1, 1, 32, 32)
    masks[..., 17, 5] = 1
    coarse = FeatureStages([nn.AvgPool2d(16)], mean=(0, 0, 0), std=(1, 1, 1))
    loss = smooth_masked_perceptual(
        coarse, images(0), images(1), masks, kernel=1, object_weight=1.0, background_weight=0.0
    )
    assert loss.item() > 0


def test_no_weight_at_all_gives_zero_not_nan(lite: nn.Module) -> None:
    output = images(0).requires_grad_()
    loss = smooth_masked_perceptual(
        lite, output, images(1), torch.zeros(1, 2, 32, 32), object_weight=1.0, background_weight=0.0
    )
    loss.backward()
    assert loss.item() == 0
    assert output.grad is not None and not output.grad.any()


def test_gradient_reaches_the_output_and_neither_target_nor_network(lite: nn.Module) -> None:
    output, target = images(0).requires_grad_(), images(1).requires_grad_()
    smooth_masked_perceptual(lite, output, target, left_half(32), object_weight=1.0, background_weight=1.0).backward()
    assert output.grad is not None and output.grad.any()
    assert target.grad is None and all(p.grad is None for p in lite.parameters())


def test_resnet_from_a_file_gives_four_layers_at_strides_4_and_8(resnet_file: Path) -> None:
    features = load_features("resnet50", weights=resnet_file)
    assert features is not None and not any(p.requires_grad for p in features.parameters())
    shapes = [tuple(f.shape) for f in features(images(0, size=64))]
    assert shapes == [(1, 256, 16, 16), (1, 512, 8, 8), (1, 1024, 8, 8), (1, 2048, 8, 8)]


def test_resnet_normalises_by_the_imagenet_figures(resnet_file: Path) -> None:
    features = load_features("resnet50", weights=resnet_file)
    assert features is not None
    plain = resnet50().eval()
    plain.load_state_dict(torch.load(resnet_file, weights_only=True))
    x = images(3)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    out = (x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    out = plain.layer1(plain.maxpool(plain.relu(plain.bn1(plain.conv1(out)))))
    torch.testing.assert_close(features(x)[0], out)


def test_resnet_without_network_says_which_option_helps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=r"resnet50.*Network is unreachable") as caught:
        load_features("resnet50")
    assert "--perceptual-weights FILE" in caught.value.remedy
    assert "train.perceptual=efficientnet_lite0" in caught.value.remedy


@pytest.mark.parametrize("content", [None, b"", b"not weights"])
@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0"])
def test_an_unreadable_weight_file_is_named(name: str, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentProblem, match=r"weights\.pth cannot be read"):
        load_features(name, weights=path)


def test_what_is_asked_for_again_is_loaded_once_unless_the_file_has_changed(
    resnet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training looks for the weights before it reads images, and takes them when it builds its networks."""
    path, reads = tmp_path / "own.pth", list[Path]()
    path.write_bytes(resnet_file.read_bytes())
    read = perceptual.read_weights
    monkeypatch.setattr(perceptual, "read_weights", lambda file, **more: (reads.append(file), read(file, **more))[1])
    first = load_features("resnet50", weights=path)
    assert load_features("resnet50", weights=path) is first
    assert reads == [path]
    os.utime(path, ns=(7, 7))
    assert load_features("resnet50", weights=path) is not first
    assert reads == [path, path]


def test_weights_of_another_network_are_refused_not_half_loaded(resnet_file: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="are not those of EfficientNet"):
        load_features("efficientnet_lite0", weights=resnet_file)
