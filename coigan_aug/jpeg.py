"""How a JPEG file was coded: its segments, the quality its quantisation tables stand for, its chroma sampling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_TABLES, _SCAN, _APP1 = 0xDB, 0xDA, 0xE1
_ORIENTATION, _MOST_TAGS = 0x0112, 512
_STEPS = 64

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
_ZIGZAG = sorted(range(_STEPS), key=lambda k: (k // 8 + k % 8, k // 8 if (k // 8 + k % 8) % 2 else k % 8))
_SAMPLINGS = {(1, 1): "4:4:4", (1, 2): "4:4:0", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1"}


@dataclass(frozen=True)
class Frame:
    """A JPEG's frame header: bits a sample, height and width in px, and (id, across, down, table) of each component."""

    bits: int
    height: int
    width: int
    components: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class JpegCoding:
    """The libjpeg quality, 1-100, and the chroma sampling ("4:2:0", ...); "" where it is grey or of no common kind."""

    quality: int
    sampling: str


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of the segments that `data` begins with, up to the first scan (ITU T.81, annex B)."""
    for marker, at in _markers(data):
        if marker != _SCAN:
            yield marker, data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the markers that `data` begins with and where they are, up to and with the first scan."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xFF:
            at += 1
            continue
        yield data[at + 1], at
        if data[at + 1] == _SCAN:
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def scan_of(data: bytes) -> int | None:
    """Return where the first scan begins; None where it isn't in `data`."""
    return next((at for marker, at in _markers(data) if marker == _SCAN), None)


def frame_of(data: bytes) -> Frame | None:
    """Read the frame header (ITU T.81, B.2.2) among the segments in `data`; None where it isn't there."""
    content = next((content for marker, content in segments(data) if marker in _FRAMES), b"")
    if len(content) < 6 or len(content) < 6 + 3 * content[5]:
        return None
    parts = [content[k : k + 3] for k in range(6, 6 + 3 * content[5], 3)]
    return Frame(
        content[0],
        int.from_bytes(content[1:3], "big"),
        int.from_bytes(content[3:5], "big"),
        tuple((part[0], part[1] >> 4, part[1] & 15, part[2]) for part in parts),
    )


def exif_of(data: bytes) -> bytes:
    """Return the EXIF block among the segments in `data`; b"" where there is none."""
    own = (content[6:] for marker, content in segments(data) if marker == _APP1 and content[:6] == b"Exif\0\0")
    return next(own, b"")


def orientation_of(exif: bytes) -> int:
    """Return the orientation, 1-8, that an EXIF block notes (CIPA DC-008, tag 0x0112); 1 where it notes none."""
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"
    at = int.from_bytes(exif[4:8], order)
    for k in range(min(int.from_bytes(exif[at : at + 2], order), _MOST_TAGS)):
        entry = exif[at + 2 + 12 * k : at + 14 + 12 * k]
        if int.from_bytes(entry[:2], order) == _ORIENTATION:
            value = int.from_bytes(entry[8:10], order)
            return value if 1 <= value <= 8 else 1
    return 1


def coding_of(data: bytes) -> JpegCoding | None:
    """Estimate how a JPEG was coded from its luminance's quantisation table; None where `data` is no JPEG.

    Exact for files of libjpeg and what is built on it, OpenCV and Pillow among them; for other tables the quality whose
    table is nearest (sum of absolute differences, the better one of two equally near).
    """
    frame, tables = frame_of(data), _tables(data)
    if frame is None or not frame.components or frame.components[0][3] not in tables:
        return None
    found = np.minimum(tables[frame.components[0][3]], 255)
    distances = {quality: int(np.abs(scaled(quality) - found).sum()) for quality in range(100, 0, -1)}
    return JpegCoding(min(distances, key=lambda quality: distances[quality]), _sampling(frame))


def scaled(quality: int) -> NDArray[np.int64]:
    """Return libjpeg's luminance table [64] for a quality of 1-100, row by row (jcparam.c: jpeg_quality_scaling)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_LUMINANCE * percent + 50) // 100, 1, 255)


def _tables(data: bytes) -> dict[int, NDArray[np.int64]]:
    """Read the quantisation tables (ITU T.81, B.2.4.1), each [64] row by row, by their numbers."""
    found = {}
    for content in [content for marker, content in segments(data) if marker == _TABLES]:
        at = 0
        while at < len(content):
            size = 2 if content[at] >> 4 else 1
            steps = np.frombuffer(content[at + 1 : at + 1 + size * _STEPS], np.dtype(f">u{size}"))
            if len(steps) < _STEPS:
                break
            table = np.zeros(_STEPS, np.int64)
            table[_ZIGZAG] = steps
            found[content[at] & 15] = table
            at += 1 + size * _STEPS
    return found


def _sampling(frame: Frame) -> str:
    if len(frame.components) != 3:
        return ""
    (_, across, down, _), *chroma = frame.components
    same = {(own[1], own[2]) for own in chroma}
    if len(same) != 1 or 0 in next(iter(same)):
        return ""
    wide, high = next(iter(same))
    return "" if across % wide or down % high else _SAMPLINGS.get((across // wide, down // high), "")
