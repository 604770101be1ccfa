"""What image files say of themselves before a pixel is decoded: PNG, JPEG, BMP, WebP, TIFF."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, Literal

from coigan_aug.tiff import DamagedTiff, Page, pages

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_JPEG = b"\xff\xd8"
_START = 65536
_END = 4096
_PALETTE_ENTRY = 4
_ORIENTATION, _MOST_TAGS = 0x0112, 512


@dataclass(frozen=True)
class Header:
    """What an image file says of itself: height and width in pixels, channels, bits a channel.

    Height and width are those of the stored pixels. `orientation` is EXIF's (or a TIFF's own), 1-8. `colours` names a
    kind of colours that is not read, "" for RGB, grey and palettes (`palette`); `numbers` a kind of numbers other than
    whole ones from 0. `pictures` is the number of pages or frames (2 for several); `whole` is false where the file is
    cut off.
    """

    height: int
    width: int
    channels: int
    bits: int
    kind: str = ""
    colours: str = ""
    numbers: str = ""
    palette: bool = False
    pictures: int = 1
    orientation: int = 1
    whole: bool = True


def header_of(stream: IO[bytes]) -> Header | None:
    """Read an image file's header and see whether its end is there; None where it is of no kind known here."""
    if stream.read(len(_JPEG)) == _JPEG:
        return _jpeg(stream)
    stream.seek(0)
    start = stream.read(_START)
    length = stream.seek(0, 2)
    if start.startswith(_PNG):
        return _png(stream, start)
    if start.startswith(b"BM"):
        return _bmp(start, length)
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return _webp(stream, start, length)
    if start.startswith(b"GIF8"):
        return _gif(start)
    return _tiff(stream, length) if start[:2] in (b"II", b"MM") else None


def _jpeg(stream: IO[bytes]) -> Header | None:
    """Read a JPEG's frame header; its end marker must lie behind the first scan, else it is that of a thumbnail."""
    from coigan_aug.jpeg import read_jpeg  # here: other kinds do without Pillow, which takes a while to load

    image = read_jpeg(stream)
    if image is None:
        return None
    scan, (width, height) = image.scan, image.size
    whole = scan is not None and (_holds(stream, b"\xff\xd9", scan, last=_END) or _holds(stream, b"\xff\xd9", scan))
    return Header(
        height, width, image.layers or 3, image.bits, "JPEG",
        colours="CMYK" if image.layers == 4 else "", orientation=orientation_of(image.exif), whole=whole,
    )  # fmt: skip


def _holds(stream: IO[bytes], mark: bytes, start: int, *, last: int | None = None) -> bool:
    """Tell whether the bytes from `start` on, or only the last ones of them, hold a mark."""
    length = stream.seek(0, 2)
    stream.seek(max(start, length - last if last else 0))
    return mark in stream.read()


def _png(stream: IO[bytes], start: bytes) -> Header | None:
    """Read the IHDR chunk (PNG specification 11.2.1); chunks before the pixels tell of animation and orientation."""
    if len(start) < 29 or start[12:16] != b"IHDR":
        return None
    width, height, bits, colour = struct.unpack(">IIBB", start[16:26])
    before = start.partition(b"IDAT")[0]
    return Header(
        height, width, {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour, 0), max(bits, 8), "PNG", palette=colour == 3,
        pictures=2 if b"acTL" in before else 1, orientation=orientation_of(_behind(before, b"eXIf")),
        whole=_holds(stream, _PNG_END, 0, last=_END) or _holds(stream, _PNG_END, 0),
    )  # fmt: skip


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


def _behind(data: bytes, mark: bytes) -> bytes:
    return data.partition(mark)[2].removeprefix(b"Exif\0\0")


def _bmp(start: bytes, length: int) -> Header | None:
    """Read a bitmap's info header (that of Windows, or the shorter one of OS/2)."""
    if len(start) < 30:
        return None
    offset, size = struct.unpack("<II", start[10:18])
    short = size == 12
    width, height = struct.unpack("<HH" if short else "<ii", start[18:22] if short else start[18:26])
    depth = struct.unpack("<H", start[24:26] if short else start[28:30])[0]
    packed = not short and start[30:34] not in (b"\0\0\0\0", b"\3\0\0\0")
    end = offset + (0 if packed else (width * depth + 31) // 32 * 4 * abs(height))
    channels = 3 if depth > 8 or not _grey_palette(start, 14 + size, depth, short) else 1
    return Header(abs(height), max(width, 0), channels, 8, "BMP", palette=depth <= 8, whole=end <= length)


def _grey_palette(start: bytes, at: int, depth: int, short: bool) -> bool:
    step = 3 if short else _PALETTE_ENTRY
    used = 0 if short else int.from_bytes(start[46:50], "little")
    entries = start[at : at + step * (used if 0 < used <= 1 << depth else 1 << depth)]
    return entries[0::step] == entries[1::step] == entries[2::step]


def _webp(stream: IO[bytes], start: bytes, length: int) -> Header | None:
    """Read the first chunk (WebP container specification; RFC 6386, 9.1 for the lossy kind)."""
    kind, body = start[12:16], start[20:30]
    if len(body) < 10:
        return None
    bits, alpha, pictures, orientation = int.from_bytes(body[1:5], "little"), False, 1, 1
    if kind == b"VP8X":
        width, height = (int.from_bytes(body[k : k + 3], "little") + 1 for k in (4, 7))
        alpha, pictures = bool(body[0] & 16), 2 if body[0] & 2 else 1
        orientation = orientation_of(_webp_exif(stream, length)) if body[0] & 8 else 1
    elif kind == b"VP8L":
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    else:
        width, height = (int.from_bytes(body[k : k + 2], "little") & 0x3FFF for k in (6, 8))
    whole = int.from_bytes(start[4:8], "little") + 8 <= length
    channels = 4 if alpha else 3
    return Header(height, width, channels, 8, "WebP", pictures=pictures, orientation=orientation, whole=whole)


def _webp_exif(stream: IO[bytes], length: int) -> bytes:
    """Find the EXIF chunk of a WebP file, which comes behind the pixels."""
    at = 12
    while at + 8 <= length:
        stream.seek(at)
        name, size = stream.read(4), int.from_bytes(stream.read(4), "little")
        if name == b"EXIF":
            return stream.read(min(size, _START)).removeprefix(b"Exif\0\0")
        at += 8 + size + size % 2
    return b""


def _gif(start: bytes) -> Header | None:
    if len(start) < 10:
        return None
    width, height = struct.unpack("<HH", start[6:10])
    return Header(height, width, 3, 8, "GIF", colours="GIF")


def _tiff(stream: IO[bytes], length: int) -> Header | None:
    try:
        directories = pages(stream)
    except DamagedTiff:
        return Header(0, 0, 0, 8, "TIFF", whole=False)
    if not directories:
        return None
    page = directories[0]
    channels, colours = _tiff_colours(page)
    numbers = "" if page.whole_numbers else f"numbers that are not whole or signed ({page.bits} bits a channel)"
    return Header(
        page.height, page.width, channels, max(page.bits, 8), "TIFF", colours=colours, numbers=numbers,
        palette=page.photometric == 3 and page.samples == 1,
        pictures=sum(other.is_picture for other in directories[1:]) + 1, orientation=page.orientation, whole=page.end <= length,
    )  # fmt: skip


def _tiff_colours(page: Page) -> tuple[int, str]:
    """Return the channels that the image is read with, transparency among them, and the name of colours that can't be."""
    channels = {0: 1, 1: 1, 2: 3, 3: 3, 6: 3}.get(page.photometric)
    if channels is None:
        return page.samples, {5: "CMYK", 8: "Lab", 9: "Lab", 10: "Lab"}.get(page.photometric, "raw or otherwise coded")
    extra = page.samples - (1 if page.photometric == 3 else channels)
    if extra > 1:
        return page.samples, f"{page.samples}-channel"
    return channels + max(extra, 0), ""
