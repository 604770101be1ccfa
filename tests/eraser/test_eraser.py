"""The learned eraser: what it is trained on, that it learns, its file, and filling images of any size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from coigan_aug.compose.erase import TELEA, telea
from coigan_aug.eraser.erasing import EraserFile, erasing_of, learned, load_eraser, predict, save_eraser, trained_eraser
from coigan_aug.eraser.fit import EraserSettings, Holes, filling_loss, fit_eraser
from coigan_aug.errors import DataError
from coigan_aug.models.eraser import Eraser
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import Talk
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

CPU = torch.device("cpu")
QUICK = EraserSettings(width=8, depth=2, batch=4, images=48)


def _file(eraser: Eraser) -> EraserFile:
    return EraserFile(eraser.eval(), QUICK, "0" * 64)


@pytest.fixture(scope="module")
def trained(prepared: Prepared) -> Eraser:
    return fit_eraser(prepared, QUICK, device=CPU, bfloat16=False)


def test_sample_n_is_the_same_in_any_order_and_holes_grow(prepared: Prepared) -> None:
    stream = Holes(prepared, 7, 200)
    forward = [stream[k] for k in range(200)]
    for k in (150, 3, 77):
        assert all((one == other).all() for one, other in zip(forward[k], stream[k], strict=True))
    assert all(hole.any() for _, hole in forward)
    assert all(hole.shape == (32, 32) and set(np.unique(hole)) <= {0, 1} for _, hole in forward)
    early, late = (np.mean([hole.mean() for _, hole in part]) for part in (forward[:60], forward[-60:]))
    assert early < late


def test_windows_to_train_on_are_clean_and_of_training_images(prepared: Prepared) -> None:
    """In the toy data a line is 90 levels brighter and a disc 60 % darker than what surrounds it; clean windows hold none."""
    clean = {window.position for window in prepared.clean}
    assert clean <= set(prepared.dataset.indices("train"))
    for index in range(60):
        pixels, _ = Holes(prepared, 3, 60)[index]
        assert pixels.max() - np.median(pixels) < 70
        assert np.median(pixels) - pixels.min() < 50


def test_the_loss_is_plain_l1_and_counts_steps_at_the_edge_of_the_hole() -> None:
    image, hole = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    hole[0, 0, 1:3, 1:3] = 1
    filled = 0.5 * hole.expand_as(image)
    assert filling_loss(filled, image, hole, gradients=0.0).item() == pytest.approx(0.5)
    # each way 6 pairs of neighbours touch the hole: 2 inside (no step), 4 across its edge (0.5)
    assert filling_loss(filled, image, hole, gradients=1.0).item() == pytest.approx(0.5 + 0.5 * 4 / 6)
    assert filling_loss(image, image, hole, gradients=1.0).item() == 0


def test_training_is_repeatable_and_lowers_the_error_on_held_out_windows(prepared: Prepared, trained: Eraser) -> None:
    again = fit_eraser(prepared, QUICK, device=CPU, bfloat16=False)
    for one, other in zip(trained.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    longer = fit_eraser(prepared, dataclasses.replace(QUICK, images=800), device=CPU, bfloat16=False)
    torch.manual_seed(0)
    fresh = Eraser(width=8, depth=2, grey=True).eval()
    held_out = Holes(prepared, 99, 40)
    errors = {
        name: np.mean([_error(net, *held_out[k]) for k in range(40)]) for name, net in (("no", fresh), ("yes", longer))
    }
    assert errors["yes"] < 0.95 * errors["no"]


def _error(eraser: Eraser, pixels: np.ndarray, hole: np.ndarray) -> float:
    filled = predict(eraser, pixels, hole, window=32, scale=1.0)
    return float(np.abs(filled - pixels)[hole > 0].mean())


def test_an_eraser_of_flat_images_fills_with_the_flat_colour() -> None:
    """Trained on flat windows only, whatever their brightness, it has nothing else to say."""
    torch.manual_seed(1)
    eraser = Eraser(width=8, depth=2, grey=True)
    torch.nn.init.normal_(eraser.network.head.weight, std=0.2)
    optimizer = torch.optim.Adam(eraser.parameters(), lr=3e-3)
    draw = torch.Generator().manual_seed(0)
    for _ in range(120):
        image = torch.rand(4, 1, 1, 1, generator=draw).expand(4, 3, 32, 32)
        hole = torch.zeros(4, 1, 32, 32)
        hole[..., 10:22, 8:20] = 1
        loss = filling_loss(eraser(image, hole), image, hole, gradients=1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    hole = np.zeros((32, 32), np.uint8)
    hole[10:22, 8:20] = 1
    for level in (30, 128, 220):
        pixels = np.where(hole[..., None] != 0, 0, level).astype(np.uint8).repeat(3, axis=2)
        made = learned(_file(eraser), window=32, scale=1.0).fill(np.random.default_rng(0), pixels, hole)
        assert np.abs(made.astype(int) - level).max() <= 4


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("size", [(72, 96), (33, 51), (5, 7), (1, 40)])
def test_images_of_any_size_are_filled_and_keep_every_byte_outside(
    trained: Eraser, size: tuple[int, int], scale: float
) -> None:
    draw = np.random.default_rng(size[0])
    pixels = draw.integers(0, 255, (*size, 1)).astype(np.uint8).repeat(3, axis=2)
    way = learned(_file(trained), window=32, scale=scale)
    nothing, border = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    border[: max(size[0] // 3, 1), : size[1] // 2] = 1
    for fill in (way.fill, telea):
        assert (fill(draw, pixels, nothing) == pixels).all()
        assert (fill(draw, pixels, np.ones(size, np.uint8)) == pixels).all(), "there is nothing to fill it from"
        made = fill(np.random.default_rng(0), pixels, border)
        assert (made[border == 0] == pixels[border == 0]).all()
        assert (made[..., 0] == made[..., 1]).all(), "grey stays grey"
        assert (made == fill(np.random.default_rng(0), pixels, border)).all()
        assert size[0] < 8 or (made != pixels).any()


def test_a_hole_at_full_size_takes_in_every_working_pixel_it_touches(trained: Eraser) -> None:
    """A defect one pixel wide is not seen by the network at half the scale: black or white in the hole, the fill is one."""
    pixels = np.full((64, 64, 3), 120, np.uint8)
    hole = np.zeros((64, 64), np.uint8)
    hole[20:41, 31] = 1
    fills = [
        predict(trained, np.where(hole[..., None] != 0, level, pixels).astype(np.uint8), hole, window=32, scale=0.5)
        for level in (0, 255)
    ]
    assert (fills[0] == fills[1]).all()


def test_the_file_gives_the_same_eraser_back_and_is_made_once(
    prepared: Prepared, small: Settings, trained: Eraser, tmp_path: Path
) -> None:
    save_eraser(tmp_path / "one.safetensors", trained, QUICK)
    loaded = load_eraser(tmp_path / "one.safetensors")
    assert loaded.settings == QUICK
    assert loaded.eraser.grey == trained.grey
    for one, other in zip(trained.parameters(), loaded.eraser.parameters(), strict=True):
        assert torch.equal(one, other)
    made = [
        trained_eraser(prepared, small.data, QUICK, root=tmp_path / "cache", device=CPU, bfloat16=False)
        for _ in range(2)
    ]
    assert made[0].sha256 == made[1].sha256
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 1


def test_a_file_that_is_no_eraser_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="not an eraser") as caught:
        load_eraser(path)
    assert "Delete it" in (caught.value.remedy or "")


def test_an_eraser_of_other_training_images_is_another_file(
    toy: Dataset, prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    fewer = dataclasses.replace(small.data, groups_per_class=1)
    other = prepare(toy, fewer, cache_root=tmp_path)
    quick = dataclasses.replace(QUICK, images=8)
    for own, data in ((prepared, small.data), (other, fewer)):
        trained_eraser(own, data, quick, root=tmp_path, device=CPU, bfloat16=False)
    assert len(list((tmp_path / "erasers").glob("*.safetensors"))) == 2


def test_without_clean_surface_to_learn_from_no_network_is_trained(
    prepared: Prepared, small: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = dataclasses.replace(small, data=dataclasses.replace(small.data, erase="learned"))
    none = dataclasses.replace(prepared, clean=[])
    erasing = erasing_of(none, settings, cache_root=tmp_path, scale=1.0, device=CPU, talk=Talk(quiet=False))
    assert erasing is TELEA
    assert "there is none: telea erases" in capsys.readouterr().err
