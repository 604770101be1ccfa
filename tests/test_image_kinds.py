"""Every kind of image file is read as Pillow reads it, or refused with a sentence and a remedy that works."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.data.eight_bits import parse_range
from coigan_aug.data.importing import import_dataset
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.coco import coco
from coigan_aug.formats.converting import convert
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.image_sizes import measure
from coigan_aug.formats.masks import folder as mask_folder
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, make_classes
from coigan_aug.formats.tables import line_json, rle_csv
from coigan_aug.formats.tools import cvat, label_studio, labelme, supervisely
from coigan_aug.formats.voc import voc
from coigan_aug.imaging import read_header, read_image, read_indexed, read_thumbnail, to_eight_bits, write_image
from coigan_aug.store.dataset import Dataset

DRAW = np.random.default_rng(0)
COLOUR = cv2.GaussianBlur(DRAW.integers(0, 255, (21, 34, 3)).astype(np.uint8), (0, 0), 2)
GREY = COLOUR[..., 0].copy()
CLEAR = np.dstack([COLOUR, DRAW.integers(0, 255, (21, 34)).astype(np.uint8)])
RGB, L = Image.fromarray(COLOUR), Image.fromarray(GREY)
RGBA = Image.fromarray(CLEAR)
PALETTE = RGB.quantize(17)
OTHER = Image.fromarray(COLOUR[::-1].copy())
Make = Callable[[Path], object]


def saved(image: Image.Image, **options: object) -> Make:
    return lambda path: image.copy().save(path, **options)  # a copy, since Pillow keeps options with the image


def painted(pixels: np.ndarray) -> Make:
    return lambda path: cv2.imwrite(str(path), pixels)


def turned(image: Image.Image, orientation: int, **options: object) -> Make:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, exif=exif, **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, *, bits: int = 8, colour: int = 0, interlaced: bool = False) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def adam7(pixels: np.ndarray) -> bytes:
    """Make an interlaced PNG: seven passes (PNG specification, 8.2), each row with filter 0."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [row for x, y, across, down in passes for row in pixels[y::down, x::across] if row.size]
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    return png(pixels.shape[1], pixels.shape[0], body, colour=0 if pixels.ndim == 2 else 2, interlaced=True)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHI", 60, 0, 54, 40, width, height, 1, 24, 0) + bytes(20)


def written(data: bytes) -> Make:
    return lambda path: path.write_bytes(data)


READ: dict[str, Make] = {
    **{f"{name}.{end}": saved(image) for end in ("png", "jpg", "bmp", "tif", "webp") for name, image in (("g", L), ("c", RGB))},
    "alpha.png": saved(RGBA), "alpha.webp": saved(RGBA, lossless=True), "alpha.tif": saved(RGBA),
    "alpha.bmp": saved(RGBA), "grey-alpha.png": saved(RGBA.convert("LA")), "grey-alpha.tif": saved(RGBA.convert("LA")),
    "palette.png": saved(PALETTE), "palette.bmp": saved(PALETTE), "palette.tif": saved(PALETTE),
    "palette-2-bits.png": saved(RGB.quantize(4), bits=2), "palette-clear.png": saved(PALETTE, transparency=3),
    "palette-half-clear.png": saved(PALETTE, transparency=bytes(range(17))),
    "grey-with-clear.png": saved(L, transparency=int(GREY[0, 0])),
    "rgb-with-clear.png": saved(RGB, transparency=tuple(COLOUR[0, 0].tolist())),
    "bit.png": saved(L.convert("1")), "bit.bmp": saved(L.convert("1")), "bit.tif": saved(L.convert("1")),
    "fax.tif": saved(L.convert("1"), compression="group4"), "inverted.tif": saved(L, tiffinfo={262: 0}),
    "lzw.tif": saved(RGB, compression="tiff_lzw"), "deflate.tif": saved(RGB, compression="tiff_adobe_deflate"),
    "jpeg-in.tif": saved(RGB, compression="jpeg"), "ycbcr.tif": saved(RGB.convert("YCbCr")),
    "big.tif": saved(RGB, big_tiff=True),
    "progressive.jpg": saved(RGB, progressive=True), "rgb-coded.jpg": saved(RGB, keep_rgb=True),
    "4-2-2.jpg": saved(RGB, subsampling=1), "long-profile.jpg": saved(RGB, icc_profile=bytes(200_000)),
    "interlaced.png": written(adam7(COLOUR)), "interlaced-grey.png": written(adam7(GREY)),
    "phone.jpg": saved(RGB, format="MPO", save_all=True, append_images=[OTHER.copy()]),
    "named-otherwise.png": saved(RGB, format="JPEG"), "ü ñ 猫 b.png": saved(RGB), f"{'long' * 60}.png": saved(L),
}  # fmt: skip


@pytest.mark.parametrize("name", list(READ), ids=lambda name: name[:30])
def test_an_image_is_read_as_pillow_reads_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    READ[name](path)
    with Image.open(path) as image:
        image.load()
        if "transparency" in image.info:
            del image.info["transparency"]
        expected = np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    header, pixels = read_header(path), read_image(path)
    assert pixels.shape == expected.shape
    assert (header.height, header.width, header.bits) == (*expected.shape[:2], 8)
    assert np.abs(pixels.astype(int) - expected).max() <= (1 if "ycbcr" in name or "jpg" in name else 0)
    thumbnail = cv2.resize(expected, (8, 8), interpolation=cv2.INTER_AREA).astype(float)
    grey = thumbnail @ (0.299, 0.587, 0.114) if thumbnail.ndim == 3 else thumbnail
    if "alpha.tif" not in name:
        assert np.abs(read_thumbnail(path, size=8) - grey).max() < 3


REFUSED: dict[str, tuple[Make, str]] = {
    "empty.jpg": (written(b""), "is empty (0 bytes)"),
    "text.png": (written(b"<html>404</html>"), "is not an image that can be read"),
    "half-header.png": (written(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0"), "is not an image that can be read"),
    "16.png": (painted(GREY.astype(np.uint16) * 16), "has 16 bits a channel (values"),
    "16-rgb.png": (painted(COLOUR.astype(np.uint16) * 256), "has 16 bits a channel (values"),
    "16-alpha.png": (painted(CLEAR.astype(np.uint16) * 256), "has 16 bits a channel (values"),
    "16.tif": (painted(GREY.astype(np.uint16) * 4), "has 16 bits a channel (values"),
    "16-rgb.tif": (painted(COLOUR.astype(np.uint16) * 256), "has 16 bits a channel (values"),
    "float.tif": (painted(GREY.astype(np.float32) / 255), "numbers that are not whole"),
    "float-rgb.tif": (painted(COLOUR.astype(np.float32)), "numbers that are not whole"),
    "signed.tif": (saved(Image.fromarray(GREY.astype(np.int32) - 128)), "numbers that are not whole or signed (32 bits"),
    "cmyk.jpg": (saved(RGB.convert("CMYK")), "is a CMYK image"),
    "cmyk.tif": (saved(RGB.convert("CMYK")), "is a CMYK image"),
    "lab.tif": (saved(RGB.convert("LAB")), "is a Lab image"),
    "pages.tif": (saved(RGB, save_all=True, append_images=[OTHER.copy()]), "holds several pictures"),
    "moving.webp": (saved(RGB, save_all=True, append_images=[OTHER.copy()], lossless=True), "holds several pictures"),
    "moving.png": (saved(RGB, save_all=True, append_images=[OTHER.copy()]), "holds several pictures"),
    "gif-named.png": (saved(PALETTE, format="GIF"), "is a GIF image"),
    "bomb.png": (written(png(50_000, 50_000, b"\0" * 2_500)), "says it is 50000 x 50000 pixels, over the limit"),
    "huge.png": (written(png(2**31 - 1, 2**31 - 1, b"\0")), "over the limit of 200,000,000"),
    "bomb.bmp": (written(bmp(50_000, -50_000)), "over the limit"), "flat.bmp": (written(bmp(8, -8)), "is cut off"),
    **{f"turned-{k}.tif": (saved(RGB, tiffinfo={274: k}), f"is a TIFF of orientation {k}") for k in (2, 3, 6)},
    "zero.png": (written(png(0, 0, b"\0")), "has no pixels"),
}  # fmt: skip


def _measured(path: Path, **options: object) -> tuple[int, int] | None:
    reading = Reading(path, options=ReadOptions(**options))
    size = measure(reading, ImageFolder(path.parent, problems=Problems()), path.name)
    reading.problems.check_broken()
    return size


@pytest.mark.parametrize("name", list(REFUSED))
def test_an_image_that_is_not_read_is_refused_with_a_sentence_and_skipped_if_asked(tmp_path: Path, name: str) -> None:
    make, says = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(DataError) as caught:
        _measured(tmp_path / name)
    assert says in caught.value.message
    assert name in caught.value.message
    assert "--skip-broken" in caught.value.remedy
    assert _measured(tmp_path / name, skip_broken=True) is None
    with pytest.raises(DataError):
        read_image(tmp_path / name)
    with pytest.raises(DataError):
        read_thumbnail(tmp_path / name, size=8)


@pytest.mark.parametrize(
    "name", [name for name in REFUSED if name.split(".")[0] in ("cmyk", "lab", "pages", "moving", "gif-named")]
)
def test_the_command_in_a_remedy_makes_the_image_readable(tmp_path: Path, name: str) -> None:
    REFUSED[name][0](tmp_path / name)
    with pytest.raises(DataError) as caught:
        read_header(tmp_path / name)
    _run(caught.value.remedy, tmp_path)
    assert np.abs(read_image(tmp_path / name).astype(int) - COLOUR).mean() < 12


# Cut off


CUT = ["g.png", "c.jpg", "progressive.jpg", "c.bmp", "palette.bmp", "c.tif", "lzw.tif", "big.tif", "jpeg-in.tif", "c.webp",
       "alpha.webp", "interlaced.png", "alpha.tif", "bit.tif"]  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_an_image_cut_off_anywhere_is_refused_before_it_is_decoded(tmp_path: Path, name: str) -> None:
    """Only what is behind the pixels may be missing: a TIFF's directory or a padding byte is not."""
    READ[name](tmp_path / name)
    data, whole = (tmp_path / name).read_bytes(), read_image(tmp_path / name)
    lengths = {*range(0, len(data), max(len(data) // 40, 1)), *range(0, 60, 3), *range(len(data) - 12, len(data))}
    for length in sorted(lengths):
        (tmp_path / name).write_bytes(data[:length])
        try:
            header = read_header(tmp_path / name)
        except DataError:
            continue
        assert (header.height, header.width) == whole.shape[:2]
        assert length >= len(data) - 12
        assert (read_image(tmp_path / name) == whole).all()


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(tmp_path: Path) -> None:
    """A cut just behind the EXIF thumbnail leaves that one's end-of-image marker near the file's end."""
    RGB.save(tmp_path / "small.jpg", quality=50)
    small = (tmp_path / "small.jpg").read_bytes()
    assert small.endswith(b"\xff\xd9")
    RGB.save(tmp_path / "a.jpg", exif=b"Exif\0\0" + small)
    data = (tmp_path / "a.jpg").read_bytes()
    assert read_image(tmp_path / "a.jpg").shape == (21, 34, 3)
    for length in (data.rindex(b"\xff\xda") - 1, data.rindex(b"\xff\xda") + 30):
        (tmp_path / "a.jpg").write_bytes(data[:length])
        with pytest.raises(DataError, match="is cut off"):
            read_header(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["c.jpg", "c.png"])
def test_bytes_behind_the_end_do_no_harm(tmp_path: Path, name: str) -> None:
    READ[name](tmp_path / name)
    whole = read_image(tmp_path / name)
    with (tmp_path / name).open("ab") as stream:
        stream.write(b"trailer" * 2_000)
    assert (read_image(tmp_path / name) == whole).all()


def test_flipped_bits_give_pixels_or_a_refusal_and_nothing_else(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    for name in ("c.png", "c.jpg", "palette.bmp", "c.tif", "lzw.tif", "alpha.tif", "alpha.webp", "progressive.jpg"):
        READ[name](tmp_path / name)
        data = (tmp_path / name).read_bytes()
        refused = 0
        for _ in range(25):
            torn = bytearray(data)
            torn[int(draw.integers(len(data)) * draw.random() ** 2)] ^= 1 << int(draw.integers(8))
            (tmp_path / name).write_bytes(torn)
            for read in (read_image, read_indexed, lambda path: read_thumbnail(path, size=8)):
                try:
                    read(tmp_path / name)
                except DataError:
                    refused += 1
        assert refused


ABSURD = {273: 1 << 30, 279: 1 << 30, 256: 1 << 31, 277: 60_000, 258: 64}


@pytest.mark.parametrize("tag", list(ABSURD))
def test_a_tiff_with_absurd_tags_is_refused(tmp_path: Path, tag: int) -> None:
    RGB.save(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = struct.unpack("<I", data[4:8])[0]
    for k in range(struct.unpack("<H", data[at : at + 2])[0]):
        place = at + 2 + 12 * k
        if struct.unpack("<H", data[place : place + 2])[0] == tag:
            data[place + 2 : place + 12] = struct.pack("<HII", 4, 1, ABSURD[tag])
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(DataError):
        read_header(tmp_path / "a.tif")


def test_a_tiff_whose_pages_form_a_circle_is_refused(tmp_path: Path) -> None:
    L.save(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = struct.unpack("<I", data[4:8])[0]
    end = at + 2 + 12 * struct.unpack("<H", data[at : at + 2])[0]
    data[end : end + 4] = struct.pack("<I", at)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(DataError, match="cut off"):
        read_header(tmp_path / "a.tif")


def test_a_smaller_copy_behind_the_first_page_is_no_second_picture(tmp_path: Path) -> None:
    small = RGB.resize((8, 5))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    RGB.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    with Image.open(tmp_path / "a.tif") as image:
        assert image.n_frames == 2
        image.seek(1)
        reduced = image.tag_v2.get(254, 0)
    if reduced:
        assert (read_image(tmp_path / "a.tif") == COLOUR).all()
    else:
        pytest.skip("this Pillow can't write the tag of reduced pages")


# What is named like an image


def test_folders_links_pipes_and_long_paths_named_like_images(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    write_image(outside / "secret.png", GREY)
    deep = root.joinpath(*["d" * 60] * 6)
    write_image(deep / "a b ü.png", GREY)
    (root / "folder.png").mkdir()
    (root / "dead.png").symlink_to("nowhere.png")
    (root / "out.png").symlink_to(outside / "secret.png")
    (root / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.png")
    (root / "in.png").symlink_to(deep / "a b ü.png")
    problems = Problems()
    folder = ImageFolder(root, problems=problems)
    long = f"{'/'.join(['d' * 60] * 6)}/a b ü.png"
    assert len(str(root / long)) > 255
    assert folder.images() == [long, "in.png"]
    assert folder.size(long) == folder.size("in.png") == GREY.shape
    assert "2 links lead out of root/" in problems.all[0].what
    for name in ("folder.png", "dead.png", "zero.png", "pipe.png", "n" * 300 + ".png"):
        assert folder.find(name) is None if name not in folder.outside else True
    with pytest.raises(DataError, match="not there"):
        read_image(root / "folder.png")


def test_images_whose_names_are_no_unicode_are_left_out_and_counted(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", GREY)
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfcber.png")).write_bytes((tmp_path / "a.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes no such names")
    problems = Problems()
    assert ImageFolder(tmp_path, problems=problems).images() == ["a.png"]
    assert "not UTF-8" in problems.all[0].what


# EXIF


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("end", ["jpg", "png", "webp"])
def test_pixels_are_as_stored_whatever_exif_says(tmp_path: Path, end: str, orientation: int) -> None:
    path = tmp_path / f"a.{end}"
    turned(RGB, orientation, **({"lossless": True} if end == "webp" else {"quality": 95}))(path)
    header = read_header(path)
    assert (header.height, header.width, header.orientation) == (21, 34, orientation)
    assert np.abs(read_image(path).astype(int) - COLOUR).mean() < 3
    problems = Problems()
    for _ in range(3):
        measure(Reading(path, problems=problems), ImageFolder(tmp_path, problems=problems), path.name)
    said = [f"{found.what}; {found.done}" for found in problems.all]
    note = "3 images are turned for viewing by their EXIF orientation; masks taken as of the stored pixels"
    assert said == ([note] if orientation > 1 else [])


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("image", [RGB, RGBA, L], ids=["RGB", "RGBA", "L"])
def test_a_tiff_to_be_turned_is_refused_and_the_remedy_turns_it(
    tmp_path: Path, image: Image.Image, orientation: int
) -> None:
    image.copy().save(tmp_path / "a.tif", tiffinfo={274: orientation})
    with pytest.raises(DataError, match=f"orientation {orientation}, which some programs turn") as caught:
        read_image(tmp_path / "a.tif")
    _run(caught.value.remedy, tmp_path)
    expected = ImageOps.exif_transpose(_noted(image, orientation))
    assert read_image(tmp_path / "a.tif").shape[:2] == expected.size[::-1]
    if image is not RGBA:
        assert (read_image(tmp_path / "a.tif") == np.asarray(expected)).all()


def _noted(image: Image.Image, orientation: int) -> Image.Image:
    noted = image.copy()
    noted.getexif()[0x0112] = orientation
    return noted


def _run(remedy: str, folder: Path) -> None:
    """Run the command of a remedy, which stands between double spaces."""
    command = next(part for part in remedy.split("  ") if part.startswith("python -c "))
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, cwd=folder, check=True)


def _turned_sources(folder: Path) -> dict[str, tuple[Path, object]]:
    """Write sources whose annotations were made on the image as EXIF turns it: 34 rows of 21 pixels."""
    turned(RGB, 6, quality=95)(folder / "images" / "a.jpg")
    mask = np.zeros((34, 21), np.uint8)
    mask[3:30, 2:9] = 1
    annotation = Annotation(label="pit", rle=rle.encode(mask))
    record = ImageRecord(file="images/a.jpg", height=34, width=21, annotations=(annotation,))
    classes = make_classes(["pit"], source_ids=[1])
    found: dict[str, tuple[Path, object]] = {"coco": (coco.write(folder / "coco", [record], classes=classes), coco)}
    text = (folder / "coco" / "annotations.json").read_text()
    (folder / "coco" / "masks.json").write_text(text.replace('"height": 34, "width": 21', '"id": 1'))
    found["coco without sizes"] = (folder / "coco" / "masks.json", coco)
    lines = folder / "object_dataset_pit"
    lines.mkdir()
    (lines / "dataset.jsonl").write_text('{"img": "a.jpg", "points": [[2, 3], [8, 3], [8, 29]], "shape": [34, 21]}\n')
    found["line-json"] = (lines, line_json)
    write_image(folder / "masks" / "a.png", mask * 255)
    found["mask-folder"] = (folder, mask_folder)
    for module in (labelme, cvat, label_studio, supervisely, voc):
        name = module.__name__.rpartition(".")[2]
        found[name] = (module.write(folder / name, [record], classes=classes), module)
    return found


SIZED = ["labelme", "cvat", "label_studio", "supervisely", "voc"]


@pytest.mark.parametrize("name", ["coco", "coco without sizes", "line-json", "mask-folder", *SIZED])
def test_annotations_of_the_turned_image_are_refused_and_the_remedy_works(tmp_path: Path, name: str) -> None:
    (tmp_path / "images").mkdir()
    path, module = _turned_sources(tmp_path)[name]
    images = tmp_path if module is coco else tmp_path / "images"
    options = ReadOptions(images=None if module is mask_folder else images)

    def read() -> list[ImageRecord]:
        return list(module.read(Reading(path, options=options)).records)

    with pytest.raises(DataError, match=r"Was it turned \(EXIF\)") as caught:
        read()
    _run(caught.value.remedy, tmp_path / "images")
    [record] = read()
    assert (record.height, record.width) == (34, 21)
    assert np.abs(read_image(tmp_path / "images" / "a.jpg").astype(int) - np.rot90(COLOUR, -1)).mean() < 6


def _stored(folder: Path, name: str, orientation: int, *, square: bool = False) -> tuple[list[ImageRecord], list[str]]:
    """Write an image that EXIF turns, and in a format a mask that says the size of the stored pixels; read it."""
    image = RGB.crop((0, 0, 20, 20)) if square else RGB
    turned(image, orientation, quality=95)(folder / "images" / "a.jpg")
    height, width = image.size[::-1]
    mask = np.zeros((height, width), np.uint8)
    mask[3:9, 2:9] = 1
    annotations = (Annotation(label="pit", rle=rle.encode(mask)),)
    record = ImageRecord(file="images/a.jpg", height=height, width=width, annotations=annotations)
    module = {"labelme": labelme, "cvat": cvat, "label_studio": label_studio, "supervisely": supervisely, "voc": voc}[
        name
    ]
    path, problems = module.write(folder / name, [record], classes=make_classes(["pit"], source_ids=[1])), Problems()
    source = module.read(Reading(path, options=ReadOptions(images=folder / "images"), problems=problems))
    return list(source.records), [problem.what for problem in problems.all]


@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
@pytest.mark.parametrize("name", SIZED)
def test_a_size_tells_that_masks_are_of_the_stored_pixels(tmp_path: Path, name: str, orientation: int) -> None:
    (tmp_path / "images").mkdir()
    records, odd = _stored(tmp_path, name, orientation)
    assert len(records[0].annotations) == 1
    assert not odd


SAME_SIZE = [(2, False), (3, False), (4, False), (6, True), (8, True)]


@pytest.mark.parametrize(("orientation", "square"), SAME_SIZE)
@pytest.mark.parametrize("name", SIZED[1:])
def test_what_a_size_can_not_tell_is_noted(tmp_path: Path, name: str, orientation: int, square: bool) -> None:
    (tmp_path / "images").mkdir()
    _, odd = _stored(tmp_path, name, orientation, square=square)
    assert odd == ["1 images are turned for viewing by their EXIF orientation"]


@pytest.mark.parametrize(("orientation", "square"), SAME_SIZE)
def test_masks_of_labelme_are_of_the_image_as_exif_turns_it(tmp_path: Path, orientation: int, square: bool) -> None:
    """As labelme opens it since 3.9. It is refused where nothing else tells, and once it is turned the masks fit."""
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=rf"labelme shows it turned \(EXIF orientation {orientation}\)") as caught:
        _stored(tmp_path, "labelme", orientation, square=square)
    _run(caught.value.remedy, tmp_path / "images")
    expected = ImageOps.exif_transpose(_noted(RGB.crop((0, 0, 20, 20)) if square else RGB, orientation))
    assert np.abs(read_image(tmp_path / "images" / "a.jpg").astype(int) - np.asarray(expected)).mean() < 8
    problems = Problems()
    source = labelme.read(
        Reading(tmp_path / "labelme", options=ReadOptions(images=tmp_path / "images"), problems=problems)
    )
    assert len(next(source.records).annotations) == 1
    assert not problems.all


def test_an_image_without_shapes_need_not_be_turned(tmp_path: Path) -> None:
    turned(RGB, 3, quality=95)(tmp_path / "a.jpg")
    labelme.write(tmp_path, [ImageRecord(file="a.jpg", height=21, width=34)], classes=())
    problems = Problems()
    assert len(list(labelme.read(Reading(tmp_path, problems=problems)).records)) == 1
    assert len(problems.all) == 1


def test_a_csv_of_runs_can_not_tell_and_notes_the_turned_image(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    turned(RGB, 6, quality=95)(tmp_path / "images" / "a.jpg")
    (tmp_path / "a.csv").write_text("ImageId,ClassId,EncodedPixels\na.jpg,1,1 3\n")
    problems = Problems()
    assert len(list(rle_csv.read(Reading(tmp_path / "a.csv", problems=problems)).records)) == 1
    assert [found.file for found in problems.all] == ["a.jpg"]


# More than 8 bits


def _deep_set(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Write images of several depths and a mask on each; return the annotations and the 12-bit values."""
    values = {
        name: np.random.default_rng(k).integers(0, 5_000, (24, 30)).astype(np.uint16) for k, name in enumerate("abcd")
    }
    (folder / "images").mkdir(parents=True)
    for name, pixels in list(values.items())[:3]:
        cv2.imwrite(str(folder / "images" / f"{name}.{'tif' if name == 'b' else 'png'}"), pixels)
    cv2.imwrite(str(folder / "images" / "c.png"), np.dstack([values["c"], values["a"], values["b"]]))
    write_image(folder / "images" / "d.png", (values["d"] // 32).astype(np.uint8))
    rows = [f"{name},1,1 5" for name in ("a.png", "b.tif", "c.png")]
    (folder / "a.csv").write_text("\n".join(["ImageId,ClassId,EncodedPixels", *rows, ""]))
    return folder / "a.csv", values


def test_a_range_scales_images_of_more_bits_in_copies(tmp_path: Path) -> None:
    source, values = _deep_set(tmp_path / "data")
    before = {path.name: path.read_bytes() for path in (tmp_path / "data" / "images").iterdir()}
    options = ReadOptions(value_range=parse_range("0,4095"))
    import_dataset(source, tmp_path / "out", options=options, group_by="none")
    dataset = Dataset(tmp_path / "out")
    assert dataset.image_root == tmp_path / "out" / "images"
    images = {record.file: dataset.image(k) for k, record in enumerate(dataset)}

    def expected(name: str) -> np.ndarray:
        return np.floor(np.minimum(values[name], 4095).astype(float) * 255 / 4095 + 0.5)

    assert (images["a.png"] == expected("a")[..., None]).all()
    assert (images["b.tif"] == expected("b")[..., None]).all()
    assert (images["c.png"] == np.dstack([expected(name) for name in "bac"])).all()
    assert (images["d.png"] == (values["d"] // 32)[..., None]).all()
    assert {path.name: path.read_bytes() for path in (tmp_path / "data" / "images").iterdir()} == before
    assert dataset.manifest["provenance"]["value_range"] == [0, 4095]


def test_without_a_range_the_refusal_names_one_that_works(tmp_path: Path) -> None:
    source, values = _deep_set(tmp_path / "data")
    with pytest.raises(DataError, match=r"has 16 bits a channel \(values [0-9] to 49[0-9]{2}\)") as caught:
        import_dataset(source, tmp_path / "out", group_by="none")
    text = caught.value.remedy.split("--value-range ")[1].split()[0]
    assert parse_range(text)[1] >= max(pixels.max() for pixels in values.values())
    import_dataset(source, tmp_path / "out", options=ReadOptions(value_range=parse_range(text)), group_by="none")
    assert len(Dataset(tmp_path / "out")) == 4


def test_a_mask_of_more_bits_is_never_scaled(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png", GREY)
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), GREY.astype(np.uint16) * 256)
    options = ReadOptions(value_range=(0, 65535))
    with pytest.raises(DataError, match=r"a\.png is no mask but a photograph"):
        list(mask_folder.read(Reading(tmp_path, options=options)).records)


def test_floating_point_scales_and_what_is_no_number_becomes_zero() -> None:
    pixels = np.array([[-0.5, 0, 0.5, 1, 2, np.nan, np.inf, -np.inf]], np.float32)
    assert to_eight_bits(pixels, (0, 1)).tolist() == [[0, 0, 128, 255, 255, 0, 255, 0]]


@pytest.mark.parametrize("text", ["", "1", "a,b", "5,5", "9,1", "nan,1", "0,inf", "0,1,2"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--value-range") as caught:
        parse_range(text)
    assert "0,4095" in caught.value.remedy


@pytest.mark.parametrize("to", ["labelme", "cvat", "label-studio", "via", "yolo", "coco"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_conversion_tells_of_images_that_the_formats_program_turns(tmp_path: Path, to: str, orientation: int) -> None:
    (tmp_path / "images").mkdir()
    turned(RGB, orientation, quality=95)(tmp_path / "images" / "a.jpg")
    turned(RGB, orientation, quality=95)(tmp_path / "images" / "free of defects.jpg")
    item = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[3, 3, 20, 3, 20, 9]]}
    names = ("a.jpg", "free of defects.jpg")
    images = [{"id": k, "file_name": name, "height": 21, "width": 34} for k, name in enumerate(names, start=1)]
    value = {"images": images, "categories": [{"id": 1, "name": "pit"}], "annotations": [item]}
    (tmp_path / "c.json").write_text(json.dumps(value))
    losses = [str(loss) for loss in convert(tmp_path / "c.json", tmp_path / "out", to=to).losses]
    said = "1 images that EXIF turns when they are shown, so that their masks lie elsewhere (first: a.jpg)"
    assert losses == ([said] if to != "coco" and orientation > 1 else [])
    bare = convert(tmp_path / "c.json", tmp_path / "bare", to=to, image_files="none")
    assert said not in map(str, bare.losses)
