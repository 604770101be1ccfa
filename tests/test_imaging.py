"""Images are read as stored or refused with a sentence; nothing is guessed."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coigan_aug.errors import DataError
from coigan_aug.imaging import (
    encode_image,
    jpeg_coding,
    read_header,
    read_image,
    read_rgb,
    read_thumbnail,
    write_image,
)
from coigan_aug.jpeg import JpegCoding, coding_of

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


# TIFF files by hand


def _tiff(
    *, pages: int = 1, order: str = "<", wide: bool = False, last: str = "directory", start: int | None = None
) -> bytes:
    """Make a grey TIFF of 4 x 3 px (TIFF 6.0, section 2; BigTIFF where wide) whose last byte is of a directory or a pixel.

    `start` is where the pixels are said to be, if not where they are.
    """
    number, pixels = "Q" if wide else "I", bytes(range(10, 22))
    head, size = (16, 8 + 20 * 6 + 8) if wide else (8, 2 + 12 * 6 + 4)
    first = head + (len(pixels) if last == "directory" else 0)
    place = head if last == "directory" else head + pages * size
    data = struct.pack(f"{order}2sHHHQ" if wide else f"{order}2sHI", (order == "<" and b"II") or b"MM", *(
        (43, 8, 0, first) if wide else (42, first)))  # fmt: skip
    entries = [(256, 4), (257, 3), (258, 8), (262, 1), (273, place if start is None else start), (279, len(pixels))]
    directories = b""
    for page in range(pages):
        own = b"".join(
            struct.pack(f"{order}HH{number}{number}", tag, 16 if wide else 4, 1, value) for tag, value in entries
        )
        following = first + (page + 1) * size if page + 1 < pages else 0
        directories += (
            struct.pack(f"{order}{'Q' if wide else 'H'}", 6) + own + struct.pack(f"{order}{number}", following)
        )
    return data + (pixels + directories if last == "directory" else directories + pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("last", ["directory", "pixels"])
def test_a_tiff_is_read_to_its_last_byte_and_refused_without_it(
    tmp_path: Path, order: str, wide: bool, last: str
) -> None:
    """Without the last byte of the directory's last tag, that is: behind that tag comes where the next page is."""
    data = _tiff(order=order, wide=wide, last=last)
    (tmp_path / "a.tif").write_bytes(data)
    header = read_header(tmp_path / "a.tif")
    assert (header.height, header.width, header.channels, header.bits) == (3, 4, 1, 8)
    assert (read_image(tmp_path / "a.tif") == np.arange(10, 22).reshape(3, 4)).all()
    (tmp_path / "a.tif").write_bytes(data[: -1 if last == "pixels" else -1 - (8 if wide else 4)])
    with pytest.raises(DataError):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("start", [1 << 61, (1 << 63) - 1, 1 << 63, (1 << 64) - 6, (1 << 64) - 1])
def test_a_tiff_whose_pixels_lie_beyond_every_file_is_refused_by_its_header(tmp_path: Path, start: int) -> None:
    """Sums of such places and lengths do not fit into 64 bits, and are not to come out small."""
    (tmp_path / "a.tif").write_bytes(_tiff(wide=True, start=start))
    with pytest.raises(DataError):
        read_header(tmp_path / "a.tif")


def test_a_tiff_of_two_pages_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff(pages=2))
    with pytest.raises(DataError, match="several pictures"):
        read_header(tmp_path / "a.tif")


# JPEG at the source's quality


TEXTURE = (
    cv2.GaussianBlur(np.random.default_rng(3).normal(128, 60, (48, 64, 3)), (5, 5), 1).clip(0, 255).astype(np.uint8)
)


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_of_a_jpeg_of_libjpeg_is_read_back_exactly(tmp_path: Path, quality: int) -> None:
    Image.fromarray(TEXTURE).save(tmp_path / "p.jpg", quality=quality)
    Image.fromarray(TEXTURE).convert("L").save(tmp_path / "g.jpeg", quality=quality, progressive=True, optimize=True)
    write_image(tmp_path / "c.JPG", TEXTURE, quality=quality)
    assert [jpeg_coding(tmp_path / name).quality for name in ("p.jpg", "g.jpeg", "c.JPG")] == [quality] * 3


def test_tables_of_another_program_give_the_nearest_quality(tmp_path: Path) -> None:
    path = tmp_path / "o.jpg"
    for quality in (30, 75, 92):
        Image.fromarray(TEXTURE).save(path, quality=quality)
        with Image.open(path) as image:
            tables = {k: list(table) for k, table in image.quantization.items()}
        tables[0][0] += 1
        Image.fromarray(TEXTURE).save(path, qtables=tables)
        with Image.open(path) as image:
            assert list(image.quantization[0]) == tables[0]
        assert jpeg_coding(path).quality == quality


def _luminance(folder: Path, quality: int) -> np.ndarray:
    """Return the luminance table that Pillow's libjpeg writes for a quality."""
    Image.fromarray(TEXTURE).save(folder / "table.jpg", quality=quality)
    with Image.open(folder / "table.jpg") as image:
        return np.array(image.quantization[0])


def test_of_tables_between_two_qualities_the_nearer_one_is_named(tmp_path: Path) -> None:
    """Against all of libjpeg's own tables; each is a mixture of two neighbours, entry by entry."""
    tables = {quality: _luminance(tmp_path, quality) for quality in range(100, 0, -1)}
    draw = np.random.default_rng(2)
    for _ in range(120):
        quality, share = int(draw.integers(2, 99)), draw.uniform(0.2, 0.8)
        mixed = np.where(draw.random(64) < share, tables[quality], tables[quality + 1])
        Image.fromarray(TEXTURE).save(tmp_path / "o.jpg", qtables={0: mixed.tolist(), 1: [40] * 64})
        distances = {own: int(np.abs(table - mixed).sum()) for own, table in tables.items()}
        assert jpeg_coding(tmp_path / "o.jpg").quality == min(distances, key=lambda own: distances[own])


@pytest.mark.parametrize(("subsampling", "sampling"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_chroma_sampling_is_read_and_written_as_another_program_does(
    tmp_path: Path, subsampling: int, sampling: str
) -> None:
    Image.fromarray(TEXTURE).save(tmp_path / "p.jpg", quality=88, subsampling=subsampling)
    coding = jpeg_coding(tmp_path / "p.jpg")
    assert coding == JpegCoding(88, sampling)
    write_image(tmp_path / "w.jpg", TEXTURE, quality=coding.quality, sampling=coding.sampling)
    assert jpeg_coding(tmp_path / "w.jpg") == coding
    with Image.open(tmp_path / "p.jpg") as theirs, Image.open(tmp_path / "w.jpg") as ours:
        assert [part[1:3] for part in ours.layer] == [part[1:3] for part in theirs.layer]
        assert ours.quantization == theirs.quantization
        assert np.abs(np.asarray(ours).astype(int) - np.asarray(theirs)).mean() < 0.5


@pytest.mark.parametrize("sampling", ["4:1:1", "4:4:0"])
def test_the_rarer_samplings_are_kept(tmp_path: Path, sampling: str) -> None:
    write_image(tmp_path / "a.jpg", TEXTURE, sampling=sampling)
    assert jpeg_coding(tmp_path / "a.jpg") == JpegCoding(95, sampling)


def test_a_grey_jpeg_stays_one_channel_and_has_no_sampling(tmp_path: Path) -> None:
    write_image(tmp_path / "g.jpg", TEXTURE[..., 0], quality=83, sampling="4:4:4")
    assert jpeg_coding(tmp_path / "g.jpg") == JpegCoding(83, "")
    with Image.open(tmp_path / "g.jpg") as image:
        assert image.mode == "L"
    assert read_image(tmp_path / "g.jpg").shape == (48, 64)


def test_what_is_no_jpeg_has_no_quality(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", TEXTURE)
    (tmp_path / "text.jpg").write_bytes(b"hello")
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert [jpeg_coding(tmp_path / name) for name in ("a.png", "text.jpg", "empty.jpg")] == [None] * 3
    with pytest.raises(DataError, match="not there"):
        jpeg_coding(tmp_path / "none.jpg")


def test_tables_behind_a_long_profile_are_found(tmp_path: Path) -> None:
    Image.fromarray(TEXTURE).save(tmp_path / "i.jpg", quality=77, icc_profile=bytes(200_000))
    assert jpeg_coding(tmp_path / "i.jpg").quality == 77


def test_a_jpeg_that_is_cut_anywhere_in_its_head_never_crashes() -> None:
    whole = encode_image(TEXTURE, suffix=".jpg", quality=60)
    found = [coding_of(whole[:length]) for length in range(700)]
    assert set(found) <= {None, JpegCoding(60, "4:2:0")}
    assert found[-1] == JpegCoding(60, "4:2:0")


def test_a_damaged_table_gives_no_quality_and_no_crash() -> None:
    whole = bytearray(encode_image(TEXTURE, suffix=".jpg", quality=60))
    whole[whole.index(b"\xff\xdb") + 4] |= 0x10  # says that its steps take two bytes each
    assert coding_of(bytes(whole)) is None


def test_a_jpeg_of_12_bits_is_refused_for_that(tmp_path: Path) -> None:
    whole = bytearray(encode_image(TEXTURE, suffix=".jpg", quality=60))
    whole[whole.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(whole)
    with pytest.raises(DataError, match="has 12 bits a channel"):
        read_header(tmp_path / "a.jpg")
