"""What a JPEG file says of itself before its pixels, read by Pillow: size, EXIF, quality, chroma sampling."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

# ITU T.81, table K.1: what libjpeg scales for the luminance, row by row.
_LUMINANCE = np.array([
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip
_SAMPLINGS = {(1, 1): "4:4:4", (1, 2): "4:4:0", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1"}


@dataclass(frozen=True)
class JpegCoding:
    """The libjpeg quality, 1-100, and the chroma sampling ("4:2:0", ...); "" where it is grey or of no common kind."""

    quality: int
    sampling: str


class JpegHeader(JpegImageFile):
    """The segments of a JPEG up to its first scan. Nothing is decoded; the stream stays open, and the caller's.

    `scan` is where the first scan's data begins (of 12 bits, what is behind the frame header); None where the file ends, or
    is damaged, before that.
    """

    bits = 0
    scan: int | None = None

    def _open(self) -> None:
        try:
            super()._open()
        except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error) as error:
            if not self.bits or getattr(error, "errno", None):  # not even a frame header, or the disk's fault
                raise
        if (self.tile or self.bits != 8) and self.fp is not None:  # of 12 bits Pillow stops at the frame header
            self.scan = self.fp.tell()
        self._mode = self.mode or "L"  # and knows no mode, which the constructor asks for

    def _read_dpi_from_exif(self) -> None:
        """Leave the EXIF block alone: of a damaged one Pillow warns."""

    @property
    def exif(self) -> bytes:
        """The EXIF block; b"" where there is none."""
        return bytes(self.info.get("exif", b"")).removeprefix(b"Exif\0\0")


def read_jpeg(stream: IO[bytes]) -> JpegHeader | None:
    """Read a JPEG's segments from the stream's start; None where it has no frame header of any pixels.

    Raises:
        OSError: the disk's, not Pillow's.
    """
    stream.seek(0)
    try:
        return JpegHeader(stream)
    except (OSError, SyntaxError, ValueError) as error:
        if getattr(error, "errno", None):
            raise
        return None


def coding_of(data: bytes) -> JpegCoding | None:
    """Estimate how a JPEG was coded from its luminance's quantisation table; None where `data` is no JPEG.

    Exact for files of libjpeg and what is built on it, OpenCV and Pillow among them; for other tables the quality whose
    table is nearest (sum of absolute differences, the better one of two equally near).
    """
    image = read_jpeg(io.BytesIO(data))
    steps = image.quantization.get(image.layer[0][3]) if image and image.layer else None
    if image is None or steps is None:
        return None
    table = np.minimum(steps, 255)
    distances = {quality: int(np.abs(scaled(quality) - table).sum()) for quality in range(100, 0, -1)}
    return JpegCoding(min(distances, key=lambda quality: distances[quality]), _sampling(image.layer))


def scaled(quality: int) -> NDArray[np.int64]:
    """Return libjpeg's luminance table [64] for a quality of 1-100, row by row (jcparam.c: jpeg_quality_scaling)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_LUMINANCE * percent + 50) // 100, 1, 255)


def _sampling(components: list[tuple[int, int, int, int]]) -> str:
    """Name the sampling of components (number, across, down, table)."""
    if len(components) != 3:
        return ""
    (_, across, down, _), *chroma = components
    same = {(component[1], component[2]) for component in chroma}
    if len(same) != 1 or 0 in next(iter(same)):
        return ""
    wide, high = next(iter(same))
    return "" if across % wide or down % high else _SAMPLINGS.get((across // wide, down // high), "")
