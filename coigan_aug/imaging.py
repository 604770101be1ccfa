"""Where image files are read and written (masks: `mask_image`). Images are RGB or grey uint8; masks are grey uint8.

OpenCV and Pillow are loaded where pixels are: what reads headers alone starts faster without them, in half the memory.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.geometry import Box
from coigan_aug.headers import Header, header_of
from coigan_aug.matlab import MATLAB, SUFFIX, read_labels

if TYPE_CHECKING:
    from PIL import Image

    from coigan_aug.jpeg import JpegCoding

Kind = TypeVar("Kind", bound=np.generic)
Found = TypeVar("Found")
Pixels = NDArray[np.uint8]
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MAX_PIXELS = 200_000_000
_LARGE = 1 << 25  # pixels of an image from which on threads decode one after the other: each takes much memory
_ONE_AT_A_TIME = Lock()
_SKIP = "Or --skip-broken."
_AGAIN = "Copy it again, or --skip-broken."
_CONVERTED = ("CMYK", "Lab", "GIF")
_LEAST_LOSS = {"JPEG": ", quality=95", "WebP": ", lossless=True"}


@cache
def _opencv() -> ModuleType:
    """Load OpenCV; what it says on stderr of a broken file is said here in a sentence."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def read_header(path: Path, *, deep: bool = False, mask: bool = False) -> Header:
    """Read an image's size without decoding it, and see that its end is there.

    Args:
        deep: accept more than 8 bits a channel, floating point and signed numbers too.
        mask: accept what a mask may be (`mask_image`): whole numbers of more than 8 bits, GIF, MATLAB (which is read for it).

    Raises:
        DataError: missing, empty, not an image, cut off (a decoder would fill the rest with grey and not say so), over
            200 million pixels, of several pages or frames, not in RGB or grey, more than 8 bits a channel, or a TIFF that
            is to be turned.
    """
    try:
        if mask and path.suffix.lower() == SUFFIX:
            height, width = read_labels(path).shape
            return Header(height, width, 1, 8, MATLAB)
        with path.open("rb") as stream:
            header = header_of(stream)
            length = stream.seek(0, 2)
    except OSError as error:
        raise _unreadable(path, error) from error
    if header is not None and header.height * header.width > MAX_PIXELS:
        size = f"{header.height} x {header.width} pixels"
        raise DataError(f"{path} says it is {size}, over the limit of {MAX_PIXELS:,}.", remedy=_SKIP)
    if header is None or not header.whole:
        raise _broken(path, header, length)
    if header.numbers or header.bits > 8:
        if not deep and (header.numbers or not mask):
            raise _too_deep(path, header)
    elif (
        (header.colours and not (mask and header.kind == "GIF"))
        or header.pictures > 1
        or (header.kind == "TIFF" and header.orientation > 1)
    ):
        raise _unwelcome(path, header)
    return header


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, (FileNotFoundError, IsADirectoryError)):
        return DataError(
            f"{path} is not there.", remedy="Look at its name and folder; a name with spaces needs quotes."
        )
    return DataError(f"{path} can't be read: {error.strerror}.", remedy="Look at who may read it: ls -l")


def _broken(path: Path, header: Header | None, length: int) -> DataError:
    if not length:
        return DataError(f"{path} is empty (0 bytes).", remedy=_AGAIN)
    if header is None:
        return DataError(f"{path} is not an image that can be read.", remedy=_AGAIN)
    missing = {"JPEG": "no end-of-image marker", "PNG": "no end chunk"}.get(header.kind, "shorter than its header says")
    return DataError(f"{path} is cut off ({missing}).", remedy=_AGAIN)


def _unwelcome(path: Path, header: Header) -> DataError:
    """Say what can't be taken as it is, and the command that makes an image of it that can, in place."""
    saved = f".save({path.name!r}{_LEAST_LOSS.get(header.kind, '')})"
    code, does = f"from PIL import Image; Image.open({path.name!r}).convert('RGB'){saved}", "makes it RGB"
    what = f"is a {header.colours} image; RGB, grey and palettes are read."
    if header.pictures > 1:
        what = "holds several pictures (pages or frames); one is expected."
        code, does = f"from PIL import Image; Image.open({path.name!r}){saved}", "keeps the first"
    elif not header.colours:
        what = f"is a TIFF of orientation {header.orientation}, which some programs turn for viewing and others don't."
        read = f"cv2.imdecode(np.fromfile({path.name!r}, 'u1'), -1)"
        code, does = f"import cv2, numpy as np; cv2.imwrite({path.name!r}, {read})", "turns the pixels"
    if header.pictures == 1 and header.colours not in ("", *_CONVERTED):
        return DataError(f"{path} {what}", remedy=f"Convert it to RGB or grey of 8 bits. {_SKIP}")
    return DataError(f"{path} {what}", remedy=f'In its folder  python -c "{code}"  {does}. {_SKIP}')


def _too_deep(path: Path, header: Header) -> DataError:
    what = f"{path} has {header.numbers or f'{header.bits} bits a channel'}"
    try:
        pixels = read_deep(path)
    except DataError:
        return DataError(f"{what}.", remedy=f"Convert it to 8 bits; nothing is scaled unasked. {_SKIP}")
    low, high = pixels.min(), pixels.max()
    bits = next((bits for bits in (8, 10, 12, 14, 16) if low >= 0 and 1 < high < 2**bits), None)
    usual = f"0,{2**bits - 1}" if bits is not None else f"{low:g},{high:g}"
    remedy = f"Import with  --value-range {usual}  to scale to 8 bits, in copies; masks must have 8 bits. {_SKIP}"
    return DataError(f"{what} (values {low:g} to {high:g}).", remedy=remedy)


def read_image(path: Path) -> Pixels:
    """Read an image as stored: uint8 [H, W, 3] RGB, or [H, W] where the file is grey.

    Transparency is dropped; a rotation noted in EXIF is not applied, since masks refer to the stored pixels.

    Raises:
        DataError: as `read_header`, or the pixels can't be decoded.
    """
    header = read_header(path)
    grey = header.channels in (1, 2)
    if header.kind == "TIFF" and header.channels == 4:  # OpenCV multiplies the colours by the transparency
        return _checked(_by_pillow(path, lambda image: np.array(image.convert("RGB"))), header, path)
    cv2 = _opencv()
    pixels = _decoded(path, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    return _checked(pixels if grey else pixels[:, :, ::-1], header, path)


def read_deep(path: Path) -> NDArray[np.generic]:
    """Read an image of any depth as stored: [H, W, 3] RGB or [H, W] grey, of the file's own kind of number.

    Raises:
        DataError: as `read_header`, or the pixels can't be decoded.
    """
    header = read_header(path, deep=True)
    if header.bits <= 8 and not header.numbers:
        return read_image(path)
    pixels = _decoded(path, _opencv().IMREAD_UNCHANGED)
    if header.channels > 3 and header.kind == "TIFF":
        raise DataError(f"{path} has {header.channels} channels of more than 8 bits.", remedy=_SKIP)
    if pixels.ndim == 3:
        pixels = pixels[..., 0] if header.channels in (1, 2) else pixels[..., 2::-1]
    return np.ascontiguousarray(pixels)


def to_eight_bits(pixels: NDArray[np.generic], value_range: tuple[float, float]) -> Pixels:
    """Scale pixels so that the range's ends become 0 and 255; what lies beyond is cut, what is no number becomes 0."""
    low, high = value_range
    scaled = (pixels.astype(np.float64) - low) * (255 / (high - low))
    return np.rint(np.nan_to_num(scaled, nan=0.0).clip(0, 255)).astype(np.uint8)


def _decoded(path: Path, flags: int) -> Pixels:
    cv2 = _opencv()
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise DataError(f"{path} can't be decoded.", remedy=_AGAIN) from error
    if pixels is None:
        raise DataError(f"{path} can't be decoded.", remedy=_AGAIN)
    return np.asarray(pixels)


def _by_pillow(path: Path, use: Callable[[Image.Image], Found]) -> Found:
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")  # of damaged EXIF and the like, which is not used
            image.load()
            return use(image)
    except (OSError, SyntaxError, ValueError, ArithmeticError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{path} can't be decoded.", remedy=_AGAIN) from error


def _checked(pixels: Pixels, header: Header, path: Path) -> Pixels:
    if pixels.shape[:2] != (header.height, header.width):
        raise DataError(f"{path} can't be decoded.", remedy=_AGAIN)
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def read_rgb(path: Path) -> Pixels:
    """Read an image as uint8 [H, W, 3] RGB; grey is repeated over the three channels."""
    return to_rgb(read_image(path))


def to_rgb(pixels: Pixels) -> Pixels:
    """Repeat a grey [H, W] image over three channels; an RGB image is returned as it is."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def read_mask(path: Path) -> Pixels:
    """Read a mask file as stored: uint8 [H, W] (grey or palette luminance), or [H, W, 3] where it has colours."""
    return read_image(path)


def read_indexed(path: Path) -> tuple[Pixels, Pixels] | None:
    """Read the colour numbers of an image with a palette, uint8 [H, W], and the palette, uint8 [256, 3] RGB; else None.

    Colours that the file does not have are black.

    Raises:
        DataError: as `read_header`, or the pixels can't be decoded.
    """
    header = read_header(path)
    indexed = _by_pillow(path, _numbers_and_palette) if header.palette else None
    if indexed is None:
        return None
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(indexed[1])] = indexed[1]
    return _checked(indexed[0], header, path), colours


def _numbers_and_palette(image: Image.Image) -> tuple[Pixels, Pixels] | None:
    if image.mode != "P":
        return None
    return np.array(image, dtype=np.uint8), np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)


def read_thumbnail(path: Path, *, size: int, colour: bool = False) -> Pixels:
    """Read an image as a grey uint8 [size, size] picture, averaging over areas; large JPEGs are decoded reduced.

    With `colour` it is RGB, [size, size, 3].

    Raises:
        DataError: the file can't be decoded.
    """
    header = read_header(path)
    shrink = min(header.height, header.width) // (2 * size)
    level = 8 if shrink >= 8 else 4 if shrink >= 4 else 2 if shrink >= 2 else 1
    cv2 = _opencv()
    kind = "COLOR" if colour and header.channels not in (1, 2) else "GRAYSCALE"
    with _ONE_AT_A_TIME if header.height * header.width > _LARGE else nullcontext():
        pixels = _decoded(path, getattr(cv2, f"IMREAD_REDUCED_{kind}_{level}" if level > 1 else f"IMREAD_{kind}"))
        small = np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if not colour:
        return small
    return to_rgb(small) if small.ndim == 2 else np.ascontiguousarray(small[:, :, ::-1])


def cut_mirrored(image: NDArray[Kind], region: Box) -> NDArray[Kind]:
    """Cut a region out of an image [H, W] or [H, W, 3].

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
    from coigan_aug.jpeg import coding_of

    try:
        with path.open("rb") as stream:
            start = stream.read(1 << 16)
            return coding_of(start) or coding_of(start + stream.read()) if start[:2] == b"\xff\xd8" else None
    except OSError as error:
        raise _unreadable(path, error) from error


def encode_image(image: Pixels, *, suffix: str, quality: int = 95, sampling: str = "") -> bytes:
    """Encode uint8 [H, W] grey or [H, W, 3] RGB pixels as the format of `suffix`.

    Args:
        quality: 1-100; counts for JPEG and WebP.
        sampling: of a JPEG's chroma, as `jpeg_coding` says it; "" is the encoder's own, 4:2:0.
    """
    cv2 = _opencv()
    stored = image[:, :, ::-1] if image.ndim == 3 else image
    options = []
    if suffix.lower() in (".jpg", ".jpeg"):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        if sampling and image.ndim == 3:
            factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling.replace(':', '')}")
            options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    elif suffix.lower() == ".webp":
        options = [cv2.IMWRITE_WEBP_QUALITY, quality]
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
    from PIL import Image

    header = header_of(io.BytesIO(data))
    if header is None or header.kind != "PNG":
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
    from PIL import Image

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
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(numbers), mode="L")
    image.putpalette([part for colour in colours for part in colour])
    stream = io.BytesIO()
    image.save(stream, format="PNG", compress_type=zlib.Z_RLE)  # in half the time, and no larger for masks
    return stream.getvalue()


def write_image(path: Path, image: Pixels, *, quality: int = 95, sampling: str = "") -> None:
    """Write uint8 [H, W] grey or [H, W, 3] RGB pixels atomically, in the format of the suffix, as `encode_image` does."""
    write_bytes(path, encode_image(image, suffix=path.suffix, quality=quality, sampling=sampling))
