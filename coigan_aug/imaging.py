"""The only place that reads and writes image files. Images are RGB or grey uint8; masks are grey uint8."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.jpeg import JpegCoding, coding_of, frame_of

Kind = TypeVar("Kind", bound=np.generic)
Pixels = NDArray[np.uint8]
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_START = 65536
MAX_PIXELS = 200_000_000
_QUALITY = {
    ".jpg": cv2.IMWRITE_JPEG_QUALITY,
    ".jpeg": cv2.IMWRITE_JPEG_QUALITY,
    ".webp": cv2.IMWRITE_WEBP_QUALITY,
}
_REDUCED = {
    1: (cv2.IMREAD_GRAYSCALE, cv2.IMREAD_COLOR),
    2: (cv2.IMREAD_REDUCED_GRAYSCALE_2, cv2.IMREAD_REDUCED_COLOR_2),
    4: (cv2.IMREAD_REDUCED_GRAYSCALE_4, cv2.IMREAD_REDUCED_COLOR_4),
    8: (cv2.IMREAD_REDUCED_GRAYSCALE_8, cv2.IMREAD_REDUCED_COLOR_8),
}
"""How OpenCV decodes an image to its size over 1, 2, 4 or 8, in grey and in colour."""
_SAMPLINGS = {
    "4:1:1": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}


@dataclass(frozen=True)
class Header:
    """What an image file says of itself: height and width in pixels, channels, bits a channel."""

    height: int
    width: int
    channels: int
    bits: int


def read_header(path: Path) -> Header:
    """Read an image's size without decoding it.

    Raises:
        DataError: missing, empty, not an image, over 200 million pixels, CMYK, or more than 8 bits a channel.
    """
    with _opened(path) as stream:
        return _checked_header(path, stream.read(_START))


def read_whole_header(path: Path) -> Header:
    """Read an image's size and see that its end is there, opening it once.

    Raises:
        DataError: as `read_header` and `check_whole`.
    """
    with _opened(path) as stream:
        start = stream.read(_START)
        end = start if len(start) < _START else _end(stream)
    header = _checked_header(path, start)
    _check_end(path, start, end)
    return header


def _checked_header(path: Path, start: bytes) -> Header:
    if not start:
        raise DataError(f"{path} is empty (0 bytes).", remedy="Copy it again, or --skip-broken.")
    header = _jpeg_header(start) or _png_header(start) or _other_header(path)
    if header.height * header.width > MAX_PIXELS:
        raise DataError(f"{path} says it is {header.height} x {header.width} pixels, over the limit of {MAX_PIXELS:,}.")
    if header.bits > 8:
        raise DataError(
            f"{path} has {header.bits} bits a channel.", remedy="Convert it to 8 bits; nothing is scaled unasked."
        )
    if header.channels == 4 and start[:2] == b"\xff\xd8":
        raise DataError(f"{path} is a CMYK image.", remedy="Convert it to RGB or grey.")
    return header


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataError(f"{path} is not there.") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error


def _jpeg_header(data: bytes) -> Header | None:
    frame = frame_of(data)
    return None if frame is None else Header(frame.height, frame.width, len(frame.components), frame.bits)


def _png_header(data: bytes) -> Header | None:
    """Read the IHDR chunk (PNG specification 11.2.1); None for other files."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 26:
        return None
    width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
    return Header(height, width, {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour, 0), max(bits, 8))


def _other_header(path: Path) -> Header:
    try:
        with Image.open(path) as image:
            bits = 16 if image.mode.startswith(("I", "F")) else 8
            return Header(image.height, image.width, len(image.getbands()), bits)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} is not an image that can be read.", remedy="Copy it again, or --skip-broken."
        ) from error


def check_whole(path: Path) -> None:
    """Refuse a JPEG or PNG without its end marker (a decoder would fill the rest with grey and not say so).

    Raises:
        DataError: the file is cut off.
    """
    with _opened(path) as stream:
        start = stream.read(8)
        end = _end(stream)
    _check_end(path, start, end)


def _end(stream: IO[bytes]) -> bytes:
    stream.seek(0, 2)
    stream.seek(max(0, stream.tell() - 4096))
    return stream.read()


def _check_end(path: Path, start: bytes, end: bytes) -> None:
    if start[:2] == b"\xff\xd8" and b"\xff\xd9" not in end:
        raise DataError(f"{path.name} is cut off (no end-of-image marker).", remedy="Copy it again, or --skip-broken.")
    if start[:8] == b"\x89PNG\r\n\x1a\n" and b"IEND" not in end:
        raise DataError(f"{path.name} is cut off (no end chunk).", remedy="Copy it again, or --skip-broken.")


def read_image(path: Path) -> Pixels:
    """Read an image as stored: uint8 [H, W, 3] RGB, or [H, W] where the file is grey.

    Transparency is dropped; a rotation noted in EXIF is not applied, since masks refer to the stored pixels.

    Raises:
        DataError: as `read_header` and `check_whole`, or the pixels can't be decoded.
    """
    header = read_header(path)
    check_whole(path)
    grey = header.channels in (1, 2)
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise DataError(f"{path} can't be decoded.", remedy="Copy it again, or --skip-broken.")
    return np.ascontiguousarray(pixels if grey else pixels[:, :, ::-1], dtype=np.uint8)


def read_rgb(path: Path) -> Pixels:
    """Read an image as uint8 [H, W, 3] RGB; grey is repeated over the three channels."""
    return to_rgb(read_image(path))


def to_rgb(pixels: Pixels) -> Pixels:
    """Repeat a grey [H, W] image over three channels; an RGB image is returned as it is."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def read_mask(path: Path) -> Pixels:
    """Read a mask file as stored: uint8 [H, W] (grey or palette luminance), or [H, W, 3] where it has colours."""
    return read_image(path)


def read_palette(path: Path) -> Pixels | None:
    """Read the colour numbers of a PNG with a palette, uint8 [H, W]; None for other files.

    Raises:
        DataError: as `read_header` and `check_whole`, or the pixels can't be decoded.
    """
    found = read_indexed(path)
    return None if found is None else found[0]


def read_indexed(path: Path) -> tuple[Pixels, Pixels] | None:
    """Read the colour numbers of a PNG with a palette, uint8 [H, W], and the palette, uint8 [256, 3] RGB; None for others.

    Colours that the file does not have are black.

    Raises:
        DataError: as `read_header` and `check_whole`, or the pixels can't be decoded.
    """
    read_header(path)
    check_whole(path)
    try:
        with Image.open(path) as image:
            if image.mode != "P":
                return None
            numbers = np.array(image, dtype=np.uint8)
            own = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} can't be decoded.", remedy="Copy it again, or --skip-broken.") from error
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(own)] = own
    return numbers, colours


def read_thumbnail(path: Path, *, size: int, colour: bool = False) -> Pixels:
    """Read an image as a grey uint8 [size, size] picture, averaging over areas; large JPEGs are decoded reduced.

    With `colour` it is RGB, [size, size, 3].

    Raises:
        DataError: the file can't be decoded.
    """
    header = read_header(path)
    shrink = min(header.height, header.width) // (2 * size)
    level = 8 if shrink >= 8 else 4 if shrink >= 4 else 2 if shrink >= 2 else 1
    flags = _REDUCED[level][colour]
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise DataError(f"{path} can't be decoded.", remedy="Copy it again, or --skip-broken.")
    small = np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.ascontiguousarray(small[:, :, ::-1]) if colour else small


def cut_mirrored(image: NDArray[Kind], region: tuple[int, int, int, int]) -> NDArray[Kind]:
    """Cut a region (left, top, width, height) out of an image [H, W] or [H, W, 3].

    Beyond the edges, however far, the image is mirrored; the edge pixel is not repeated.
    """
    left, top, width, height = region
    rows = folded(top, height, image.shape[0])
    columns = folded(left, width, image.shape[1])
    return np.asarray(image[rows[:, None], columns[None, :]])


def folded(start: int, count: int, length: int) -> NDArray[np.int64]:
    """Return `count` indices from `start` on, those beyond [0, length) folded back inside."""
    if length == 1:
        return np.zeros(count, np.int64)
    folded = np.abs(np.arange(start, start + count)) % (2 * length - 2)
    return np.minimum(folded, 2 * length - 2 - folded)


def jpeg_coding(path: Path) -> JpegCoding | None:
    """Estimate the quality and the chroma sampling that a JPEG file was written with; None for a file that is no JPEG.

    Raises:
        DataError: the file is missing or can't be read.
    """
    with _opened(path) as stream:
        start = stream.read(_START)
        return coding_of(start) or coding_of(start + stream.read()) if start[:2] == b"\xff\xd8" else None


def encode_image(image: Pixels, *, suffix: str, quality: int = 95, sampling: str = "") -> bytes:
    """Encode uint8 [H, W] grey or [H, W, 3] RGB pixels as the format of `suffix`.

    Args:
        quality: 1-100; counts for JPEG and WebP.
        sampling: of a JPEG's chroma, as `jpeg_coding` says it; "" is the encoder's own, 4:2:0.
    """
    stored = image[:, :, ::-1] if image.ndim == 3 else image
    kind = _QUALITY.get(suffix.lower())
    options = [] if kind is None else [kind, quality]
    if sampling and kind == cv2.IMWRITE_JPEG_QUALITY and image.ndim == 3:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLINGS[sampling]]
    done, data = cv2.imencode(suffix, np.ascontiguousarray(stored), options)
    if not done:
        raise DataError(f"an image of shape {image.shape} can't be written as {suffix}")
    return bytes(data)


def decode_bitmap(data: bytes, *, limit: int) -> NDArray[np.bool_]:
    """Decode a mask that a tool keeps as PNG bytes: bool [h, w].

    A pixel belongs to it where the picture is not transparent or, in a picture without transparency, where a value
    (of a palette the colour's number) is not 0.

    Args:
        limit: the most pixels to decode; a picture that says it has more is refused before it is decoded.

    Raises:
        ValueError: it is no whole PNG, or larger than the limit; the message says which.
    """
    header = _png_header(data)
    if header is None:
        raise ValueError("is not a PNG picture")
    if header.height * header.width > limit:
        raise ValueError(f"says it is {header.height} x {header.width} pixels, larger than its image")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            clear = image.mode in ("LA", "RGBA") or "transparency" in image.info
            pixels = np.asarray(image.convert("RGBA").getchannel("A") if clear else image)
    except Exception as error:  # Pillow's decoder lets through whatever its parts raise
        raise ValueError("is a damaged PNG picture") from error
    return np.asarray(pixels != 0 if pixels.ndim == 2 else (pixels != 0).any(axis=2))


def encode_bitmap(mask: NDArray[np.generic], *, clear: bool = False) -> bytes:
    """Encode a mask [h, w] as the PNG bytes that `decode_bitmap` reads: grey 0 and 1, or a palette of two colours.

    Args:
        clear: write the palette, whose first colour is transparent.
    """
    image = Image.fromarray((mask != 0).astype(np.uint8))
    data = io.BytesIO()
    if clear:
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.save(data, format="PNG", transparency=0)
    else:
        image.save(data, format="PNG")
    return data.getvalue()


def encode_indexed(numbers: Pixels, colours: Sequence[tuple[int, int, int]]) -> bytes:
    """Encode colour numbers, uint8 [H, W], as a PNG with a palette of at most 256 RGB colours."""
    image = Image.fromarray(np.ascontiguousarray(numbers), mode="L")
    image.putpalette([part for colour in colours for part in colour])
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def write_image(path: Path, image: Pixels, *, quality: int = 95, sampling: str = "") -> None:
    """Write uint8 [H, W] grey or [H, W, 3] RGB pixels atomically, in the format of the suffix, as `encode_image` does."""
    write_bytes(path, encode_image(image, suffix=path.suffix, quality=quality, sampling=sampling))
