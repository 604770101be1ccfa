"""Images are read as stored or refused with a sentence; nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coigan_aug.errors import DataError
from coigan_aug.imaging import read_header, read_image, read_rgb, read_thumbnail, write_image

COLOUR = np.zeros((20, 30, 3), np.uint8)
COLOUR[:10] = (250, 20, 20)
COLOUR[10:] = (20, 20, 250)


def test_rgb_and_grey_survive_a_lossless_write(tmp_path: Path) -> None:
    grey = np.arange(600, dtype=np.uint8).reshape(20, 30)
    for name, pixels in (("c.png", COLOUR), ("g.png", grey), ("ü b.png", COLOUR), ("g.bmp", grey)):
        write_image(tmp_path / name, pixels)
        read = read_image(tmp_path / name)
        assert ((read if read.ndim == pixels.ndim else read[..., 0]) == pixels).all()
    assert read_rgb(tmp_path / "g.png").shape == (20, 30, 3)
    assert np.asarray(Image.open(tmp_path / "c.png"))[0, 0].tolist() == [250, 20, 20], "another reader sees red, too"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_headers_agree_with_the_decoder(tmp_path: Path, suffix: str, mode: str) -> None:
    path = tmp_path / f"x{suffix}"
    Image.fromarray(COLOUR).convert(mode).save(path)
    header = read_header(path)
    assert (header.height, header.width, header.bits) == (20, 30, 8)
    assert read_image(path).shape[:2] == (20, 30)


def test_an_exif_rotation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "r.jpg", exif=exif, quality=100)
    assert read_image(tmp_path / "r.jpg").shape == (20, 30, 3)


def test_transparency_is_dropped(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([COLOUR, np.full((20, 30), 9, np.uint8)])).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == COLOUR).all()


def _cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def _bad_files(folder: Path) -> dict[str, str]:
    """Write broken and unwelcome images; return what is to be said of each."""
    draw = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for name in ("cut.jpg", "cut.png"):
        write_image(folder / name, draw)
        _cut(folder / name, 0.6)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_bytes(b"hello, I am no picture at all")
    (folder / "header.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (50_000).to_bytes(4, "big") * 2 + b"\x08\x00\0\0\0"
    )
    cv2.imwrite(str(folder / "deep.png"), np.zeros((8, 8), np.uint16))
    Image.fromarray(COLOUR).convert("CMYK").save(folder / "cmyk.jpg")
    return {
        "cut.jpg": "cut off",
        "cut.png": "cut off",
        "empty.jpg": "empty",
        "text.png": "not an image",
        "header.png": "50000 x 50000 pixels, over the limit",
        "deep.png": "16 bits a channel",
        "cmyk.jpg": "CMYK",
        "none.png": "not there",
    }


@pytest.mark.parametrize(
    "name", ["cut.jpg", "cut.png", "empty.jpg", "text.png", "header.png", "deep.png", "cmyk.jpg", "none.png"]
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    says = _bad_files(tmp_path)[name]
    with pytest.raises(DataError, match=says) as caught:
        read_image(tmp_path / name)
    assert name in str(caught.value)


def test_thumbnails_of_large_and_small_images_are_averages(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 1600).astype(np.uint8), (256, 1))
    for name, pixels in (("large.jpg", ramp), ("small.png", ramp[:50, ::20])):
        write_image(tmp_path / name, pixels)
        found = read_thumbnail(tmp_path / name, size=16)
        assert found.shape == (16, 16)
        expected = np.linspace(0, 255, 33)[1::2]
        assert np.abs(found.mean(axis=0) - expected).max() < 6
